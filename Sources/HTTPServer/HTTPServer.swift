import CMicrohttpd
import Glibc
import Threads

/// What the callbacks of one daemon share.
final class ServerCore: Sendable {
    let options: HTTPServerOptions
    let router: Router
    let table: ConnectionTable
    let budget: BodyBudget
    /// Of all routes.
    let longestBodyBytes: Int

    init(_ options: HTTPServerOptions, _ routes: [HTTPRoute]) {
        self.options = options
        router = Router(routes: routes)
        table = ConnectionTable(options)
        budget = BodyBudget(limitBytes: options.bodyBudgetBytes, observer: options.observer)
        longestBodyBytes = routes.map(\.maxBodyBytes).max() ?? 0
    }

    func refuse(
        _ cause: HTTPRefusal.Cause, _ message: String, _ head: HTTPRequestHead?, retry: Bool
    ) -> HTTPResponse {
        let seconds = retry ? options.retryAfterSeconds : nil
        var response = options.refusal(HTTPRefusal(cause: cause, message: message, retryAfterSeconds: seconds), head)
        if let seconds, response.headers["Retry-After"] == nil { response.headers.add("Retry-After", "\(seconds)") }
        return response
    }
}

/// An HTTP/1.1 server: libmicrohttpd reads and parses, requests wait parked without a thread until they are answered.
public final class HTTPServer: Sendable {
    private struct Running {
        var daemon: Handle
        var deadlines: NamedThread
    }

    // Sendable: handed to whoever stops the server, once.
    private struct Handle: @unchecked Sendable { var pointer: OpaquePointer }

    /// The port that is bound.
    public let port: UInt16
    /// As it was given.
    public let address: String
    private let core: ServerCore
    private let running: Lock<Running?>

    /// After everything was cut, how long the library may need to notice.
    private static let cutLimit: Duration = .seconds(5)

    /// Binds, listens and serves.
    public init(_ options: HTTPServerOptions, routes: [HTTPRoute]) throws(HTTPServerError) {
        let listener = try ListeningSocket.open(address: options.address, port: options.port)
        address = options.address
        port = listener.port
        core = ServerCore(options, routes)
        let deadlines: NamedThread
        do {
            deadlines = try NamedThread.start(name: "http-deadlines") { [table = core.table] in table.run() }
        } catch {
            close(listener.descriptor)
            throw HTTPServerError(.system, error.message)
        }
        // The core lives until `stop` has ended the daemon, for `self` holds it.
        let owner = Unmanaged.passUnretained(core).toOpaque()
        guard let daemon = Microhttpd.start(options, listener: listener.descriptor, owner: owner) else {
            let text = String(cString: strerror(errno))
            close(listener.descriptor)
            core.table.stop()
            deadlines.join()
            throw HTTPServerError(.system, "the HTTP server on port \(listener.port) did not start: \(text)")
        }
        running = Lock(Running(daemon: Handle(pointer: daemon), deadlines: deadlines))
    }

    /// Memory that bodies hold now.
    public var bodyMemoryBytes: Int { core.budget.usedBytes }
    /// Open now.
    public var connectionCount: Int { core.table.count }

    /// Takes no more connections, answers what is under way with `Connection: close`, and ends.
    ///
    /// - Parameter limit: After it, parked requests are answered 503 and the other connections cut.
    public func stop(limit: Duration = .seconds(10)) {
        let taken = running.withLock { running -> Running? in
            defer { running = nil }
            return running
        }
        guard let taken else { return }
        let daemon = taken.daemon.pointer
        let deadline = MonotonicInstant.now + limit
        core.table.refuseRequests()
        let listener = MHD_quiesce_daemon(daemon)
        if listener >= 0 { close(listener) }
        core.table.endIdle()
        if !core.table.waitUntilEmpty(until: deadline) {
            for exchange in core.table.endAll() {
                exchange.answer(core.refuse(.stopping, "the program is shutting down", nil, retry: true))
            }
            _ = core.table.waitUntilEmpty(until: .now + Self.cutLimit)
        }
        // Nothing is suspended any more, which the library would answer with abort().
        MHD_stop_daemon(daemon)
        core.table.stop()
        taken.deadlines.join()
    }

    deinit { stop(limit: .zero) }
}
