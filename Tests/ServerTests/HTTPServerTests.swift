import Compression
import Glibc
import HTTPServer
import Synchronization
import Testing
import Threads

@Suite struct HTTPServerTests {
    // MARK: Requests and answers

    @Test func `answers on a kept connection`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        for name in ["one", "t%20w+o", "%"] {
            client.request("GET", "/hello?x&name=\(name)")
            let answer = try #require(client.answer())
            #expect(answer.status == 200)
            #expect(answer.headers["connection"] != "close")
            #expect(answer.text == "hello " + (name == "t%20w+o" ? "t w o" : name))
        }
        #expect(fixture.server.connectionCount == 1)
    }

    @Test func `answers pipelined requests in order, a parked one among them`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let get = "GET /hello?name=%@ HTTP/1.1\r\nHost: x\r\n\r\n"
        let post = "POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        client.send(
            [get.replacing("%@", with: "1"), get.replacing("%@", with: "2"), post, get.replacing("%@", with: "3")]
                .joined())
        #expect(client.answer()?.text == "hello 1")
        #expect(client.answer()?.text == "hello 2")
        #expect(waitUntil { fixture.parkedCount == 1 })
        #expect(fixture.parked.withLock { $0.first.map { String(decoding: $0.request.body, as: UTF8.self) } } == "body")
        fixture.release()
        #expect(client.answer()?.text == "durable")
        #expect(client.answer()?.text == "hello 3")
    }

    @Test func `gives a path's parameters decoded, and keeps an encoded slash inside one`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.request("GET", "/items/a%2Fb/parts/%C3%A9")
        #expect(client.answer()?.text == "a/b é")
        client.request("GET", "/items/a/b/parts/c")
        #expect(client.answer()?.status == 404)
    }

    @Test func `answers HEAD as GET without the body`() throws {
        let client = try Fixture().keeping { try $0.client() }
        client.value.request("HEAD", "/hello")
        let answer = try #require(client.value.answer(isHead: true))
        #expect(answer.status == 200)
        #expect(answer.headers["content-length"] == "9")
        client.value.request("GET", "/hello")
        #expect(client.value.answer()?.text == "hello you")
    }

    @Test func `says which methods a path has, and keeps the connection`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.request("GET", "/echo")
        let answer = try #require(client.answer())
        #expect(answer.status == 405)
        #expect(answer.headers["allow"] == "POST")
        client.request("POST", "/nowhere", body: [1, 2, 3])
        #expect(client.answer()?.status == 404)
        client.request("POST", "/echo", body: [4])
        #expect(client.answer()?.body == [4])
    }

    @Test func `answers 500 for a request that was lost, and takes one answer only`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.request("GET", "/lost")
        #expect(client.answer()?.status == 500)
        client.request("POST", "/park", body: [])
        #expect(waitUntil { fixture.parkedCount == 1 })
        let responder = try #require(fixture.parked.withLock { $0.first?.responder })
        #expect(responder.answer(.text(201, "first")))
        #expect(!responder.answer(.text(202, "second")))
        #expect(client.answer()?.status == 201)
    }

    @Test func `a half-closed client gets its answer`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.request("POST", "/park", body: [1, 2, 3])
        client.endSending()
        #expect(waitUntil { fixture.parkedCount == 1 })
        fixture.release()
        #expect(client.answer()?.status == 200)
    }

    // MARK: Lengths and refusals

    @Test(arguments: [
        "Content-Length: 5\r\nContent-Length: 30", "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ])
    func `refuses an ambiguous length and reads nothing after it`(lengths: String) throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.send(
            "POST /echo HTTP/1.1\r\nHost: x\r\n\(lengths)\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        let answer = try #require(client.answer())
        #expect(answer.status == 400)
        #expect(answer.headers["connection"] == "close")
        #expect(client.isClosed())
        #expect(fixture.handledCount == 0)
    }

    @Test func `a client that waits for 100 Continue is refused before it sends`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.answer()?.status == 413)
        let small = try fixture.client()
        small.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(small.answer()?.status == 100)
        small.send("ok")
        #expect(small.answer()?.text == "ok")
    }

    @Test func `a client that sends a large body at once sees why it is refused, and keeps its connection`() throws {
        let fixture = try Fixture(maxBodyBytes: 1 << 20)
        for _ in 0..<5 {
            let client = try fixture.client()
            #expect(client.request("POST", "/echo", body: [UInt8](repeating: 1, count: 3 << 20)))
            #expect(client.answer()?.status == 413)
            client.request("POST", "/echo", body: [5])
            #expect(client.answer()?.body == [5])
        }
        #expect(fixture.observer.peakMemory.load(ordering: .relaxed) < 1 << 20)
    }

    @Test func `a chunked body beyond the limit is refused, and beyond four times the limit cut`() throws {
        let fixture = try Fixture(maxBodyBytes: 256 << 10)
        let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 1, count: 0x10000) + Array("\r\n".utf8)
        let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        let client = try fixture.client()
        client.send(head)
        for _ in 0..<8 { client.send(chunk) }
        client.send("0\r\n\r\n")
        #expect(client.answer()?.status == 413)
        let stubborn = try fixture.client()
        stubborn.send(head)
        #expect(waitUntil { !stubborn.send(chunk) })
        #expect(fixture.handledCount == 0)
    }

    @Test func `a chunked body within the limit arrives whole`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in ["3\r\nabc\r\n", "1\r\nd\r\n", "0\r\n\r\n"] { client.send(part) }
        #expect(client.answer()?.text == "abcd")
    }

    @Test func `what a route does not admit is refused before its body is kept`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        client.request(
            "POST", "/picky", headers: ["Content-Type: text/plain"], body: [UInt8](repeating: 1, count: 3 << 20))
        #expect(client.answer()?.status == 415)
        #expect(fixture.observer.peakMemory.load(ordering: .relaxed) == 0)
        client.request("POST", "/picky", headers: ["Content-Type: Application/JSON ; charset=utf-8"], body: [9])
        #expect(client.answer()?.body == [9])
    }

    @Test func `headers that do not fit are refused`() throws {
        let client = try Fixture().keeping { try $0.client() }
        client.value.send("GET /hello HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "y", count: 200_000))\r\n\r\n")
        #expect(client.value.answer()?.status == 431)
    }

    // MARK: Compression

    @Test func `inflates gzip and deflate`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        for (name, format) in [("gzip", Deflater.Format.gzip), ("deflate", .zlib)] {
            client.request(
                "POST", "/echo", headers: ["Content-Encoding: \(name)"], body: try Deflater.deflate(body, format))
            #expect(client.answer()?.body == body)
        }
    }

    @Test func `a body that does not decompress is refused`() throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let good = try Deflater.deflate([UInt8](repeating: 1, count: 1000), .gzip)
        var flipped = good
        flipped[good.count - 6] ^= 1
        for body in [Array(good.dropLast(3)), flipped, [], [1, 2, 3], good + [1]] {
            client.request("POST", "/echo", headers: ["Content-Encoding: gzip"], body: body)
            // An empty body is no body: there is nothing to decompress.
            #expect(client.answer()?.status == (body.isEmpty ? 200 : 400))
        }
        client.request("POST", "/echo", headers: ["Content-Encoding: br"], body: good)
        #expect(client.answer()?.status == 415)
    }

    @Test func `a gzip bomb is refused in flat memory`() throws {
        let fixture = try Fixture(maxBodyBytes: 8 << 20)
        let bomb = try Deflater.deflate([UInt8](repeating: 0, count: 300 << 20), .gzip, level: 9)
        let before = residentBytes()
        let client = try fixture.client()
        client.request("POST", "/echo", headers: ["Content-Encoding: gzip"], body: bomb)
        #expect(client.answer()?.status == 413)
        #expect(fixture.observer.peakMemory.load(ordering: .relaxed) <= 16 << 20)
        // Other tests run in this process at the same time; inflated whole it would be 300 MiB and more.
        #expect(residentBytes() - before < 200 << 20)
        #expect(waitUntil { fixture.server.bodyMemoryBytes == 0 })
    }

    // MARK: Memory

    @Test func `an announced length reserves little before its body comes`() throws {
        let fixture = try Fixture()
        let clients = try (0..<50).map { _ in try fixture.client() }
        for client in clients {
            client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n")
        }
        let each = HTTPServerOptions().firstReservationBytes
        #expect(waitUntil { fixture.server.bodyMemoryBytes == 50 * each })
        for client in clients { client.vanish() }
        #expect(waitUntil { fixture.server.bodyMemoryBytes == 0 && fixture.server.connectionCount == 0 })
    }

    @Test func `refuses with a delay when the budget is spent, and takes again once it is not`() throws {
        let fixture = try Fixture({ $0.bodyBudgetBytes = 1 << 20 })
        let body = [UInt8](repeating: 3, count: 300_000)
        let clients = try (0..<4).map { _ in try fixture.client() }
        for (index, client) in clients[..<3].enumerated() {
            client.request("POST", "/park", body: body)
            #expect(waitUntil { fixture.parkedCount == index + 1 })
        }
        clients[3].request("POST", "/park", body: body)
        let refused = try #require(clients[3].answer())
        #expect(refused.status == 429)
        #expect(refused.headers["retry-after"] == "1")
        fixture.release()
        for client in clients[..<3] { #expect(client.answer()?.status == 200) }
        #expect(waitUntil { fixture.server.bodyMemoryBytes == 0 })
        clients[3].request("POST", "/park", body: body)
        #expect(waitUntil { fixture.parkedCount == 1 })
        fixture.release()
        #expect(clients[3].answer()?.status == 200)
    }

    func residentBytes() -> Int {
        let fields = (fileText("/proc/self/statm") ?? "").split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
    }
}

/// Keeps a fixture alive beside what was made from it.
struct Kept<Value> {
    var fixture: Fixture
    var value: Value
}

extension Fixture {
    func keeping<Value>(_ make: (Fixture) throws -> Value) rethrows -> Kept<Value> {
        Kept(fixture: self, value: try make(self))
    }
}
