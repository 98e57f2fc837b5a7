import CCurl
import Synchronization
import Threads

/// How a client connects; for all its requests.
public struct HTTPClientOptions: Sendable {
    /// A file of trusted certificates (PEM) in place of the system's.
    public var certificateAuthorityPath: String?
    /// A client certificate and its key (PEM).
    public var certificatePath: String?
    public var keyPath: String?
    public var userAgent = "tail-sampling-selector"
    public var maxConnectionsPerHost = 8
    public var maxConnections = 64

    public init() {}
}

/// Sends HTTP requests: one thread owns libcurl's multi handle, its connections and every transfer.
///
/// Proxies of the environment are used, except towards this machine. Redirects are not followed.
public final class HTTPClient: Sendable {
    private let loop: TransferLoop
    private let thread: NamedThread

    /// How long beyond its own deadline a blocked caller waits for the loop to say so.
    private static let grace: Duration = .seconds(5)

    /// Starts the thread `http-client`.
    public init(_ options: HTTPClientOptions = HTTPClientOptions()) throws(HTTPError) {
        let loop = try TransferLoop(options)
        do {
            thread = try NamedThread.start(name: "http-client") { loop.run() }
        } catch {
            throw HTTPError(code: .system, message: error.message)
        }
        self.loop = loop
    }

    /// Sends a request and waits for its answer, at most until its deadline.
    public func send(_ request: ClientRequest) throws(HTTPError) -> ClientResponse {
        let slot = ReplySlot<Result<ClientResponse, HTTPError>>()
        let transfer = start(request) { slot.fill($0) }
        guard let result = slot.take(until: .now + request.deadline + Self.grace) else {
            transfer.cancel()
            throw HTTPError(code: .timeout, message: "\(request.method) \(request.url): no answer in time")
        }
        return try result.get()
    }

    /// Sends a request; `completion` is called once, on the client's thread, and must not block.
    @discardableResult
    public func start(
        _ request: ClientRequest, completion: @escaping @Sendable (Result<ClientResponse, HTTPError>) -> Void
    ) -> HTTPTransfer {
        let transfer = HTTPTransfer(loop)
        loop.submit(.add(PendingTransfer(request: request, transfer: transfer, completion: completion)))
        return transfer
    }

    /// Ends the thread; what is under way is cancelled. Not from a completion.
    public func stop() {
        loop.submit(.stop)
        thread.join()
    }

    deinit { loop.submit(.stop) }
}

/// A request under way.
public final class HTTPTransfer: Sendable {
    private let loop: TransferLoop
    private let isCancelledFlag = Atomic<Bool>(false)

    init(_ loop: TransferLoop) {
        self.loop = loop
    }

    /// Ends the request with the error `cancelled`, unless it has ended. Any thread, any time.
    public func cancel() {
        isCancelledFlag.store(true, ordering: .releasing)
        loop.submit(.cancel)
    }

    /// A flag, not a set of ids in the loop: a cancel may come before the request or after its end.
    var isCancelled: Bool { isCancelledFlag.load(ordering: .acquiring) }
}

struct PendingTransfer: Sendable {
    var request: ClientRequest
    var transfer: HTTPTransfer
    var completion: @Sendable (Result<ClientResponse, HTTPError>) -> Void
}
