internal import CSystem
internal import Glibc
internal import Threads

/// Objects as files under a directory; URIs are `file://` and an absolute path.
///
/// A write goes to a temporary name in the same directory, is synced, renamed, and the directory synced; new
/// directories are synced into theirs. So after a power cut an object is there whole or not at all. What a crash
/// leaves of an unfinished write ends in `.tmp`.
public final class LocalFiles: ObjectStore {
    public static let temporarySuffix = ".tmp"

    /// Absolute path without a slash at its end.
    public let root: String
    /// Directories known to be entered durably in their parents, up to the root.
    private let durableDirectories = Lock<Set<String>>([])
    /// Directories that are remembered; more are synced again each time.
    private static let directoryLimit = 10_000

    /// - Parameter root: Absolute path, or `file://` URI, of a directory that is made when it is not there.
    public init(root: String) throws(StorageError) {
        self.root = try Self.absolutePath(root)
    }

    /// The path of an object, for libraries that read or write files themselves; refuses what is outside the root.
    public func path(of uri: String) throws(StorageError) -> String {
        let path = try Self.absolutePath(uri)
        guard path.hasPrefix(root + "/") || root.isEmpty else {
            throw StorageError(.denied, "\(uri) is outside of \(root)")
        }
        return path
    }

    /// Not percent-decoded: other programs that read the table take the path as it stands too.
    static func absolutePath(_ uri: String) throws(StorageError) -> String {
        var path = uri[...]
        if path.hasPrefix("file:") {
            path = path.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
        }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else {
            throw StorageError(.denied, "\(uri) is no absolute file URI")
        }
        while path.hasSuffix("/") { path = path.dropLast() }
        for part in path.split(separator: "/") where part == ".." || part == "." {
            throw StorageError(.denied, "\(uri) has the part \(part)")
        }
        return String(path)
    }

    public func read(_ uri: String, limitBytes: Int) throws(StorageError) -> [UInt8] {
        let path = try path(of: uri)
        let file = try FileDescriptor(path, O_RDONLY | O_CLOEXEC)
        let size = try file.size()
        guard size <= limitBytes else {
            throw StorageError(.tooLarge, "\(path) has \(size) bytes, the limit is \(limitBytes)")
        }
        return try file.readAll(expectedBytes: size, limitBytes: limitBytes)
    }

    public func write(_ uri: String, _ bytes: [UInt8]) throws(StorageError) {
        let path = try path(of: uri)
        let directory = try makeDirectory(of: path)
        let temporary = "\(path).\(UInt64.random(in: 0 ... .max))\(Self.temporarySuffix)"
        do throws(StorageError) {
            let file = try FileDescriptor(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)
            try file.write(bytes)
            try file.sync()
            guard rename(temporary, path) == 0 else { throw StorageError(errno: errno, "rename", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        try Self.syncDirectory(directory)
    }

    /// Makes an object that another library has written under its final name durable.
    public func sync(_ uri: String) throws(StorageError) {
        let path = try path(of: uri)
        let directory = try makeDirectory(of: path)
        try FileDescriptor(path, O_RDONLY | O_CLOEXEC).sync()
        try Self.syncDirectory(directory)
    }

    public func delete(_ uri: String) throws(StorageError) {
        let path = try path(of: uri)
        guard unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR else {
            throw StorageError(errno: errno, "delete", path)
        }
    }

    /// Makes the directory of a file, and all above it, durably; returns it.
    private func makeDirectory(of path: String) throws(StorageError) -> String {
        guard let slash = path.lastIndex(of: "/") else { throw StorageError(.denied, "\(path) is no absolute path") }
        let directory = String(path[..<slash])
        if durableDirectories.withLock({ $0.contains(directory) }) { return directory }
        try ensureDurable(directory)
        durableDirectories.withLock { if $0.count < Self.directoryLimit { $0.insert(directory) } }
        return directory
    }

    /// Also when the directory is there already: who made it may have crashed before it was synced.
    private func ensureDurable(_ directory: String) throws(StorageError) {
        guard let slash = directory.lastIndex(of: "/") else { return }
        let parent = String(directory[..<slash])
        if directory.utf8.count > root.utf8.count || access(directory, F_OK) != 0 { try ensureDurable(parent) }
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
            throw StorageError(errno: errno, "make directory", directory)
        }
        do {
            try Self.syncDirectory(parent.isEmpty ? "/" : parent)
        } catch {
            // Above the root the directories are the administrator's, and may not be readable for us.
            guard error.code == .denied, directory.utf8.count <= root.utf8.count else { throw error }
        }
    }

    static func syncDirectory(_ path: String) throws(StorageError) {
        try FileDescriptor(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC).sync()
    }
}

extension StorageError {
    /// From the C library's error number.
    init(errno number: Int32, _ verb: String, _ path: String) {
        let code: Code =
            switch number {
            case ENOENT, ENOTDIR: .notFound
            case ENOSPC, EDQUOT: .full
            case EACCES, EPERM, EROFS, ELOOP, ENAMETOOLONG, EISDIR: .denied
            default: .failed
            }
        self.init(code, "\(verb) \(path): \(String(cString: strerror(number)))")
    }
}
