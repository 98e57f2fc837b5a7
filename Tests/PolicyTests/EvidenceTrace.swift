import OTLPWire
import ProtobufWriter
import TraceModel

@testable import Sampling

/// A value of an attribute, as its sender types it.
enum SentValue {
    case text(String)
    case int(Int64)
    case flag(Bool)
    case real(Double)
}

/// A span as its sender has it.
struct SentSpan {
    var id: UInt8
    var name: String
    /// Milliseconds after the first second of 1970.
    var start: UInt64
    var end: UInt64
    var attributes: [(String, SentValue)] = []
    var status = 0
    var flags: UInt32 = 0
    var traceState = ""
}

/// Spans as the engine has them at a decision: the summary of a scan, and the bytes.
struct DecidedTrace {
    var summary: TraceSummary
    var kept: KeptTrace

    init(_ spans: [SentSpan], resource: [(String, SentValue)], matching program: MatcherProgram) throws {
        var request = MessageWriter()
        request.message(1) { resourceSpans in
            resourceSpans.message(1) { message in
                for attribute in resource { Self.write(attribute, 1, &message) }
            }
            resourceSpans.message(2) { scopeSpans in
                for span in spans { scopeSpans.message(2) { Self.write(span, &$0) } }
            }
        }
        var batch = SpanBatch()
        try SpanScanner.scan(request.bytes.span.bytes, matching: program, into: &batch)
        var summary = TraceSummary(opening: batch.records[0], offset: 0, tick: StreamTick(0))
        for record in batch.records.dropFirst() { summary.add(record, offset: 0, tick: StreamTick(0)) }
        self.summary = summary
        kept = KeptTrace(
            traceID: summary.traceID, partition: 0, arena: request.bytes,
            spans: batch.records.map { record in
                KeptSpan(
                    spanID: record.spanID, offset: 0, index: record.index, span: record.span,
                    resource: record.resource, scope: .none, resourceSchemaURL: .none, scopeSchemaURL: .none)
            })
    }

    private static func write(_ span: SentSpan, _ message: inout MessageWriter) {
        message.bytes(1, Array(repeating: 7, count: 16))
        message.bytes(2, [0, 0, 0, 0, 0, 0, 0, span.id])
        if !span.traceState.isEmpty { message.string(3, span.traceState) }
        message.string(5, span.name)
        message.fixed64(7, (1000 + span.start) * 1_000_000)
        message.fixed64(8, (1000 + span.end) * 1_000_000)
        for attribute in span.attributes { write(attribute, 9, &message) }
        if span.status != 0 { message.message(15) { $0.int(3, Int64(span.status)) } }
        if span.flags != 0 { message.fixed32(16, span.flags) }
    }

    private static func write(_ attribute: (String, SentValue), _ field: UInt32, _ message: inout MessageWriter) {
        message.message(field) { pair in
            pair.string(1, attribute.0)
            pair.message(2) { value in
                switch attribute.1 {
                case .text(let text): value.string(1, text)
                case .flag(let flag): value.bool(2, flag)
                case .int(let number): value.int(3, number)
                case .real(let number): value.double(4, number)
                }
            }
        }
    }
}
