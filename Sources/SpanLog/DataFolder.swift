import CSystem
import Glibc
public import Iceberg
import Threads

/// The program's folder, owned by this process for as long as the object lives.
///
/// A second instance on the same folder would write into the first one's files: an advisory lock on the file
/// `lock` keeps it out. The kernel gives the lock back when the process ends, however it ends.
public final class DataFolder: Sendable {
    /// Absolute.
    public let path: String
    // Closed in `deinit`, which gives the lock back; nothing else uses it.
    private let descriptor: Int32

    /// Makes the folder (mode 0700, its parents as the user's mask says) and takes the lock.
    ///
    /// - Throws: `denied` naming folder and process id when another instance has it; the message is for people.
    public init(path: String) throws(FileError) {
        self.path = try Self.make(path)
        let file = self.path + "/lock"
        descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError(errno: errno, "cannot open \(file)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let owner = Self.owner(descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else { throw FileError(errno: code, "cannot lock \(file)") }
            throw FileError(
                .denied,
                "data folder \(self.path) is in use by \(owner): "
                    + "stop that process, or set app.data_dir to another folder"
            )
        }
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        // Only a help for people: whoever cannot write it has the lock all the same.
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit { close(descriptor) }

    private static func owner(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        let digits = bytes.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }
        let pid = String(decoding: digits, as: UTF8.self)
        return pid.isEmpty ? "another process" : "pid \(pid)"
    }

    private static func make(_ path: String) throws(FileError) -> String {
        try Folder.make(path)
        guard let resolved = realpath(path, nil) else { throw FileError(errno: errno, "cannot resolve \(path)") }
        // realpath allocated it; copied, then freed here.
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

/// Folders of ours.
enum Folder {
    /// Makes the folder with mode 0700, and its parents; succeeds also when it was there.
    static func make(_ path: String) throws(FileError) {
        guard mkdir(path, 0o700) != 0 else { return try sync(parent(of: path)) }
        switch errno {
        case EEXIST:
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw FileError(.denied, "\(path) is there and is no folder")
            }
        case ENOENT where parent(of: path) != path:
            try make(parent(of: path))
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw FileError(errno: errno, "cannot make folder \(path)")
            }
            try sync(parent(of: path))
        default:
            throw FileError(errno: errno, "cannot make folder \(path)")
        }
    }

    /// Whether there is something at the path.
    static func holds(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    /// Makes durable which names the folder holds.
    static func sync(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(errno: errno, "cannot open folder \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError(errno: errno, "cannot sync folder \(path)") }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension FileError {
    /// What failed, with the system's words for why.
    init(errno code: Int32, _ what: String) {
        let reason = String(cString: strerror(code))
        let kind: Code =
            switch code {
            case ENOSPC, EDQUOT, EFBIG: .full
            case ENOENT: .notFound
            case EACCES, EPERM, EROFS: .denied
            default: .failed
            }
        self.init(kind, "\(what): \(reason)")
    }
}
