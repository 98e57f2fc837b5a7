import Compression
import HTTPServer
import JSON
import OTLPServer
import OTLPWire
import Pipeline
import ProtobufWriter
import Telemetry
import Testing
import Threads

/// A log whose answers the test gives.
private final class HeldIngest: IngestPort {
    struct Offer: Sendable {
        var body: [UInt8]
        var answer: @Sendable (IngestAnswer) -> Void
    }

    let offers = Lock<[Offer]>([])
    let busy = Lock<IngestAdmission?>(nil)

    func offer(_ body: [UInt8], answer: @escaping @Sendable (IngestAnswer) -> Void) -> IngestAdmission {
        if let busy = busy.withLock({ $0 }) { return busy }
        offers.withLock { $0.append(Offer(body: body, answer: answer)) }
        return .accepted
    }

    var count: Int { offers.withLock { $0.count } }

    func sync(_ answer: IngestAnswer = .durable(isRepeat: false)) {
        let all = offers.withLock { offers in
            defer { offers = [] }
            return offers
        }
        for offer in all { offer.answer(answer) }
    }
}

private struct Entrance {
    let ingest = HeldIngest()
    let metrics = Metrics(version: "test")
    let server: OTLPServer

    init(maxBodyBytes: Int = 1 << 20) throws {
        server = try OTLPServer(
            HTTPServerOptions(), maxBodyBytes: maxBodyBytes, ingest: ingest, metrics: metrics.entrance, logger: .none)
    }

    func client() throws -> RawClient { try RawClient(port: server.port) }
}

/// A request with so many good spans and so many whose trace id is zero.
private func request(good: Int, bad: Int = 0) -> [UInt8] {
    var writer = MessageWriter()
    writer.message(1) { resourceSpans in
        resourceSpans.message(2) { scopeSpans in
            for index in 0..<(good + bad) {
                scopeSpans.message(2) { span in
                    span.bytes(1, [UInt8](repeating: index < good ? 7 : 0, count: 16))
                    span.bytes(2, [0, 0, 0, 0, 0, 0, 0, UInt8(index + 1)])
                }
            }
        }
    }
    return writer.bytes
}

private let protobuf = ["Content-Type: application/x-protobuf"]

