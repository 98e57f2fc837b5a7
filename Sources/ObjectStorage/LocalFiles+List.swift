internal import CSystem
internal import Glibc

extension LocalFiles {
    /// Directories within one another below the prefix.
    static let depthLimit = 64

    public func list(_ prefix: String, limit: Int) throws(StorageError) -> [StoredObject] {
        let start = try Self.absolutePath(prefix)
        guard start == root || start.hasPrefix(root + "/") else {
            throw StorageError(.denied, "\(prefix) is outside of \(root)")
        }
        var found: [StoredObject] = []
        var pending = [(path: start, depth: 0)]
        while let (directory, depth) = pending.popLast() {
            guard depth <= Self.depthLimit else { throw StorageError(.failed, "\(directory) is too deep to list") }
            for name in try Self.names(in: directory) {
                let path = directory + "/" + name
                var status = stat()
                // Links are not followed: they may lead out of the root or round in a circle.
                guard lstat(path, &status) == 0 else {
                    // Deleted since the directory was read.
                    if errno == ENOENT { continue }
                    throw StorageError(errno: errno, "look at", path)
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: pending.append((path, depth + 1))
                case S_IFREG:
                    guard found.count < limit else {
                        throw StorageError(.tooLarge, "\(prefix) has more than \(limit) files")
                    }
                    let modified = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
                    found.append(
                        StoredObject(
                            uri: "file://" + path, sizeBytes: Int64(status.st_size), modifiedMilliseconds: modified))
                default: continue
                }
            }
        }
        return found
    }

    /// Empty when the directory is not there.
    static func names(in path: String) throws(StorageError) -> [String] {
        // Closed below; used by this call only.
        guard let directory = opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw StorageError(errno: errno, "list", path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno == 0 { return names }
                throw StorageError(errno: errno, "list", path)
            }
            // Ends in a zero byte, and lives until the next readdir.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { buffer in
                String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }
}
