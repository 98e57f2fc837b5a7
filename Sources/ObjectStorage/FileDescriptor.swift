internal import CSystem
internal import Glibc

/// An open file, closed when it goes.
struct FileDescriptor: ~Copyable {
    private let descriptor: Int32
    private let path: String

    init(_ path: String, _ flags: Int32) throws(StorageError) {
        descriptor = open(path, flags, 0o644)
        self.path = path
        guard descriptor >= 0 else { throw StorageError(errno: errno, "open", path) }
    }

    deinit { close(descriptor) }

    borrowing func size() throws(StorageError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw StorageError(errno: errno, "look at", path) }
        return Int(status.st_size)
    }

    /// The file may grow or shrink while it is read.
    borrowing func readAll(expectedBytes: Int, limitBytes: Int) throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        var isAtEnd = false
        while !isAtEnd {
            // One more than expected, to see the end without another allocation.
            let part = max(expectedBytes + 1 - bytes.count, 4096)
            var count = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: part) { buffer, initialized in
                // Lives within this closure; read fills at most its length.
                count = read(descriptor, buffer.baseAddress, part)
                initialized = max(count, 0)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw StorageError(errno: errno, "read", path)
            }
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
            isAtEnd = count == 0
            guard bytes.count <= limitBytes else {
                throw StorageError(.tooLarge, "\(path) has more than \(limitBytes) bytes")
            }
        }
        return bytes
    }

    borrowing func write(_ bytes: [UInt8]) throws(StorageError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                // Lives within this closure; write reads at most its length.
                Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw StorageError(errno: errno, "write", path)
            }
            written += count
        }
    }

    borrowing func sync() throws(StorageError) {
        guard fsync(descriptor) == 0 else { throw StorageError(errno: errno, "sync", path) }
    }
}
