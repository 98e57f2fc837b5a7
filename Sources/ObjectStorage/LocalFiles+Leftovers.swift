internal import CSystem
internal import Glibc

extension LocalFiles {
    /// Removes what interrupted writes left under the root: files with a name that only this program gives to a write
    /// that is not whole, `<object>.<number>.tmp` and `<rows>.parquet.tmp`.
    ///
    /// What cannot be looked at or removed stays: leftovers cost room, nothing else.
    ///
    /// - Parameter milliseconds: Since 1970; only files that were changed last before it. A day ago: no write takes
    ///   that long, in whatever process.
    /// - Returns: How many were removed.
    @discardableResult
    public func removeLeftovers(changedBefore milliseconds: Int64) -> Int {
        var removed = 0
        var pending = [(path: root, depth: 0)]
        while let (directory, depth) = pending.popLast() {
            guard depth <= Self.depthLimit, let names = try? Self.names(in: directory) else { continue }
            for name in names {
                let path = directory + "/" + name
                var status = stat()
                guard lstat(path, &status) == 0 else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: pending.append((path, depth + 1))
                case S_IFREG where Self.isLeftover(name):
                    let changed = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
                    if changed < milliseconds, unlink(path) == 0 { removed += 1 }
                default: continue
                }
            }
        }
        return removed
    }

    /// Whether the name is one that `write`, or the writer of Parquet files, gives to what is not whole.
    static func isLeftover(_ name: String) -> Bool {
        guard name.hasSuffix(temporarySuffix) else { return false }
        let stem = name.dropLast(temporarySuffix.count)
        if stem.hasSuffix(".parquet") { return stem.count > ".parquet".count }
        guard let dot = stem.lastIndex(of: "."), dot != stem.startIndex else { return false }
        let number = stem[stem.index(after: dot)...]
        return !number.isEmpty && number.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
