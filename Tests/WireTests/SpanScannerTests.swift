import OTLPWire
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel

@Suite struct SpanScannerTests {
    @Test(arguments: 0..<400) func `whatever the encoding, the spans are what the sender meant`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let model = random.message()
        var encoder = UnusualEncoder(random: random)
        let message = encoder.encode(model)

        let (batch, bytes) = try scan(message)
        let spans = model.groups.flatMap(\.scopes).flatMap(\.spans)
        #expect(try validate(message) == MessageSummary(spanCount: spans.count))
        #expect(batch.rejectedCount == 0)
        try #require(batch.records.count == spans.count)
        let rebuilder = Rebuilder(bytes: bytes)
        var index = 0
        for group in model.groups {
            for scope in group.scopes {
                for span in scope.spans {
                    let record = batch.records[index]
                    #expect(try rebuilder.span(record) == span)
                    expectEqual(record, span)
                    #expect(record.index == UInt32(index))
                    try expect(record, in: rebuilder, hasResource: group, scope: scope)
                    index += 1
                }
            }
        }
    }

    private func expectEqual(_ record: SpanRecord, _ span: GeneratedSpan) {
        #expect(record.startTimeUnixNano == span.startTimeUnixNano)
        #expect(record.endTimeUnixNano == span.endTimeUnixNano)
        #expect(record.statusCode == UInt8(span.statusCode))
        #expect(record.kind == UInt8(span.kind))
        #expect(record.flags == span.flags)
        #expect(record.isRoot == !span.parentSpanID.isValid)
        let hasRandomness = span.traceState.contains("0123456789abcd")
        #expect(record.randomness == (hasRandomness ? 0x01_2345_6789_ABCD : SpanRecord.noRandomness))
    }

    private func expect(
        _ record: SpanRecord, in rebuilder: Rebuilder, hasResource group: ModelResourceSpans,
        scope: ModelScopeSpans
    ) throws {
        let bytes = rebuilder.bytes
        #expect(bytes.text(record.resourceSchemaURL) == group.schemaURL)
        #expect(bytes.text(record.scopeSchemaURL) == scope.schemaURL)
        var resource = ResourceContents()
        try resource.decode(record.resource, in: bytes.span.bytes)
        let nodes = 0..<resource.tape.nodes.count
        #expect(rebuilder.attributes(nodes, of: resource.tape) == group.attributes)
        var contents = ScopeContents()
        try contents.decode(record.scope, in: bytes.span.bytes)
        #expect(bytes.text(contents.name) == scope.name)
        #expect(bytes.text(contents.version) == scope.version)
    }

    @Test func `the SDK's usual encoding is scanned to the same records`() throws {
        var random = SeededRandom(seed: 7)
        let spans = (0..<200).map { _ in random.span() }
        let request = GeneratedRequest(
            resource: [GeneratedAttribute("service.name", "x")], scopeName: "s", scopeVersion: "1",
            spans: spans)
        let (batch, bytes) = try scan(request.encoded())
        #expect(batch.merged.isEmpty)
        let rebuilder = Rebuilder(bytes: bytes)
        #expect(try batch.records.map { try rebuilder.span($0) } == spans)
    }

    @Test func `an empty message has no span`() throws {
        #expect(try scan([]).batch.records.isEmpty)
        #expect(try validate([]) == MessageSummary())
    }

    @Test func `scope and schema URL behind the spans count for all of them`() throws {
        let span = encoded { GeneratedSpan.plain(1).write(to: &$0) }
        let message = encoded { request in
            request.message(1) { resourceSpans in
                resourceSpans.message(2) { scopeSpans in
                    scopeSpans.bytes(2, span)
                    scopeSpans.string(3, "first")
                    scopeSpans.bytes(2, span)
                    scopeSpans.string(3, "")
                    scopeSpans.message(1) { $0.string(1, "late") }
                    scopeSpans.bytes(2, span)
                }
                resourceSpans.message(1) { $0.varint(2, 3) }
            }
        }
        let (batch, bytes) = try scan(message)
        #expect(batch.records.count == 3)
        for record in batch.records {
            #expect(bytes.text(record.scopeSchemaURL) == "")
            #expect(bytes.subrange(record.scope) == [0x0A, 4] + Array("late".utf8))
            #expect(bytes.subrange(record.resource) == [0x10, 3])
        }
    }

    @Test func `the two-byte tag of the flags does not lead astray`() throws {
        // A reader that takes 85 alone for the tag walks off into the bytes behind it.
        let body = encoded {
            $0.fixed32(16, 0x301)
            GeneratedSpan.plain(5).write(to: &$0)
            $0.fixed32(16, 0x4A4A_4A4A)
        }
        let record = try #require(try scan(request(spans: [body])).batch.records.first)
        #expect(record.flags == 0x4A4A_4A4A)
        #expect(record.spanID == SpanID(5))
    }

    // MARK: Ids

    struct IDCase: Sendable {
        var trace: [UInt8]?
        var span: [UInt8]?
        var parent: [UInt8]?
        var isUsable: Bool
    }

    static let idCases: [IDCase] = {
        let trace = [UInt8](repeating: 1, count: 16)
        let span = [UInt8](repeating: 2, count: 8)
        return [
            IDCase(trace: trace, span: span, parent: nil, isUsable: true),
            IDCase(trace: trace, span: span, parent: [], isUsable: true),
            IDCase(trace: trace, span: span, parent: span, isUsable: true),
            IDCase(trace: trace, span: span, parent: Array(repeating: 0, count: 8), isUsable: true),
            IDCase(trace: trace, span: span, parent: [1], isUsable: false),
            IDCase(trace: trace, span: span, parent: trace, isUsable: false),
            IDCase(trace: nil, span: span, parent: nil, isUsable: false),
            IDCase(trace: trace, span: nil, parent: nil, isUsable: false),
            IDCase(trace: [], span: span, parent: nil, isUsable: false),
            IDCase(trace: Array(trace.dropLast()), span: span, parent: nil, isUsable: false),
            IDCase(trace: trace + [1], span: span, parent: nil, isUsable: false),
            IDCase(trace: Array(repeating: 0, count: 16), span: span, parent: nil, isUsable: false),
            IDCase(trace: trace, span: span + [1], parent: nil, isUsable: false),
            IDCase(trace: trace, span: Array(repeating: 0, count: 8), parent: nil, isUsable: false),
        ]
    }()

    @Test(arguments: Self.idCases)
    func `a span with unusable ids is counted, and takes an index`(ids: IDCase) throws {
        let body = encoded {
            if let trace = ids.trace { $0.bytes(1, trace) }
            if let span = ids.span { $0.bytes(2, span) }
            if let parent = ids.parent { $0.bytes(4, parent) }
            $0.string(5, "a name that makes the span long enough")
        }
        let message = request(spans: [body, encoded { GeneratedSpan.plain(9).write(to: &$0) }])
        let (batch, _) = try scan(message)
        #expect(batch.rejectedCount == (ids.isUsable ? 0 : 1))
        #expect(batch.records.map(\.index) == (ids.isUsable ? [0, 1] : [1]))
        #expect(batch.records.last?.spanID == SpanID(9))
        let summary = MessageSummary(spanCount: batch.records.count, rejectedCount: batch.rejectedCount)
        #expect(try validate(message) == summary)
    }

    @Test func `enums out of range are clamped`() throws {
        let body = encoded {
            $0.bytes(1, [UInt8](repeating: 1, count: 16))
            $0.bytes(2, [UInt8](repeating: 1, count: 8))
            $0.int(6, -1)
            $0.message(15) { $0.varint(3, 3) }
        }
        let record = try #require(try scan(request(spans: [body])).batch.records.first)
        #expect(record.kind == 255)
        #expect(record.statusCode == 255)
        // protobuf keeps the lower 32 bits of an enum.
        let wide = encoded { $0.message(15) { $0.varint(3, 1 << 32 | 2) } }
        #expect(try scan(request(spans: [body + wide])).batch.records.first?.statusCode == 2)
    }

    @Test func `a reused batch holds the last message only`() throws {
        var batch = SpanBatch()
        for count in [5, 2, 0] {
            let bodies = (0..<count).map { index in
                encoded { GeneratedSpan.plain(UInt64(index + 1)).write(to: &$0) }
            }
            try SpanScanner.scan(request(spans: bodies).span.bytes, matching: .empty, into: &batch)
            #expect(batch.records.count == count)
        }
        #expect(throws: WireError.self) {
            try SpanScanner.scan([0x0A, 0x05].span.bytes, matching: .empty, into: &batch)
        }
        #expect(batch.records.isEmpty)
    }
}

extension GeneratedSpan {
    /// A small span with ids made of a number.
    static func plain(_ number: UInt64) -> GeneratedSpan {
        GeneratedSpan(
            traceID: TraceID(high: 1, low: number), spanID: SpanID(number), name: "plain",
            startTimeUnixNano: 1, endTimeUnixNano: 2)
    }
}
