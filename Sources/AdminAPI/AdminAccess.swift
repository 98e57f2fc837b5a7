internal import HTTPServer

/// Who may ask what: against web pages that reach for loopback, and for whoever holds the token.
public struct AdminAccess: Sendable {
    /// The address that the port is bound to.
    public var address: String
    /// Host names that count beside the loopback's, for a port bound to loopback behind a proxy.
    public var allowedHosts: [String]
    /// Nil: nobody is asked for one.
    public var token: String?

    public init(address: String, allowedHosts: [String] = [], token: String? = nil) {
        self.address = address
        self.allowedHosts = allowedHosts
        self.token = token
    }

    /// `none` or `token`, for health.
    public var authentication: String { token == nil ? "none" : "token" }

    /// Whether only this host can reach the port.
    public var isLoopbackOnly: Bool { Self.isLoopback(address) }

    /// The refusal of a request that names a foreign host; nil when it may pass.
    ///
    /// A web page can make a browser ask `http://evil.example:8080` and point that name at 127.0.0.1 afterwards;
    /// the browser then believes that we are evil.example, but the `Host` header still says so.
    func refuseHost(_ head: HTTPRequestHead) -> HTTPResponse? {
        guard Self.isLoopback(address) else { return nil }
        let host = Self.hostName(head.headers["Host"] ?? "")
        guard !Self.isLoopback(host), !allowedHosts.contains(where: { $0.lowercased() == host }) else { return nil }
        return Envelope.failure(403, "the host \"\(host)\" is not allowed on a port that is bound to loopback")
    }

    /// The refusal of a request without the right token; nil when it may pass.
    func refuseToken(_ head: HTTPRequestHead) -> HTTPResponse? {
        guard let token else { return nil }
        let given = head.headers["Authorization"] ?? ""
        guard given.hasPrefix("Bearer "), Self.isSame(String(given.dropFirst(7)), token) else {
            var response = Envelope.failure(401, "a bearer token is required")
            response.headers.add("WWW-Authenticate", "Bearer")
            return response
        }
        return nil
    }

    /// The refusal of a body that no web page needs permission to send; nil when it is JSON.
    func refuseType(_ head: HTTPRequestHead) -> HTTPResponse? {
        head.contentType == "application/json"
            ? nil : Envelope.failure(415, "the body must be application/json")
    }

    /// The same for a call that needs no body: nil also when there is none.
    func refuseTypeOfAnyBody(_ head: HTTPRequestHead) -> HTTPResponse? {
        let isEmpty = head.headers["Transfer-Encoding"] == nil && (head.headers["Content-Length"] ?? "0") == "0"
        return isEmpty && head.contentType == nil ? nil : refuseType(head)
    }

    /// Takes the same time wherever the texts differ.
    static func isSame(_ one: String, _ other: String) -> Bool {
        let first = Array(one.utf8)
        let second = Array(other.utf8)
        var difference = first.count ^ second.count
        for index in second.indices {
            difference |= Int((index < first.count ? first[index] : 0) ^ second[index])
        }
        return difference == 0
    }

    static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        return name == "localhost" || name == "::1"
            || name.hasPrefix("127.") && name.allSatisfy { $0.isNumber || $0 == "." }
    }

    /// The name of a `Host` header: without port and brackets, lower case.
    static func hostName(_ header: String) -> String {
        if header.hasPrefix("["), let end = header.firstIndex(of: "]") {
            return header[header.index(after: header.startIndex)..<end].lowercased()
        }
        return header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            .first.map { $0.lowercased() } ?? ""
    }
}
