/// One request of an HTTP client.
public struct HTTPRequest: Sendable {
    /// In capitals.
    public var method: String
    /// Absolute, http or https.
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]?
    /// From the call to the last byte of the answer, waiting for a connection included.
    public var timeout: Duration
    /// For the connection alone, TLS included.
    public var connectTimeout: Duration
    /// A larger answer is an error; counted after decompression.
    public var responseLimitBytes: Int

    public init(
        _ method: String = "GET", _ url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil, timeout: Duration = .seconds(10), connectTimeout: Duration = .seconds(3),
        responseLimitBytes: Int = 16 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.responseLimitBytes = responseLimitBytes
    }
}

/// What came back; any status, also one of an error.
public struct HTTPResponse: Sendable {
    public var status: Int
    /// Of the last answer when there were several (a proxy's, a 100).
    public var headers: [(name: String, value: String)]
    /// Decompressed.
    public var body: [UInt8]

    /// The first header of that name; case does not matter.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why there is no answer.
public struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// No connection was made: nothing has reached the server.
        public static let notConnected = Code(description: "not connected")
        /// The server, or its certificate, is not trusted, or it does not trust us.
        public static let notTrusted = Code(description: "not trusted")
        /// The time was over: the server may have acted.
        public static let timeout = Code(description: "timeout")
        /// The connection broke in the middle: the server may have acted.
        public static let interrupted = Code(description: "interrupted")
        /// The answer is larger than allowed.
        public static let tooLarge = Code(description: "too large")
        /// The request cannot be made: a bad URL, an unreadable file.
        public static let invalid = Code(description: "invalid")
        /// The client has stopped.
        public static let stopped = Code(description: "stopped")
    }

    public var code: Code
    /// Method, URL and the cause in libcurl's words.
    public var message: String

    public var description: String { message }
}
