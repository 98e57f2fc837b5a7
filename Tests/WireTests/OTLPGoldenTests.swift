import Foundation
import OTLPWire
import Testing
import TraceGenerator
import TraceModel

/// A request that the Python OpenTelemetry SDK encoded; Fixtures/OTLP/README.md says how.
@Suite struct OTLPGoldenTests {
    let message: [UInt8]

    init() throws {
        let url = try #require(
            Bundle.module.url(forResource: "request", withExtension: "base64", subdirectory: "Fixtures/OTLP"))
        let text = try String(contentsOf: url, encoding: .utf8)
        message = [UInt8](try #require(Data(base64Encoded: text, options: .ignoreUnknownCharacters)))
    }

    private func attributes(_ span: GeneratedSpan) -> [String: GeneratedValue] {
        Dictionary(span.attributes.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    @Test func `both spans are found with what the SDK put in`() throws {
        let summary = try validate(message)
        #expect(summary == MessageSummary(spanCount: 2))
        let (batch, bytes) = try scan(message)
        #expect(batch.merged.isEmpty)
        let traceID = TraceID(hexadecimal: "0af7651916cd43dd8448eb211c80319c")
        #expect(batch.records.allSatisfy { $0.traceID == traceID })
        let rebuilder = Rebuilder(bytes: bytes)
        let root = try rebuilder.span(batch.records[0])
        let child = try rebuilder.span(batch.records[1])

        #expect(root.spanID == SpanID(0xB7AD_6B71_6920_3331))
        #expect(batch.records[0].isRoot)
        #expect(batch.records[0].randomness == 0x9B_8233_F7E3_A151)
        #expect(root.name == "GET /golden")
        #expect(root.kind == 2)
        #expect(root.startTimeUnixNano == 1_780_000_000_000_000_000)
        #expect(root.endTimeUnixNano == 1_780_000_000_123_456_789)
        #expect(root.statusCode == 2)
        #expect(root.statusMessage == "it failed")
        // The SDK sets bit 8, "it is known whether the parent is remote", and not the sampled bit.
        #expect(root.flags == 0x100)

        #expect(child.spanID == SpanID(0x0102_0304_0506_0708))
        #expect(child.parentSpanID == root.spanID)
        #expect(child.statusCode == 0)
        #expect(child.attributes.isEmpty)
        #expect(batch.records[1].index == 1)
    }

    @Test func `attribute values keep their types`() throws {
        let (batch, bytes) = try scan(message)
        let values = attributes(try Rebuilder(bytes: bytes).span(batch.records[0]))
        let expected: [String: GeneratedValue] = [
            "string": .string("text"), "empty": .string(""), "int": .int(5), "negative": .int(-1),
            "large": .int(.max), "double": .double(5), "true": .bool(true), "false": .bool(false),
            "digit": .string("5"), "unicode": .string("grüß"), "ints": .array([.int(1), .int(2)]),
        ]
        #expect(values == expected)
    }

    @Test func `events, links, resource and scope are read`() throws {
        let (batch, bytes) = try scan(message)
        let rebuilder = Rebuilder(bytes: bytes)
        let root = try rebuilder.span(batch.records[0])
        #expect(
            root.events == [
                GeneratedEvent(
                    timeUnixNano: 1_780_000_000_100_000_000, name: "exception",
                    attributes: [GeneratedAttribute("exception.type", "ValueError")])
            ])
        let link = try #require(root.links.first)
        #expect(link.spanID == SpanID(0x00F0_67AA_0BA9_02B7))
        #expect(link.attributes == [GeneratedAttribute("linked", .double(1.5))])

        var resource = ResourceContents()
        try resource.decode(batch.records[0].resource, in: bytes.span.bytes)
        let all = 0..<resource.tape.nodes.count
        #expect(
            rebuilder.attributes(all, of: resource.tape) == [
                GeneratedAttribute("service.name", "golden"),
                GeneratedAttribute("list", .array([.string("a"), .string("b")])),
                GeneratedAttribute("answer", 42),
            ])
        #expect(bytes.text(batch.records[0].resourceSchemaURL) == "https://opentelemetry.io/schemas/1.26.0")

        var scope = ScopeContents()
        try scope.decode(batch.records[1].scope, in: bytes.span.bytes)
        #expect(bytes.text(scope.name) == "golden-scope")
        #expect(bytes.text(scope.version) == "1.2.3")
        #expect(scope.tape.nodes.first?.boolValue == true)
    }
}
