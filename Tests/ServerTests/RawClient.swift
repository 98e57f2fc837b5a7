import Glibc

/// A client that writes and reads bytes, so that a test can misbehave in every way.
final class RawClient {
    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    struct Failure: Error { var message: String }

    private(set) var descriptor: Int32
    private var unread: [UInt8] = []

    /// - Parameter timeoutSeconds: Of each read; a test that waits longer has found something.
    init(port: UInt16, timeoutSeconds: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard result == 0 else { throw Failure(message: "connect: \(String(cString: strerror(errno)))") }
    }

    deinit { vanish() }

    func vanish() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// - Returns: False when the server had closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// A request with its body and length.
    @discardableResult
    func request(_ method: String, _ path: String, headers: [String] = [], body: [UInt8]? = nil) -> Bool {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + headers
        if let body { lines.append("Content-Length: \(body.count)") }
        return send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// The next answer; nil when the connection ends before it is whole.
    func answer(isHead: Bool = false) -> Answer? {
        var end: Int?
        while true {
            end = endOfHeaders()
            if end != nil { break }
            guard fill() else { return nil }
        }
        guard let end else { return nil }
        let lines = String(decoding: unread[..<end], as: UTF8.self).split(separator: "\r\n")
        unread.removeFirst(end)
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let fields = line.split(separator: ":", maxSplits: 1)
            guard fields.count == 2 else { return nil }
            headers[fields[0].lowercased()] = String(fields[1].drop { $0 == " " })
        }
        let length = isHead || status == 100 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        while unread.count < length {
            guard fill() else { return nil }
        }
        let body = Array(unread[..<length])
        unread.removeFirst(length)
        return Answer(status: status, headers: headers, body: body)
    }

    /// Whether the server has ended the connection, with nothing more to read.
    func isClosed() -> Bool { unread.isEmpty && !fill() && errno != EAGAIN }

    private func endOfHeaders() -> Int? {
        guard unread.count >= 4 else { return nil }
        let end = Array("\r\n\r\n".utf8)
        for index in 0...(unread.count - 4) where Array(unread[index..<(index + 4)]) == end { return index + 4 }
        return nil
    }

    private func fill() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        errno = 0
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        unread += chunk[..<count]
        return true
    }
}
