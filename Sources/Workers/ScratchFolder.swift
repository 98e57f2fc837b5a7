internal import Glibc

/// A folder for a child's temporary files: what a killed child left is removed before the next one starts.
public struct ScratchFolder: Sendable {
    public let path: String

    public init(path: String) {
        self.path = path
    }

    /// Makes the folder empty and private to us, with the folders above it.
    public func reset() throws(WorkerError) {
        remove()
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            made += "/" + part
            if mkdir(made, 0o700) < 0 && errno != EEXIST {
                let number = errno
                throw WorkerError(
                    message: "cannot make the folder \(made): \(String(cString: strerror(number)))",
                    errorNumber: number)
            }
        }
    }

    /// Removes the folder and all below it; links are removed, never followed.
    public func remove() {
        Self.removeTree(path)
    }

    private static func removeTree(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != "." && name != ".." else { continue }
                let child = path + "/" + name
                if entry.pointee.d_type == UInt8(DT_DIR) {
                    removeTree(child)
                } else {
                    unlink(child)
                }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}
