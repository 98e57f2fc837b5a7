internal import CSystem
internal import Glibc
public import Iceberg
public import Pipeline
public import TraceBuffering

/// Segments as files of one folder, past the page cache: `<folder>/<owner>-<number>.segment`, mode 0600.
///
///     ┌──────────────── one segment ───────────────┬─────┐
///     │ whole messages, back to back               │ 0 … │ padded to the block that direct writes want
///     └────────────────────────────────────────────┴─────┘
///
/// Direct (O_DIRECT) where the file system takes it: written once and mostly never read, the pages would only push
/// out others. Elsewhere plain, and the kernel is told that the pages are not needed (POSIX_FADV_DONTNEED).
/// Not thread-safe: the spill thread makes it and uses it.
public final class SegmentFolder: SegmentStore {
    /// Read in pieces of this size (1 MiB).
    private static let stagingBytes = 1 << 20
    private static let suffix = ".segment"

    private let path: String
    /// Aligned memory of `stagingBytes` for reads, ours alone; freed in `deinit`.
    private let staging: UnsafeMutableRawPointer
    public private(set) var isDirect = true
    private var isMade = false

    public init(path: String) {
        self.path = path
        staging = .allocate(byteCount: Self.stagingBytes, alignment: SegmentMemory.blockBytes)
    }

    deinit { staging.deallocate() }

    // MARK: Writing

    public func write(_ name: String, _ segment: SealedSegment) throws(FileError) -> Int {
        try makeFolder()
        let file = location(name)
        let descriptor = try open(file, O_RDWR | O_CREAT | O_TRUNC)
        defer { close(descriptor) }
        do throws(FileError) {
            let byteCount = try segment.withBlocks { blocks throws(FileError) -> Int in
                try Self.write(blocks, to: descriptor, file)
                return blocks.count
            }
            if !isDirect { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }
            return byteCount
        } catch {
            unlink(file)
            throw error
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ file: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let got = pwrite(descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(written))
            if got > 0 {
                written += got
            } else if got == 0 || errno != EINTR {
                throw error(got == 0 ? ENOSPC : errno, "cannot write \(file)")
            }
        }
    }

    // MARK: Reading

    public func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8] {
        let file = location(name)
        let descriptor = try open(file, O_RDONLY)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var next = position
        while next < position + count {
            let start = next / SegmentMemory.blockBytes * SegmentMemory.blockBytes
            let wanted = min(Self.stagingBytes, Self.padded(position + count - start))
            let got = try readStaging(wanted, descriptor, at: start, file)
            let end = min(start + got, position + count)
            guard end > next else { throw FileError(.corrupt, "\(file) ends before byte \(position + count)") }
            bytes.append(
                contentsOf: UnsafeRawBufferPointer(start: staging + (next - start), count: end - next))
            next = end
        }
        if !isDirect { posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }
        return bytes
    }

    private func readStaging(
        _ count: Int, _ descriptor: Int32, at position: Int, _ file: String
    ) throws(FileError) -> Int {
        while true {
            let got = pread(descriptor, staging, count, off_t(position))
            if got >= 0 { return got }
            guard errno == EINTR else { throw Self.error(errno, "cannot read \(file)") }
        }
    }

    // MARK: Names

    public func remove(_ name: String) throws(FileError) {
        let file = location(name)
        guard unlink(file) == 0 || errno == ENOENT else { throw Self.error(errno, "cannot remove \(file)") }
    }

    public func removeAll() throws(FileError) {
        guard let folder = opendir(path) else {
            guard errno == ENOENT else { throw Self.error(errno, "cannot list \(path)") }
            return
        }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            // The name ends with a zero byte; the entry lives until the next call.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(Self.suffix) else { continue }
            try remove(String(name.dropLast(Self.suffix.count)))
        }
    }

    public func space() throws(FileError) -> DiskSpace {
        try makeFolder()
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw Self.error(errno, "cannot measure the disk of \(path)") }
        return DiskSpace(
            totalBytes: Int(clamping: UInt64(status.f_blocks) * UInt64(status.f_frsize)),
            availableBytes: Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize)))
    }

    private func makeFolder() throws(FileError) {
        guard !isMade else { return }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.error(errno, "cannot make \(path)") }
        isMade = true
    }

    private func open(_ file: String, _ flags: Int32) throws(FileError) -> Int32 {
        var descriptor: Int32 = -1
        if isDirect {
            descriptor = tss_open_direct(file, flags, 0o600)
            // open(2): EINVAL when the file system does not take O_DIRECT. It will not take it later either.
            if descriptor < 0, errno == EINVAL { isDirect = false }
        }
        if descriptor < 0, !isDirect { descriptor = Glibc.open(file, flags | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw Self.error(errno, "cannot open \(file)") }
        return descriptor
    }

    private func location(_ name: String) -> String { "\(path)/\(name)\(Self.suffix)" }

    private static func padded(_ count: Int) -> Int {
        (count + SegmentMemory.blockBytes - 1) / SegmentMemory.blockBytes * SegmentMemory.blockBytes
    }

    private static func error(_ code: Int32, _ what: String) -> FileError {
        let kind: FileError.Code =
            switch code {
            case ENOSPC, EDQUOT, EFBIG: .full
            case ENOENT: .notFound
            case EACCES, EPERM, EROFS: .denied
            default: .failed
            }
        return FileError(kind, "\(what): \(String(cString: strerror(code)))")
    }
}