@Suite struct OTLPServerTests {
    @Test func `answers once the spans are durable, and not before`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        let body = request(good: 3)
        client.request("POST", "/v1/traces", headers: protobuf, body: body)
        #expect(waitUntil { entrance.ingest.count == 1 })
        #expect(entrance.ingest.offers.withLock { $0.first?.body } == body)
        #expect(entrance.metrics.entrance.otlpParkedRequests.value == 1)
        #expect(entrance.metrics.entrance.otlpRequestDuration.count == 0)
        entrance.ingest.sync()
        let answer = try #require(client.answer())
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/x-protobuf")
        #expect(answer.body == [])
        #expect(entrance.metrics.entrance.otlpParkedRequests.value == 0)
        #expect(entrance.metrics.entrance.otlpRequestDuration.count == 1)
    }

    @Test(arguments: [(1, 1), (2, 2), (1, 5), (5, 1)])
    func `keeps the good spans of a request and reports the others`(good: Int, bad: Int) throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: request(good: good, bad: bad))
        #expect(waitUntil(.seconds(3)) { entrance.ingest.count == 1 })
        entrance.ingest.sync()
        let answer = try #require(client.answer())
        #expect(answer.status == 200)
        // partial_success (1) { rejected_spans (1): bad, error_message (2) }
        #expect(answer.body.first == 0x0A)
        #expect(answer.body.dropFirst(2).prefix(2) == [0x08, UInt8(bad)])
        #expect(entrance.metrics.entrance.spansRejected[.invalidID].value == bad)
    }

    @Test func `spans of a request that was not taken are not counted as rejected`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        entrance.ingest.busy.withLock { $0 = .busy(retryAfterSeconds: 3, cause: .queueFull) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: request(good: 1, bad: 2))
        #expect(client.answer()?.status == 429)
        #expect(entrance.metrics.entrance.spansRejected[.invalidID].value == 0)
    }

    @Test func `an empty request and one without a usable span need no log`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: [])
        #expect(client.answer()?.body == [])
        client.request("POST", "/v1/traces", headers: protobuf, body: request(good: 0, bad: 4))
        let answer = try #require(client.answer())
        #expect(answer.status == 200)
        #expect(answer.body.dropFirst(2).prefix(2) == [0x08, 4])
        #expect(entrance.ingest.count == 0)
    }

    @Test(arguments: [
        (BusyCause.queueFull, 429), (.diskFull, 503), (.diskFailed, 503), (.notServing, 503),
    ])
    func `tells the sender to come again`(cause: BusyCause, status: Int) throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        entrance.ingest.busy.withLock { $0 = .busy(retryAfterSeconds: 7, cause: cause) }
        client.request("POST", "/v1/traces", headers: protobuf, body: request(good: 1))
        let refused = try #require(client.answer())
        #expect(refused.status == status)
        #expect(refused.headers["retry-after"] == "7")
        entrance.ingest.busy.withLock { $0 = nil }
        client.request("POST", "/v1/traces", headers: protobuf, body: request(good: 1))
        #expect(waitUntil { entrance.ingest.count == 1 })
        entrance.ingest.sync(.unavailable(retryAfterSeconds: 2, cause: cause))
        let unavailable = try #require(client.answer())
        #expect(unavailable.status == status)
        #expect(unavailable.headers["retry-after"] == "2")
        #expect(entrance.metrics.entrance.otlpParkedRequests.value == 0)
    }

    // MARK: JSON

    /// Three spans, the last without a usable id when `hasBad`.
    private func json(hasBad: Bool = false) -> [UInt8] {
        let ids = ["0123456789abcdef0123456789abcdef", "ABCDEF0123456789ABCDEF0123456789", hasBad ? "00" : "ab"]
        let spans = ids.enumerated().map { index, id in
            let traceID = id.count == 2 && !hasBad ? String(repeating: id, count: 16) : id
            return #"{"traceId":"\#(traceID)","spanId":"000000000000000\#(index + 1)","startTimeUnixNano":"5"}"#
        }
        return Array(#"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans.joined(separator: ","))]}]}]}"#.utf8)
    }

    @Test(arguments: ["application/json", "application/json; charset=utf-8"])
    func `JSON goes to the log as protobuf and is answered in JSON`(type: String) throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: ["Content-Type: \(type)"], body: json())
        #expect(waitUntil { entrance.ingest.count == 1 })
        let body = try #require(entrance.ingest.offers.withLock { $0.first?.body })
        #expect(try MessageValidator.validate(body.span.bytes).spanCount == 3)
        entrance.ingest.sync()
        let answer = try #require(client.answer())
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.text == "{}")
        #expect(entrance.metrics.entrance.otlpDecodedBytes.value == json().count)
    }

    @Test func `JSON may come with gzip`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        let headers = ["Content-Type: application/json", "Content-Encoding: gzip"]
        client.request("POST", "/v1/traces", headers: headers, body: try Deflater.deflate(json(), .gzip))
        #expect(waitUntil { entrance.ingest.count == 1 })
        entrance.ingest.sync()
        #expect(client.answer()?.text == "{}")
    }

    @Test func `partial success is said in JSON too`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request(
            "POST", "/v1/traces", headers: ["Content-Type: application/json"], body: json(hasBad: true))
        #expect(waitUntil { entrance.ingest.count == 1 })
        entrance.ingest.sync()
        let answer = try JSONValue(parsing: try #require(client.answer()).body)
        #expect(answer["partialSuccess"]?["rejectedSpans"] == "1")
        #expect(answer["partialSuccess"]?["errorMessage"]?.text?.contains("valid trace id") == true)
        #expect(entrance.metrics.entrance.spansRejected[.invalidID].value == 1)
    }

    @Test(arguments: [
        ("{\"resourceSpans\": 1}", "1:19: expected an array, found a number"), ("{", "1:2: unexpected end of text"),
        ("\u{0A}\u{03}", "expected a value"),
    ])
    func `bad JSON is refused with line and column, counted and kept`(text: String, message: String) throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request(
            "POST", "/v1/traces", headers: ["Content-Type: application/json"], body: Array(text.utf8))
        let answer = try #require(client.answer())
        #expect(answer.status == 400)
        #expect(answer.headers["content-type"] == "application/json")
        let status = try JSONValue(parsing: answer.body)
        #expect(status["code"] == 3)
        #expect(status["message"]?.text?.contains(message) == true, "\(answer.text)")
        #expect(entrance.metrics.entrance.decodeErrors[.otlpJSON].value == 1)
        #expect(entrance.server.badBodies.newest.first?.start == Array(text.utf8))
        #expect(entrance.ingest.count == 0)
    }

    @Test func `a sender of JSON is told in JSON to come again, and that a body is too large`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        entrance.ingest.busy.withLock { $0 = .busy(retryAfterSeconds: 3, cause: .queueFull) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: ["Content-Type: application/json"], body: json())
        let busy = try #require(client.answer())
        #expect(busy.status == 429)
        #expect(busy.headers["retry-after"] == "3")
        #expect(try JSONValue(parsing: busy.body)["code"] == 8)
        client.request(
            "POST", "/v1/traces", headers: ["Content-Type: application/json"],
            body: [UInt8](repeating: UInt8(ascii: " "), count: 2 << 20))
        let refused = try #require(client.answer())
        #expect(refused.status == 413)
        #expect(refused.headers["content-type"] == "application/json")
    }

    // MARK: Bad input

    @Test func `a body that does not decode is refused with its offset, counted and kept`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        for index in 0..<20 {
            let bad = [0x0A, 0x7F, UInt8(index)] + [UInt8](repeating: 1, count: 10_000).prefix(index * 600)
            client.request("POST", "/v1/traces", headers: protobuf, body: Array(bad.prefix(100)))
            let answer = try #require(client.answer())
            #expect(answer.status == 400)
            #expect(answer.headers["content-type"] == "application/x-protobuf")
            // google.rpc.Status { code (1): INVALID_ARGUMENT (3), message (2) }
            #expect(answer.body.prefix(2) == [0x08, 3])
            #expect(answer.text.contains("offset"))
        }
        #expect(entrance.metrics.entrance.decodeErrors[.otlpProtobuf].value == 20)
        let kept = entrance.server.badBodies.newest
        #expect(kept.count == BadBodies.limit)
        #expect(kept.last?.start.prefix(3) == [0x0A, 0x7F, 19])
        #expect(kept.last?.peer == "127.0.0.1")
        #expect(entrance.ingest.count == 0)
    }

    @Test func `of a large bad body only the start is kept`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: [UInt8](repeating: 0xFF, count: 500_000))
        #expect(client.answer()?.status == 400)
        #expect(entrance.server.badBodies.newest.first?.start.count == BadBodies.sampleBytes)
        #expect(entrance.server.badBodies.newest.first?.byteCount == 500_000)
    }

    @Test func `takes gzip, and refuses what does not decompress`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        let body = request(good: 5)
        let packed = try Deflater.deflate(body, .gzip)
        client.request("POST", "/v1/traces", headers: protobuf + ["Content-Encoding: gzip"], body: packed)
        #expect(waitUntil { entrance.ingest.count == 1 })
        #expect(entrance.ingest.offers.withLock { $0.first?.body } == body)
        entrance.ingest.sync()
        #expect(client.answer()?.status == 200)
        #expect(entrance.metrics.entrance.otlpReceivedBytes.value == packed.count)
        #expect(entrance.metrics.entrance.otlpDecodedBytes.value == body.count)
        client.request("POST", "/v1/traces", headers: protobuf + ["Content-Encoding: gzip"], body: body)
        #expect(client.answer()?.status == 400)
        #expect(entrance.metrics.entrance.decodeErrors[.gzip].value == 1)
    }

    @Test(arguments: [
        ("POST", "/v1/traces", "Content-Type: text/plain", 415), ("POST", "/v1/traces", "X: y", 415),
        ("POST", "/v1/logs", "Content-Type: application/x-protobuf", 404),
        ("GET", "/v1/traces", "X: y", 405),
    ])
    func `refuses other types, paths and methods with a status message`(
        method: String, path: String, header: String, status: Int
    ) throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request(method, path, headers: [header], body: method == "POST" ? request(good: 1) : nil)
        let answer = try #require(client.answer())
        #expect(answer.status == status)
        #expect(answer.body.first == 0x08)
    }

    @Test func `refuses a body beyond the limit, a bomb too`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: [UInt8](repeating: 0, count: 2 << 20))
        #expect(client.answer()?.status == 413)
        let bomb = try Deflater.deflate([UInt8](repeating: 0, count: 64 << 20), .gzip, level: 9)
        client.request("POST", "/v1/traces", headers: protobuf + ["Content-Encoding: gzip"], body: bomb)
        #expect(client.answer()?.status == 413)
    }

    @Test func `the log's answer to a client that vanished harms nobody`() throws {
        let entrance = try Entrance()
        defer { entrance.server.stop(limit: .zero) }
        for _ in 0..<20 {
            let client = try entrance.client()
            client.request("POST", "/v1/traces", headers: protobuf, body: request(good: 1))
            client.vanish()
        }
        #expect(waitUntil { entrance.ingest.count == 20 })
        entrance.ingest.sync()
        let client = try entrance.client()
        client.request("POST", "/v1/traces", headers: protobuf, body: [])
        #expect(client.answer()?.status == 200)
    }
}
