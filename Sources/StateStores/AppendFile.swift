import CSystem
import Glibc

/// A file that only grows, whole records at a time (mode 0600).
final class AppendFile: Sendable {
    // Closed in `deinit`; every call passes it to the kernel only.
    private let descriptor: Int32

    /// Nil when it cannot be opened.
    init?(path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Appends all bytes or none; first cuts off what an earlier kill left of a record.
    ///
    /// - Returns: Whether they are in the file; not synced.
    func append(_ bytes: [UInt8], recordBytes: Int) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        let end = Int(status.st_size) / recordBytes * recordBytes
        if end < Int(status.st_size), ftruncate(descriptor, end) != 0 { return false }
        // The pointer lives for this call only.
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count == bytes.count { return true }
        _ = ftruncate(descriptor, end)
        return false
    }
}

/// A folder with files of ours.
enum FolderOfFiles {
    /// Makes it (mode 0700) when it is not there; a failure shows at the first file.
    static func make(_ path: String) { _ = mkdir(path, 0o700) }

    /// Names and sizes of the ordinary files; none when there is no such folder.
    static func list(_ path: String) -> [(name: String, byteCount: Int)] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var files: [(String, Int)] = []
        while let entry = readdir(folder) {
            // The name ends with a zero byte; the entry lives until the next call.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            guard stat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            files.append((name, Int(status.st_size)))
        }
        return files
    }

    /// The whole file; what was read before an error, or nothing.
    static func read(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
            while filled < buffer.count {
                let count = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, filled)
                guard count > 0 else { break }
                filled += count
            }
        }
    }
}
