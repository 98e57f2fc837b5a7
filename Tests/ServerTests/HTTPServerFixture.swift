import HTTPServer
import Synchronization
import Testing
import Threads

/// Counts what the server says.
final class CountingObserver: HTTPServerObserver {
    let memory = Atomic<Int>(0)
    let peakMemory = Atomic<Int>(0)
    let statuses = Lock<[Int: Int]>([:])

    func answered(status: Int) { statuses.withLock { $0[status, default: 0] += 1 } }

    func bodyMemory(_ changeBytes: Int) {
        let (_, now) = memory.add(changeBytes, ordering: .relaxed)
        peakMemory.max(now, ordering: .relaxed)
    }
}

/// A server whose POST /park waits for `release`, POST /echo answers at once, GET /hello says hello.
final class Fixture: Sendable {
    struct Parked: Sendable {
        var request: HTTPRequest
        var responder: Responder
    }

    let server: HTTPServer
    let observer = CountingObserver()
    let parked = Lock<[Parked]>([])
    private let counted: Counted

    init(_ change: (inout HTTPServerOptions) -> Void = { _ in }, maxBodyBytes: Int = 4 << 20) throws {
        var options = HTTPServerOptions()
        options.observer = observer
        change(&options)
        let (parked, handled) = (parked, Counted())
        counted = handled
        server = try HTTPServer(
            options,
            routes: [
                HTTPRoute("GET", "/hello") { request, responder in
                    handled.add()
                    responder.answer(.text(200, "hello \(request.head.query("name") ?? "you")"))
                },
                HTTPRoute("GET", "/large") { _, responder in
                    responder.answer(
                        HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: 64 << 20)))
                },
                HTTPRoute("GET", "/lost") { _, _ in },
                HTTPRoute("GET", "/items/{id}/parts/{part}") { request, responder in
                    let parameters = request.head.parameters
                    responder.answer(.text(200, "\(parameters["id"] ?? "-") \(parameters["part"] ?? "-")"))
                },
                HTTPRoute("POST", "/echo", maxBodyBytes: maxBodyBytes) { request, responder in
                    handled.add()
                    responder.answer(HTTPResponse(status: 200, body: request.body))
                },
                HTTPRoute(
                    "POST", "/picky", maxBodyBytes: maxBodyBytes,
                    admit: { head in
                        head.contentType == "application/json" ? nil : .text(415, "application/json is taken")
                    },
                    handle: { request, responder in
                        handled.add()
                        responder.answer(HTTPResponse(status: 200, body: request.body))
                    }),
                HTTPRoute("POST", "/park", maxBodyBytes: maxBodyBytes) { request, responder in
                    handled.add()
                    parked.withLock { $0.append(Parked(request: request, responder: responder)) }
                },
            ])
    }

    /// Requests that reached a handler.
    var handledCount: Int { counted.count }
    var parkedCount: Int { parked.withLock { $0.count } }

    /// Answers everything that is parked, from the test's thread.
    @discardableResult
    func release(_ response: HTTPResponse = .text(200, "durable")) -> Int {
        let all = parked.withLock { parked in
            defer { parked = [] }
            return parked
        }
        for entry in all { entry.responder.answer(response) }
        return all.count
    }

    func client() throws -> RawClient { try RawClient(port: server.port) }

    deinit {
        parked.withLock { $0 = [] }
        server.stop(limit: .seconds(1))
    }
}

final class Counted: Sendable {
    private let value = Atomic<Int>(0)
    func add() { value.add(1, ordering: .relaxed) }
    var count: Int { value.load(ordering: .relaxed) }
}
