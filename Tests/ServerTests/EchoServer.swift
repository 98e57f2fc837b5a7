import Compression
import HTTPServer
import Threads

/// A server whose answers show what came. In a file of its own: the client's messages have the same names.
final class EchoServer: Sendable {
    private let server: HTTPServer
    /// Never answered before the end.
    private let held: Lock<[Responder]>

    var port: UInt16 { server.port }

    init() throws {
        let held = Lock<[Responder]>([])
        let zeros = try Deflater.deflate([UInt8](repeating: 0, count: 64 << 20), .gzip, level: 9)
        let show: HTTPRoute.Handler = { request, responder in
            var headers = HTTPHeaders([(name: "X-Method", value: request.head.method)])
            for (name, value) in request.head.headers.fields { headers.add("Echo-\(name)", "<\(value)>") }
            responder.answer(HTTPResponse(status: 201, headers: headers, body: request.body))
        }
        server = try HTTPServer(
            HTTPServerOptions(),
            routes: ["POST", "PUT", "DELETE", "GET"].map {
                HTTPRoute($0, "/show", maxBodyBytes: 8 << 20, handle: show)
            } + [
                HTTPRoute("GET", "/bomb") { _, responder in
                    responder.answer(HTTPResponse(status: 200, headers: ["Content-Encoding": "gzip"], body: zeros))
                },
                HTTPRoute("GET", "/never") { _, responder in held.withLock { $0.append(responder) } },
                HTTPRoute("GET", "/gone") { _, responder in
                    responder.answer(HTTPResponse(status: 302, headers: ["Location": "/show"]))
                },
            ])
        self.held = held
    }

    func stop() {
        held.withLock { $0 = [] }
        server.stop(limit: .zero)
    }
}
