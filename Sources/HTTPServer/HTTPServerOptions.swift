/// How a server listens, and its limits.
public struct HTTPServerOptions: Sendable {
    /// An address or a host name.
    public var address = "127.0.0.1"
    /// 0 takes any free one.
    public var port: UInt16 = 0
    /// Threads that read and parse; the connections are spread over them.
    public var threads = 1
    /// Further connections wait in the kernel's backlog.
    public var maxConnections = 1000
    /// From one address; 0 is no limit, for behind a proxy all clients have one address.
    public var maxConnectionsPerAddress = 0
    /// Request line, headers and the step in which bodies are read. Longer headers are answered 431.
    public var connectionMemoryBytes = 64 << 10
    /// A connection on which nothing moves.
    public var inactivityTimeout: Duration = .seconds(60)
    /// A kept connection may wait so long for its next request, its request line included.
    public var idleDeadline: Duration = .seconds(120)
    /// From the request line to the end of the body, however busily it drips. Also what finds a client whose
    /// end came together with its last bytes: libmicrohttpd 0.9.75 misses that on an edge-triggered epoll.
    public var requestDeadline: Duration = .seconds(60)
    /// From the answer to its last byte taken by the client.
    public var answerDeadline: Duration = .seconds(60)
    /// All bodies in memory together.
    public var bodyBudgetBytes = 256 << 20
    /// What a request is charged before its body comes: an announced length is no reason to believe it.
    public var firstReservationBytes = 256 << 10
    /// A refused body is read and dropped up to this multiple of the route's limit, so that the client reads
    /// the answer instead of a reset.
    public var drainFactor = 4
    /// Told to a client that is refused for lack of memory.
    public var retryAfterSeconds = 1
    /// Makes the answer of the server's own refusals.
    public var refusal: @Sendable (HTTPRefusal, HTTPRequestHead?) -> HTTPResponse = { refusal, _ in
        .text(refusal.status, refusal.message + "\n")
    }
    public var observer: any HTTPServerObserver = NoObserver()

    public init() {}
}

/// Hears what a server does; any thread, must not block.
public protocol HTTPServerObserver: Sendable {
    /// An answer was chosen; it may not reach the client.
    func answered(status: Int)
    /// Open connections, +1 or -1.
    func connections(_ change: Int)
    /// Memory charged for bodies.
    func bodyMemory(_ changeBytes: Int)
}

extension HTTPServerObserver {
    public func answered(status: Int) {}
    public func connections(_ change: Int) {}
    public func bodyMemory(_ changeBytes: Int) {}
}

struct NoObserver: HTTPServerObserver {}
