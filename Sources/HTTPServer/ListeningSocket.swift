import Glibc

/// Why a server did not start.
public struct HTTPServerError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Somebody else listens there.
        case portTaken(port: UInt16, holder: PortHolder?)
        /// The address is unknown or not ours.
        case address
        case permission
        case system
    }

    public var code: Code
    /// Lowercase; `port 4318 is taken (pid 812 otelcol)`.
    public var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

struct ListeningSocket {
    var descriptor: Int32
    var port: UInt16

    /// Connections that wait to be taken.
    private static let backlog: Int32 = 1024

    static func open(address: String, port: UInt16) throws(HTTPServerError) -> ListeningSocket {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(address, String(port), &hints, &found)
        guard result == 0, let first = found else {
            throw HTTPServerError(.address, "address \(address): \(String(cString: gai_strerror(result)))")
        }
        defer { freeaddrinfo(found) }
        return try open(first.pointee, address, port)
    }

    private static func open(
        _ info: addrinfo, _ address: String, _ port: UInt16
    ) throws(HTTPServerError) -> ListeningSocket {
        // Children must not keep the port: a crash reporter did.
        let kind = info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(info.ai_family, kind, info.ai_protocol)
        guard descriptor >= 0 else { throw failure(errno, address, port) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, backlog) == 0 else {
            let code = errno
            close(descriptor)
            throw failure(code, address, port)
        }
        return ListeningSocket(descriptor: descriptor, port: boundPort(descriptor))
    }

    private static func failure(_ code: Int32, _ address: String, _ port: UInt16) -> HTTPServerError {
        let text = String(cString: strerror(code))
        switch code {
        case EADDRINUSE:
            let holder = PortHolder.find(port: port)
            let who = holder.map { " (pid \($0.processID) \($0.name))" } ?? ""
            return HTTPServerError(.portTaken(port: port, holder: holder), "port \(port) is taken\(who)")
        case EADDRNOTAVAIL:
            return HTTPServerError(.address, "address \(address) is not one of this machine")
        case EACCES:
            return HTTPServerError(.permission, "port \(port) may not be opened: \(text)")
        default:
            return HTTPServerError(.system, "port \(port) on \(address): \(text)")
        }
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes -> UInt16 in
            let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            guard getsockname(descriptor, address, &length) == 0 else { return 0 }
            // sockaddr_in and sockaddr_in6 both hold the port, big endian, behind the family.
            return UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }
}
