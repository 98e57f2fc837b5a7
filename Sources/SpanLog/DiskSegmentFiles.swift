import CSystem
import Glibc
import Iceberg
import Pipeline
import Threads

/// A partition's folder on a local disk; files are readable by their owner only (0600, folder 0700).
final class DiskSegmentFiles: SegmentFiles {
    /// An open file. Closed when nobody uses it any more: a reader may hold it while it is removed.
    private final class OpenFile: Sendable {
        let descriptor: Int32

        init(descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }
    }

    /// Open files at one time; the log opens few, recovery walks over many.
    private static let openFiles = 32

    private let path: String
    private struct Table {
        var files: [String: OpenFile] = [:]
        /// Made last: it is being written, and stays open so that no error of its syncs is missed.
        var active: String?
    }

    /// Guards the table of open files; opening happens outside.
    private let open = Lock(Table())

    init(path: String) throws(FileError) {
        self.path = path
        try Folder.make(path)
    }

    func list() throws(FileError) -> [SegmentFile] {
        guard let folder = opendir(path) else { throw FileError(errno: errno, "cannot list \(path)") }
        defer { closedir(folder) }
        var files: [SegmentFile] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                guard errno == 0 else { throw FileError(errno: errno, "cannot list \(path)") }
                return files
            }
            // The name ends with a zero byte; the entry lives until the next call.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            guard stat(location(name), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            files.append(SegmentFile(name: name, byteCount: Int(status.st_size)))
        }
    }

    func create(_ name: String) throws(FileError) {
        let descriptor = Glibc.open(location(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(errno: errno, "cannot make \(location(name))") }
        open.withLock { $0.active = name }
        keep(OpenFile(descriptor: descriptor), name)
    }

    func write(_ name: String, at position: Int, _ bytes: [UInt8]) throws(FileError) {
        let file = try file(name)
        var written = 0
        while written < bytes.count {
            // The pointer lives for this call only.
            let count = bytes.withUnsafeBytes {
                pwrite(file.descriptor, $0.baseAddress! + written, $0.count - written, position + written)
            }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                throw FileError(errno: count == 0 ? ENOSPC : errno, "cannot write \(location(name))")
            }
        }
    }

    func sync(_ name: String) throws(FileError) {
        #if DEBUG
            killPoint("receiving")
        #endif
        // fdatasync flushes the length too when it has changed (fdatasync(2)).
        guard fdatasync(try file(name).descriptor) == 0 else {
            throw FileError(errno: errno, "cannot sync \(location(name))")
        }
    }

    func syncDirectory() throws(FileError) { try Folder.sync(path) }

    func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8] {
        let file = try file(name)
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: max(0, count)) { buffer, filled in
            while filled < buffer.count {
                let got = pread(file.descriptor, buffer.baseAddress! + filled, buffer.count - filled, position + filled)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    break
                } else if errno != EINTR {
                    code = errno
                    break
                }
            }
        }
        guard code == 0 else { throw FileError(errno: code, "cannot read \(location(name))") }
        return bytes
    }

    func truncate(_ name: String, to byteCount: Int) throws(FileError) {
        guard ftruncate(try file(name).descriptor, byteCount) == 0 else {
            throw FileError(errno: errno, "cannot cut \(location(name))")
        }
    }

    func remove(_ name: String) throws(FileError) {
        open.withLock { _ = $0.files.removeValue(forKey: name) }
        guard unlink(location(name)) == 0 || errno == ENOENT else {
            throw FileError(errno: errno, "cannot remove \(location(name))")
        }
    }

    func space() throws(FileError) -> DiskSpace {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw FileError(errno: errno, "cannot measure the disk of \(path)") }
        return DiskSpace(
            totalBytes: Int(clamping: UInt64(status.f_blocks) * UInt64(status.f_frsize)),
            availableBytes: Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize)))
    }

    private func location(_ name: String) -> String { path + "/" + name }

    private func file(_ name: String) throws(FileError) -> OpenFile {
        if let file = open.withLock({ $0.files[name] }) { return file }
        let descriptor = Glibc.open(location(name), O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(errno: errno, "cannot open \(location(name))") }
        let file = OpenFile(descriptor: descriptor)
        keep(file, name)
        return file
    }

    private func keep(_ file: OpenFile, _ name: String) {
        open.withLock { table in
            if table.files.count >= Self.openFiles {
                let active = table.active
                table.files = table.files.filter { $0.key == active }
            }
            table.files[name] = file
        }
    }
}
