internal import Glibc
internal import Threads

/// What went wrong on the way to a worker, as opposed to what it answered.
enum ChannelError: Error {
    /// The deadline passed: the worker must be killed.
    case deadline
    /// The worker has closed its end: it ended or was killed.
    case closed
    /// It sent what the protocol does not know.
    case malformed(String)
}

/// Frames over a stream socket: one byte of kind, a 32-bit little-endian length, the payload.
///
///     ┌──────┬────────────┬──────────────┐
///     │ kind │ length u32 │ payload      │
///     └──────┴────────────┴──────────────┘
///
/// Owned by one thread at a time. Every call ends at the deadline at the latest.
struct WorkerChannel: ~Copyable, Sendable {
    struct Frame {
        var kind: UInt8
        var payload: [UInt8]
    }

    /// A worker's own pieces are 256 KiB; a file list may be some MiB.
    static let frameLimitBytes = 64 << 20

    private let descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    func send(_ kind: Character, _ payload: [UInt8], until deadline: MonotonicInstant) throws(ChannelError) {
        let count = UInt32(payload.count)
        var frame: [UInt8] = [kind.asciiValue ?? 0]
        frame.reserveCapacity(5 + payload.count)
        for shift in [0, 8, 16, 24] as [UInt32] { frame.append(UInt8(truncatingIfNeeded: count >> shift)) }
        frame += payload
        var sentCount = 0
        while sentCount < frame.count {
            try waitUntilReady(POLLOUT, until: deadline)
            let written = frame.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress! + sentCount, frame.count - sentCount,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if written > 0 {
                sentCount += written
            } else if errno != EINTR && errno != EAGAIN {
                throw .closed
            }
        }
    }

    func receive(until deadline: MonotonicInstant) throws(ChannelError) -> Frame {
        let header = try receive(byteCount: 5, until: deadline)
        let count = header[1...4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard count <= Self.frameLimitBytes else { throw .malformed("a frame of \(count) bytes") }
        return Frame(kind: header[0], payload: try receive(byteCount: count, until: deadline))
    }

    private func receive(byteCount: Int, until deadline: MonotonicInstant) throws(ChannelError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var receivedCount = 0
        while receivedCount < byteCount {
            try waitUntilReady(POLLIN, until: deadline)
            let count = bytes.withUnsafeMutableBytes {
                recv(
                    descriptor, $0.baseAddress! + receivedCount, byteCount - receivedCount,
                    Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                receivedCount += count
            } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
                throw .closed
            }
        }
        return bytes
    }

    private func waitUntilReady(_ events: Int32, until deadline: MonotonicInstant) throws(ChannelError) {
        while true {
            let leftMilliseconds = (deadline - .now).wholeMilliseconds
            guard leftMilliseconds > 0 else { throw .deadline }
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let count = poll(&entry, 1, Int32(clamping: leftMilliseconds))
            if count > 0 { return }
            if count < 0 && errno != EINTR { throw .closed }
        }
    }
}
