/// One request of a client.
public struct ClientRequest: Sendable {
    public var method: String
    /// `http` or `https`.
    public var url: String
    public var headers: [(name: String, value: String)]
    /// Nil sends none; an empty one has a length of 0.
    public var body: [UInt8]?
    /// From the call to the last byte of the answer.
    public var deadline: Duration = .seconds(30)
    public var connectDeadline: Duration = .seconds(5)
    /// After decompression.
    public var maxResponseBytes = 16 << 20
    /// HTTP/2 over TLS costs libcurl about five times the CPU of HTTP/1.1 for a large body.
    public var isHTTP1Only = false

    public init(
        _ method: String, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8]? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// What a server answered, whatever its status.
public struct ClientResponse: Sendable {
    public var status: Int
    /// In the order they came.
    public var headers: [(name: String, value: String)]
    /// Decompressed.
    public var body: [UInt8]

    /// The first value of a name, compared without case.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}

/// Why there is no answer.
public struct HTTPError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        case invalidRequest
        case resolve
        case connect
        case tls
        case timeout
        /// The connection broke after it was there.
        case broken
        /// The answer was longer than the limit.
        case tooLarge
        /// The answer was no HTTP, or did not decompress.
        case badResponse
        case cancelled
        case system
    }

    public var code: Code
    /// The request and libcurl's own words.
    public var message: String

    public var description: String { message }

    /// Whether the same request may succeed later.
    public var isRetryable: Bool {
        switch code {
        case .resolve, .connect, .timeout, .broken: true
        case .invalidRequest, .tls, .tooLarge, .badResponse, .cancelled, .system: false
        }
    }

    /// Whether the server may have received and acted on the request.
    public var mayHaveArrived: Bool {
        switch code {
        case .invalidRequest, .resolve, .connect, .system: false
        case .tls, .timeout, .broken, .tooLarge, .badResponse, .cancelled: true
        }
    }
}
