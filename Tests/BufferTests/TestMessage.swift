import TraceGenerator
import TraceModel

/// A message in a format of its own: 4 bytes where its spans begin, shared fields, then for each span the length of its
/// body, its ids and some bytes.
struct TestMessage {
    var bytes: [UInt8]
    var batch: SpanBatch

    struct Sketch {
        var traceID: TraceID
        var spanID: SpanID
        var isRoot = false
        var bodyBytes = 20
        var start: UInt64 = 1_000_000
        var end: UInt64 = 2_000_000
        var statusCode: UInt8 = 0
        var isSampled = false
        var randomness = SpanRecord.noRandomness
        var route = SpanRecord.Route.buffer
        /// Which of the message's resources.
        var resource = 0
    }

    private static let idBytes = 24

    init(_ sketches: [Sketch], program: UInt64 = 0, mergesLast: Bool = false) {
        bytes = [0, 0, 0, 0]
        batch = SpanBatch(capacity: sketches.count)
        let shared = Set(sketches.map(\.resource)).sorted()
        var resources: [Int: ByteRange] = [:]
        for resource in shared.dropLast(mergesLast ? 1 : 0) {
            resources[resource] = append(Array("resource \(resource) of \(sketches.count)".utf8))
        }
        let scope = append(Array("scope".utf8))
        let url = append(Array("url".utf8))
        bytes.replaceSubrange(0..<4, with: Self.word(UInt64(bytes.count), 4))
        for (index, sketch) in sketches.enumerated() {
            let count = Self.idBytes + sketch.bodyBytes
            bytes += Self.word(UInt64(count), 4)
            let body = (0..<sketch.bodyBytes).map {
                UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(sketch.spanID.value & 0xFF))
            }
            let range = append(
                Self.word(sketch.traceID.high, 8) + Self.word(sketch.traceID.low, 8) + Self.word(sketch.spanID.value, 8)
                    + body)
            var record = Self.record(sketch, index: index, program: program)
            record.span = range
            record.scope = sketch.resource % 3 == 2 ? .none : scope
            record.scopeSchemaURL = sketch.resource % 2 == 1 ? url : .none
            batch.records.append(record)
        }
        if mergesLast, let last = shared.last {
            batch.merged = Array("merged resource \(last)".utf8)
            resources[last] = ByteRange(offset: UInt32(bytes.count), count: UInt32(batch.merged.count))
        }
        for (index, sketch) in sketches.enumerated() { batch.records[index].resource = resources[sketch.resource]! }
    }

    private static func record(_ sketch: Sketch, index: Int, program: UInt64) -> SpanRecord {
        var record = SpanRecord(traceID: sketch.traceID, spanID: sketch.spanID)
        record.parentSpanID = SpanID(sketch.isRoot ? 0 : 9)
        record.startTimeUnixNano = sketch.start
        record.endTimeUnixNano = sketch.end
        (record.matches, record.forceRule) = TestProgram.bits(of: sketch.spanID, program)
        record.randomness = sketch.randomness
        record.index = UInt32(index * 2)  // as if a span between them had been rejected
        record.flags = sketch.isSampled ? 0x101 : 0x100
        record.statusCode = sketch.statusCode
        record.route = sketch.route
        return record
    }

    private mutating func append(_ part: [UInt8]) -> ByteRange {
        defer { bytes += part }
        return ByteRange(offset: UInt32(bytes.count), count: UInt32(part.count))
    }

    private static func word(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    func contents(of record: SpanRecord) -> SpanContents {
        let all = bytes + batch.merged
        func copy(_ range: ByteRange) -> [UInt8] {
            range.isEmpty ? [] : Array(all[range.lowerBound..<range.upperBound])
        }
        return SpanContents(
            span: copy(record.span), resource: copy(record.resource), scope: copy(record.scope),
            resourceSchemaURL: copy(record.resourceSchemaURL), scopeSchemaURL: copy(record.scopeSchemaURL))
    }

    /// Scans a message anew, as the wire's scanner would: ids, index and bits.
    static func scan(_ message: borrowing RawSpan, program: UInt64, into batch: inout SpanBatch) {
        batch.removeAll()
        func word(_ position: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) {
                $0 | UInt64(message.unsafeLoad(fromByteOffset: position + $1, as: UInt8.self)) << (8 * UInt64($1))
            }
        }
        var position = Int(word(0, 4))
        while position < message.byteCount {
            let count = Int(word(position, 4))
            var record = SpanRecord(
                traceID: TraceID(high: word(position + 4, 8), low: word(position + 12, 8)),
                spanID: SpanID(word(position + 20, 8)))
            record.index = UInt32(batch.records.count * 2)
            (record.matches, record.forceRule) = TestProgram.bits(of: record.spanID, program)
            batch.records.append(record)
            position += 4 + count
        }
    }
}

extension KeptTrace {
    func contents(of span: KeptSpan) -> SpanContents {
        func copy(_ range: ByteRange) -> [UInt8] { Array(arena[range.lowerBound..<range.upperBound]) }
        return SpanContents(
            span: copy(span.span), resource: copy(span.resource), scope: copy(span.scope),
            resourceSchemaURL: copy(span.resourceSchemaURL), scopeSchemaURL: copy(span.scopeSchemaURL))
    }
}
