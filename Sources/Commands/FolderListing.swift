internal import Glibc

/// Regular files below a folder; links are not followed.
enum FolderListing {
    struct File {
        var path: String
        var sizeBytes: Int64
    }

    /// Sorted by path; empty when the folder is not there.
    static func files(below folder: String, ending suffix: String) -> [File] {
        var found: [File] = []
        collect(folder, suffix, into: &found)
        return found.sorted { $0.path < $1.path }
    }

    private static func collect(_ folder: String, _ suffix: String, into found: inout [File]) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != "." && name != ".." else { continue }
            let path = folder + "/" + name
            if entry.pointee.d_type == UInt8(DT_DIR) {
                collect(path, suffix, into: &found)
            } else if name.hasSuffix(suffix) {
                var status = stat()
                if stat(path, &status) == 0 { found.append(File(path: path, sizeBytes: Int64(status.st_size))) }
            }
        }
    }
}
