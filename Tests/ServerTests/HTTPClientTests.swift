import Glibc
import HTTPClient
import Testing
import Threads

@Suite struct HTTPClientTests {
    private func withClient<Value>(_ body: (HTTPClient, String) throws -> Value) throws -> Value {
        let server = try EchoServer()
        let client = try HTTPClient()
        defer {
            client.stop()
            server.stop()
        }
        return try body(client, "http://127.0.0.1:\(server.port)")
    }

    @Test func `sends method, headers and body, and gives status, headers and body`() throws {
        try withClient { client, url in
            for method in ["POST", "PUT", "DELETE"] {
                let body = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0) }
                let request = HTTPRequest(
                    method, url + "/show", headers: [("Content-Type", "application/x"), ("X-Empty", "")], body: body)
                let response = try client.send(request)
                #expect(response.status == 201)
                #expect(response.header("x-method") == method)
                #expect(response.header("Echo-Content-Type") == "<application/x>")
                #expect(response.header("echo-x-empty") == "<>")
                #expect(response.header("echo-expect") == nil)
                #expect(response.body == body)
            }
            let get = try client.send(HTTPRequest("GET", url + "/show"))
            #expect(get.header("x-method") == "GET")
            #expect(get.body == [])
            let head = try client.send(HTTPRequest("HEAD", url + "/show"))
            #expect(head.status == 201)
            let empty = try client.send(HTTPRequest("POST", url + "/show", body: []))
            #expect(empty.header("echo-content-length") == "<0>")
        }
    }

    @Test func `a status that is no success is an answer, and redirects are not followed`() throws {
        try withClient { client, url in
            #expect(try client.send(HTTPRequest("GET", url + "/nothing")).status == 404)
            let moved = try client.send(HTTPRequest("GET", url + "/gone"))
            #expect(moved.status == 302)
            #expect(moved.header("location") == "/show")
        }
    }

    @Test func `an answer beyond the limit ends early, a bomb too`() throws {
        try withClient { client, url in
            let error = #expect(throws: HTTPClientError.self) { try client.send(HTTPRequest("GET", url + "/bomb")) }
            #expect(error?.code == .tooLarge)
                    }
    }

    @Test func `ends at its deadline and names the request`() throws {
        try withClient { client, url in
            var request = HTTPRequest("GET", url + "/never")
            request.timeout = .milliseconds(200)
            let start = MonotonicInstant.now
            let error = #expect(throws: HTTPClientError.self) { try client.send(request) }
            #expect(error?.code == .timeout)
            #expect(error?.message.hasPrefix("GET \(url)/never: ") == true)
            #expect(MonotonicInstant.now - start < .seconds(4))
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:1/", HTTPClientError.Code.notConnected), ("http://no-such-host.invalid/", .notConnected),
        ("ftp://127.0.0.1/", .invalid), ("http://", .invalid),
    ])
    func `says why there is no answer`(url: String, code: HTTPClientError.Code) throws {
        try withClient { client, _ in
            let error = #expect(throws: HTTPClientError.self) { try client.send(HTTPRequest("GET", url)) }
            #expect(error?.code == code, "\(String(describing: error))")
        }
    }

    @Test func `refuses a header with a line break`() throws {
        try withClient { client, url in
            let request = HTTPRequest("GET", url + "/show", headers: [("X", "a\r\nY: b")])
            #expect(throws: HTTPClientError.self) { try client.send(request) }
        }
    }

    @Test func `TLS towards a port that speaks none is an error, not a wait`() throws {
        try withClient { client, url in
            let error = #expect(throws: HTTPClientError.self) {
                try client.send(HTTPRequest("GET", url.replacing("http:", with: "https:") + "/show"))
            }
            #expect(error?.code == .notTrusted)
        }
    }

    @Test func `a stop ends what is under way, and later calls fail`() throws {
        let server = try EchoServer()
        let client = try HTTPClient()
        let slot = ReplySlot<Result<HTTPResponse, HTTPClientError>>()
        client.send(HTTPRequest("GET", "http://127.0.0.1:\(server.port)/never")) { slot.fill($0) }
        client.stop()
        #expect(throws: HTTPClientError.self) { try slot.take()?.get() }
        let error = #expect(throws: HTTPClientError.self) { try client.send(HTTPRequest("GET", "http://127.0.0.1/")) }
        #expect(error?.code == .stopped)
        server.stop()
    }

    @Test func `many threads share one client`() throws {
        try withClient { client, url in
            let answers = Counted()
            try inParallel(8) { index in
                for step in 0..<25 {
                    let body = [UInt8](repeating: UInt8(index), count: step * 997)
                    let response = try? client.send(HTTPRequest("POST", url + "/show", body: body))
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
        let error = #expect(throws: HTTPClientError.self) { try client.send(HTTPRequest("POST", url, body: [1])) }
        #expect(error?.code == .interrupted)
        closer.join()
        client.stop()
    }
}
