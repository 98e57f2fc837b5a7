/// Names and values in the order they came; names compare without case.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    public private(set) var fields: [(name: String, value: String)]

    public init(_ fields: [(name: String, value: String)] = []) {
        self.fields = fields
    }

    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { (name: $0.0, value: $0.1) }
    }

    /// The first value of a name.
    public subscript(name: String) -> String? {
        fields.first { Self.isSame($0.name, name) }?.value
    }

    public func count(of name: String) -> Int {
        fields.count { Self.isSame($0.name, name) }
    }

    public mutating func add(_ name: String, _ value: String) {
        fields.append((name: name, value: value))
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        one.utf8.count == other.utf8.count
            && zip(one.utf8, other.utf8).allSatisfy { lowercase($0) == lowercase($1) }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// A request as far as its headers tell.
public struct HTTPRequestHead: Sendable {
    /// Upper case, as sent.
    public var method: String
    /// Percent-decoded, without the query.
    public var path: String
    /// Percent-decoded, in the order they came; `+` is a space.
    public var query: [(name: String, value: String)]
    public var headers: HTTPHeaders
    /// What stands in the path at the route's `{name}`s.
    public var parameters: [String: String]
    /// The client's address, without its port.
    public var peer: String

    /// The first value of a query item.
    public func query(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// The media type of `Content-Type` in lower case, without parameters.
    public var contentType: String? {
        headers["Content-Type"]?.split(separator: ";", maxSplits: 1).first.map { type in
            String(type.lowercased().filter { $0 != " " && $0 != "\t" })
        }
    }
}

/// A whole request.
public struct HTTPRequest: Sendable {
    public var head: HTTPRequestHead
    /// After decompression.
    public var body: [UInt8]
    /// Bytes of the body as they came.
    public var receivedBytes: Int
}

public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public init(status: Int, contentType: String, body: [UInt8]) {
        self.init(status: status, headers: ["Content-Type": contentType], body: body)
    }

    public static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}

/// Why the server itself says no; who runs it decides how the answer reads.
public struct HTTPRefusal: Sendable {
    public enum Cause: Sendable, Hashable {
        case notFound
        case methodNotAllowed
        /// The body, or what it decompresses to, is over the route's limit.
        case tooLarge
        case unsupportedEncoding
        /// The body does not decompress.
        case badEncoding
        /// The memory for bodies is spent.
        case overloaded
        /// Shutting down.
        case stopping
        /// The program lost the request.
        case failed
    }

    public var cause: Cause
    /// Lowercase, no full stop.
    public var message: String
    public var retryAfterSeconds: Int?

    public var status: Int {
        switch cause {
        case .notFound: 404
        case .methodNotAllowed: 405
        case .tooLarge: 413
        case .unsupportedEncoding: 415
        case .badEncoding: 400
        case .overloaded: 429
        case .stopping: 503
        case .failed: 500
        }
    }
}
