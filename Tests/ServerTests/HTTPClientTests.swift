import Compression
import Glibc
import HTTPClient
import HTTPServer
import Testing
import Threads

@Suite struct HTTPClientTests {
    /// A server whose answers show what came.
    static func server() throws -> HTTPServer {
        let zeros = try Deflater.deflate([UInt8](repeating: 0, count: 64 << 20), .gzip, level: 9)
        let show: HTTPRoute.Handler = { request, responder in
            var headers = HTTPHeaders([(name: "X-Method", value: request.head.method)])
            for (name, value) in request.head.headers.fields { headers.add("Echo-\(name)", "<\(value)>") }
            responder.answer(HTTPResponse(status: 201, headers: headers, body: request.body))
        }
        return try HTTPServer(
            HTTPServerOptions(),
            routes: ["POST", "PUT", "DELETE", "GET"].map { HTTPRoute($0, "/show", maxBodyBytes: 8 << 20, handle: show) }
                + [
                    HTTPRoute("GET", "/bomb") { _, responder in
                        responder.answer(HTTPResponse(status: 200, headers: ["Content-Encoding": "gzip"], body: zeros))
                    },
                    HTTPRoute("GET", "/never") { _, responder in held.withLock { $0.append(responder) } },
                    HTTPRoute("GET", "/gone") { _, responder in
                        responder.answer(HTTPResponse(status: 302, headers: ["Location": "/show"]))
                    },
                ])
    }

    /// Never answered while the process lives.
    private static let held = Lock<[Responder]>([])

    private func withClient<Value>(_ body: (HTTPClient, String) throws -> Value) throws -> Value {
        let server = try Self.server()
        let client = try HTTPClient()
        defer {
            client.stop()
            server.stop(limit: .zero)
        }
        return try body(client, "http://127.0.0.1:\(server.port)")
    }

    @Test func `sends method, headers and body, and gives status, headers and body`() throws {
        try withClient { client, url in
            for method in ["POST", "PUT", "DELETE"] {
                let body = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0) }
                let request = ClientRequest(
                    method, url + "/show", headers: [("Content-Type", "application/x"), ("X-Empty", "")], body: body)
                let response = try client.send(request)
                #expect(response.status == 201)
                #expect(response.header("x-method") == method)
                #expect(response.header("Echo-Content-Type") == "<application/x>")
                #expect(response.header("echo-x-empty") == "<>")
                #expect(response.header("echo-expect") == nil)
                #expect(response.body == body)
            }
            let get = try client.send(ClientRequest("GET", url + "/show"))
            #expect(get.header("x-method") == "GET")
            #expect(get.body == [])
            let head = try client.send(ClientRequest("HEAD", url + "/show"))
            #expect(head.status == 201)
            let empty = try client.send(ClientRequest("POST", url + "/show", body: []))
            #expect(empty.header("echo-content-length") == "<0>")
        }
    }

    @Test func `a status that is no success is an answer, and redirects are not followed`() throws {
        try withClient { client, url in
            #expect(try client.send(ClientRequest("GET", url + "/nothing")).status == 404)
            let moved = try client.send(ClientRequest("GET", url + "/gone"))
            #expect(moved.status == 302)
            #expect(moved.header("location") == "/show")
        }
    }

    @Test func `an answer beyond the limit ends early, a bomb too`() throws {
        try withClient { client, url in
            let error = #expect(throws: HTTPError.self) { try client.send(ClientRequest("GET", url + "/bomb")) }
            #expect(error?.code == .tooLarge)
            #expect(error?.isRetryable == false)
        }
    }

    @Test func `ends at its deadline and names the request`() throws {
        try withClient { client, url in
            var request = ClientRequest("GET", url + "/never")
            request.deadline = .milliseconds(200)
            let start = MonotonicInstant.now
            let error = #expect(throws: HTTPError.self) { try client.send(request) }
            #expect(error?.code == .timeout)
            #expect(error?.mayHaveArrived == true)
            #expect(error?.message.hasPrefix("GET \(url)/never: ") == true)
            #expect(MonotonicInstant.now - start < .seconds(4))
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:1/", HTTPError.Code.connect), ("http://no-such-host.invalid/", .resolve),
        ("ftp://127.0.0.1/", .invalidRequest), ("http://", .invalidRequest),
    ])
    func `says why there is no answer`(url: String, code: HTTPError.Code) throws {
        try withClient { client, _ in
            let error = #expect(throws: HTTPError.self) { try client.send(ClientRequest("GET", url)) }
            #expect(error?.code == code, "\(String(describing: error))")
            #expect(error?.mayHaveArrived == false)
        }
    }

    @Test func `refuses a header with a line break`() throws {
        try withClient { client, url in
            let request = ClientRequest("GET", url + "/show", headers: [("X", "a\r\nY: b")])
            #expect(throws: HTTPError.self) { try client.send(request) }
        }
    }

    @Test func `TLS towards a port that speaks none is an error, not a wait`() throws {
        try withClient { client, url in
            let error = #expect(throws: HTTPError.self) {
                try client.send(ClientRequest("GET", url.replacing("http:", with: "https:") + "/show"))
            }
            #expect(error?.code == .tls)
        }
    }

    @Test func `a cancelled request ends at once`() throws {
        try withClient { client, url in
            let slot = ReplySlot<Result<ClientResponse, HTTPError>>()
            let transfer = client.start(ClientRequest("GET", url + "/never")) { slot.fill($0) }
            transfer.cancel()
            transfer.cancel()
            let result = try #require(slot.take(until: .now + .seconds(10)))
            #expect(throws: HTTPError.self) { try result.get() }
        }
    }

    @Test func `a stop ends what is under way, and later calls fail`() throws {
        let server = try Self.server()
        let client = try HTTPClient()
        let slot = ReplySlot<Result<ClientResponse, HTTPError>>()
        client.start(ClientRequest("GET", "http://127.0.0.1:\(server.port)/never")) { slot.fill($0) }
        client.stop()
        #expect(throws: HTTPError.self) { try slot.take()?.get() }
        let error = #expect(throws: HTTPError.self) { try client.send(ClientRequest("GET", "http://127.0.0.1/")) }
        #expect(error?.code == .cancelled)
        server.stop(limit: .zero)
    }

    @Test func `many threads share one client`() throws {
        try withClient { client, url in
            let answers = Counted()
            try inParallel(8) { index in
                for step in 0..<25 {
                    let body = [UInt8](repeating: UInt8(index), count: step * 997)
                    let response = try? client.send(ClientRequest("POST", url + "/show", body: body))
                    if response?.body == body { answers.add() }
                }
            }
            #expect(answers.count == 200)
        }
    }

    @Test func `a server that closes without an answer is a broken connection`() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            #expect(bind(listener, pointer, length) == 0 && listen(listener, 4) == 0)
            getsockname(listener, pointer, &length)
        }
        let closer = try NamedThread.start(name: "closer") {
            let connection = accept(listener, nil, nil)
            var bytes = [UInt8](repeating: 0, count: 4096)
            _ = read(connection, &bytes, bytes.count)
            close(connection)
            close(listener)
        }
        let client = try HTTPClient()
        let url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/"
        let error = #expect(throws: HTTPError.self) { try client.send(ClientRequest("POST", url, body: [1])) }
        #expect(error?.code == .broken)
        #expect(error?.mayHaveArrived == true)
        closer.join()
        client.stop()
    }
}
