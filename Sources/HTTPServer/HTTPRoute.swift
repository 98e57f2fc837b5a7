/// What a server does for one method and path.
public struct HTTPRoute: Sendable {
    /// Called on the server's own thread with the whole request: must not block. The answer may come from any
    /// thread, then or later.
    public typealias Handler = @Sendable (HTTPRequest, Responder) -> Void
    /// Called before the body is read; an answer refuses the request, and its body is not kept.
    public typealias Admission = @Sendable (HTTPRequestHead) -> HTTPResponse?

    public var method: String
    /// Segments; `{name}` takes any one segment.
    let segments: [Segment]
    /// Largest body, after decompression.
    public var maxBodyBytes: Int
    public var admit: Admission?
    public var handle: Handler

    enum Segment: Sendable, Hashable {
        case literal(String)
        case parameter(String)
    }

    /// - Parameters:
    ///   - method: `GET` answers `HEAD` too.
    ///   - path: As `/admin/decisions/{trace_id}`.
    public init(
        _ method: String, _ path: String, maxBodyBytes: Int = 0, admit: Admission? = nil,
        handle: @escaping Handler
    ) {
        self.method = method
        segments = URI.segments(path).map { segment in
            segment.hasPrefix("{") && segment.hasSuffix("}")
                ? .parameter(String(segment.dropFirst().dropLast())) : .literal(segment)
        }
        self.maxBodyBytes = maxBodyBytes
        self.admit = admit
        self.handle = handle
    }

    /// The path's parameters if it is this route's.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, text) in zip(segments, path) {
            switch segment {
            case .literal(let literal): guard literal == text else { return nil }
            case .parameter(let name): parameters[name] = text
            }
        }
        return parameters
    }
}

struct Router: Sendable {
    enum Outcome {
        case found(HTTPRoute, parameters: [String: String])
        case otherMethods([String])
        case none
    }

    let routes: [HTTPRoute]

    func route(_ method: String, _ path: [String]) -> Outcome {
        let wanted = method == "HEAD" ? "GET" : method
        var methods: [String] = []
        for route in routes {
            guard let parameters = route.match(path) else { continue }
            if route.method == wanted { return .found(route, parameters: parameters) }
            methods.append(route.method)
        }
        return methods.isEmpty ? .none : .otherMethods(methods)
    }
}

/// The target of a request, RFC 3986.
enum URI {
    /// Path as sent, and query as sent.
    static func split(_ target: String) -> (path: Substring, query: Substring) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (target[...], "") }
        return (target[..<mark], target[target.utf8.index(after: mark)...])
    }

    /// Decoded segments; a `%2F` does not make two of one.
    static func segments(_ path: some StringProtocol) -> [String] {
        path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { decode($0) }
    }

    static func query(_ query: Substring) -> [(name: String, value: String)] {
        query.split(separator: "&").map { item in
            let fields = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                name: decode(fields[0], isForm: true), value: fields.count > 1 ? decode(fields[1], isForm: true) : ""
            )
        }
    }

    /// A `%` without two hexadecimal digits stays as it is.
    static func decode(_ text: some StringProtocol, isForm: Bool = false) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(text) }
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
                continue
            }
            decoded.append(isForm && bytes[index] == UInt8(ascii: "+") ? UInt8(ascii: " ") : bytes[index])
            index += 1
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
