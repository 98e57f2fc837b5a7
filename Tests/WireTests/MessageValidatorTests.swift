import OTLPWire
import ProtobufWriter
import Testing
import TraceGenerator
import TraceModel

@Suite struct MessageValidatorTests {
    // MARK: Against the oracle

    @Test(arguments: 0..<60) func `mutated messages are judged as the naive decoder does`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        var encoder = UnusualEncoder(random: SeededRandom(seed: UInt64(seed) + 1000))
        let original = encoder.encode(random.message())
        guard !original.isEmpty else { return }
        var accepted = 0
        for _ in 0..<60 {
            var message = original
            for _ in 0...random.below(2) { mutate(&message, &random) }
            accepted += try compareWithOracle(message) ? 1 : 0
        }
        // Unmutated, it is taken: the comparison is not one of refusals only.
        #expect(try compareWithOracle(original))
        if accepted == 0 { #expect(original.count > 0) }
    }

    private func mutate(_ message: inout [UInt8], _ random: inout SeededRandom) {
        guard !message.isEmpty else { return }
        let place = random.below(message.count)
        switch random.below(4) {
        case 0: message[place] ^= 1 << UInt8(random.below(8))
        case 1: message[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: message.removeSubrange(place..<min(message.count, place + 1 + random.below(4)))
        default: message.insert(contentsOf: random.bytes(1...3), at: place)
        }
    }

    /// - Returns: Whether the message was taken.
    @discardableResult
    private func compareWithOracle(_ message: [UInt8]) throws -> Bool {
        var oracle = NaiveDecoder()
        let expected = try? oracle.request(message)
        let summary = try? validate(message)
        guard let expected else {
            // Millions of comparisons: the macro is spared while they hold.
            if summary != nil { Issue.record("taken, though malformed: \(message)") }
            return false
        }
        let usable = expected.filter(\.isUsable)
        let rejectedCount = expected.count - usable.count
        let (batch, bytes) = try scan(message)
        if summary != MessageSummary(spanCount: usable.count, rejectedCount: rejectedCount)
            || batch.rejectedCount != rejectedCount
            || batch.records.map({ naive($0, bytes) }) != usable.map(clamped)
        {
            Issue.record("judged otherwise than by the oracle: \(message)")
        }
        for record in batch.records {
            var contents = SpanContents()
            try contents.decode(record.span, in: bytes.span.bytes)
            var resource = ResourceContents()
            try resource.decode(record.resource, in: bytes.span.bytes)
            var scope = ScopeContents()
            try scope.decode(record.scope, in: bytes.span.bytes)
        }
        return true
    }

    private func naive(_ record: SpanRecord, _ bytes: [UInt8]) -> NaiveDecoder.Span {
        NaiveDecoder.Span(
            traceID: record.traceID.bytes, spanID: record.spanID.bytes,
            parentSpanID: record.isRoot ? [] : record.parentSpanID.bytes,
            start: record.startTimeUnixNano, end: record.endTimeUnixNano, kind: UInt32(record.kind),
            statusCode: UInt32(record.statusCode), flags: record.flags,
            resource: bytes.subrange(record.resource), scope: bytes.subrange(record.scope),
            resourceSchemaURL: bytes.subrange(record.resourceSchemaURL),
            scopeSchemaURL: bytes.subrange(record.scopeSchemaURL), index: Int(record.index))
    }

    private func clamped(_ span: NaiveDecoder.Span) -> NaiveDecoder.Span {
        var span = span
        if span.kind > 5 { span.kind = 255 }
        if span.statusCode > 2 { span.statusCode = 255 }
        if span.parentSpanID.allSatisfy({ $0 == 0 }) { span.parentSpanID = [] }
        return span
    }

    @Test func `every truncation is refused or a shorter message`() throws {
        var random = SeededRandom(seed: 3)
        var message: [UInt8] = []
        while message.count < 500 {
            var encoder = UnusualEncoder(random: SeededRandom(seed: random.next()))
            message = encoder.encode(random.message())
        }
        message = Array(message.prefix(4000))
        for count in 0...message.count { try compareWithOracle(Array(message.prefix(count))) }
    }

    @Test func `every message of up to two bytes is judged as the oracle does`() throws {
        for first in UInt8.min...UInt8.max {
            try compareWithOracle([first])
            for second in UInt8.min...UInt8.max { try compareWithOracle([first, second]) }
        }
    }

    @Test func `every two bytes inside a span are judged as the oracle does`() throws {
        let ids = encoded { GeneratedSpan.plain(1).write(to: &$0) }
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                try compareWithOracle(request(spans: [ids + [first, second]]))
            }
        }
    }

    // MARK: Errors and their offsets

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var message: [UInt8]
        var error: WireError
        var testDescription: String { name }
    }

    static let refusals: [Refusal] = [
        Refusal(name: "a tag without a value", message: [0x10], error: .truncated(offset: 1)),
        Refusal(name: "a tag that ends early", message: [0x8A], error: .truncated(offset: 1)),
        Refusal(name: "a length without bytes", message: [0x0A, 0x05], error: .lengthOverrun(offset: 1)),
        Refusal(
            name: "a length beyond any memory", message: [0x0A] + MessageWriter.varintBytes(.max),
            error: .lengthOverrun(offset: 1)),
        Refusal(
            name: "a varint of eleven bytes",
            message: [0x10] + [UInt8](repeating: 0xFF, count: 11), error: .malformedVarint(offset: 1)),
        Refusal(name: "field number 0", message: [0x02, 0x00], error: .badTag(offset: 0)),
        Refusal(
            name: "a field number of 30 bits", message: MessageWriter.varintBytes(1 << 32) + [0],
            error: .badTag(offset: 0)),
        Refusal(name: "wire type 6", message: [0x16], error: .badTag(offset: 0)),
        Refusal(name: "wire type 7", message: [0x10, 0, 0x17], error: .badTag(offset: 2)),
        Refusal(name: "a group's end alone", message: [0x14], error: .badTag(offset: 0)),
        Refusal(name: "a group's end of another number", message: [0x13, 0x1C], error: .badTag(offset: 1)),
        Refusal(name: "a group without end", message: [0x13, 0x10, 0x01], error: .truncated(offset: 3)),
        Refusal(name: "resource_spans as a varint", message: [0x08, 0x01], error: .wrongWireType(offset: 0)),
        Refusal(
            name: "scope_spans as fixed64",
            message: [0x0A, 0x09, 0x11, 0, 0, 0, 0, 0, 0, 0, 0], error: .wrongWireType(offset: 2)),
        Refusal(
            name: "a span's start as a varint",
            message: request(spans: [encoded { $0.varint(7, 1) }]), error: .wrongWireType(offset: 6)),
        Refusal(
            name: "flags as a varint",
            message: request(spans: [encoded { $0.varint(16, 1) }]), error: .wrongWireType(offset: 6)),
        Refusal(
            name: "a fixed64 that ends early",
            message: request(spans: [[0x39, 1, 2, 3]]), error: .truncated(offset: 10)),
    ]

    @Test(arguments: Self.refusals)
    func `malformed bytes are refused with the offset`(refusal: Refusal) {
        #expect(throws: refusal.error) { try validate(refusal.message) }
        #expect(throws: refusal.error) { try scan(refusal.message) }
        #expect(refusal.error.description.contains("\(refusal.error.offset)"))
    }

    @Test func `attributes of a wrong shape are found by the validation`() {
        let attribute = encoded { span in
            span.message(9) { $0.message(2) { $0.fixed32(3, 1) } }
        }
        #expect(throws: WireError.wrongWireType(offset: 10)) { try validate(request(spans: [attribute])) }
    }

    // MARK: Limits

    private func nested(_ levels: Int) -> [UInt8] {
        var value = GeneratedValue.int(1)
        for level in 1..<levels {
            value = level % 2 == 0 ? .array([value]) : .keyValueList([GeneratedAttribute("k", value)])
        }
        var span = GeneratedSpan.plain(1)
        span.attributes = [GeneratedAttribute("deep", value)]
        return request(spans: [encoded { span.write(to: &$0) }])
    }

    @Test func `values nest as deep as the limit and no deeper`() throws {
        let limits = WireLimits()
        #expect(try validate(nested(limits.nestingDepth)).spanCount == 1)
        let tooDeep = nested(limits.nestingDepth + 1)
        #expect { try validate(tooDeep) } throws: { error in
            guard case .tooDeep(let offset) = error as? WireError else { return false }
            return offset > 100
        }
        let record = try #require(try scan(tooDeep).batch.records.first)
        var contents = SpanContents()
        #expect(throws: WireError.self) { try contents.decode(record.span, in: tooDeep.span.bytes) }
        #expect(try validate(nested(3), limits: WireLimits(nestingDepth: 3)).spanCount == 1)
        #expect(throws: WireError.self) { try validate(nested(4), limits: WireLimits(nestingDepth: 3)) }
    }

    @Test func `a million levels of nesting do not exhaust the stack`() {
        // Lengths of 5 bytes each would be honest; these lie, so the walk ends at the limit or at a length.
        let arrays = [UInt8](repeating: 0x2A, count: 1_000_000)
        #expect(throws: WireError.self) { try validate(arrays) }
        let groups = [UInt8](repeating: 0x13, count: 1_000_000)
        #expect(throws: WireError.tooDeep(offset: WireLimits().nestingDepth)) { try validate(groups) }
    }

    @Test func `spans beyond the limit are refused`() throws {
        let bodies = (1...4).map { index in encoded { GeneratedSpan.plain(UInt64(index)).write(to: &$0) } }
        let limits = WireLimits(spanCount: 3)
        #expect(try scan(request(spans: Array(bodies.prefix(3))), limits: limits).batch.records.count == 3)
        #expect(throws: WireError.self) { try scan(request(spans: bodies), limits: limits) }
        #expect(throws: WireError.self) { try validate(request(spans: bodies), limits: limits) }
        // Rejected ones count too: an empty span takes two bytes.
        #expect(throws: WireError.self) { try validate(request(spans: [[], [], [], []]), limits: limits) }
    }

    @Test func `a message beyond the limit is refused`() {
        let message = request(spans: [encoded { GeneratedSpan.plain(1).write(to: &$0) }])
        let limits = WireLimits(messageBytes: message.count - 1)
        #expect(throws: WireError.tooLarge(offset: message.count - 1)) { try scan(message, limits: limits) }
        #expect(throws: WireError.tooLarge(offset: message.count - 1)) { try validate(message, limits: limits) }
    }
}
