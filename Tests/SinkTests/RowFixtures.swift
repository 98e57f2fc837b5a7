import Foundation
import Iceberg
import IcebergSink
import OTLPWire
import Pipeline
import TraceGenerator
import TraceModel

/// A folder of its own for one test, removed when the test is done with it.
final class Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "tss-rows-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var uri: String { "file://" + path }

    /// Names in it, sorted.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}

enum Rows {
    static let source = SourceID(topic: "otlp:6f0e", generation: 1)

    static func table() -> TableMetadata {
        TableMetadata(
            tableUUID: "11111111-2222-3333-4444-555555555555", location: "file:///nowhere",
            schema: SpanTable.schema, partitionSpec: SpanTable.partitionSpec, sortOrder: SpanTable.sortOrder,
            properties: [:], nowMilliseconds: 1)
    }

    /// The spans of the messages as sampled traces, in the order of their first spans.
    ///
    /// - Parameter messages: Encoded requests; message n has offset `firstOffset + n`.
    static func sampled(
        _ messages: [[UInt8]], firstOffset: Int64 = 0, partition: Int32 = 0,
        decidedAtMilliseconds: Int64 = 1_780_000_100_000, reason: Reason = .error, policy: String = "errors"
    ) throws -> [SampledTrace] {
        var order: [TraceID] = []
        var traces: [TraceID: KeptTrace] = [:]
        for (index, message) in messages.enumerated() {
            for record in try scan(message) {
                if traces[record.traceID] == nil {
                    order.append(record.traceID)
                    traces[record.traceID] = KeptTrace(traceID: record.traceID, partition: partition)
                }
                traces[record.traceID]?.append(record, of: message, offset: firstOffset + Int64(index))
            }
        }
        let decision = Decision(verdict: .sampled, reason: reason, policy: policy, adjustedCount: 4)
        return order.compactMap { traces[$0] }.map {
            SampledTrace(trace: $0, decision: decision, decidedAtMilliseconds: decidedAtMilliseconds)
        }
    }

    private static func scan(_ message: [UInt8]) throws -> [SpanRecord] {
        var batch = SpanBatch()
        try SpanScanner.scan(message.span.bytes, matching: MatcherProgram([]), into: &batch)
        return batch.records
    }

    static func span(
        trace: UInt64, span: UInt64, start: UInt64 = 1_780_000_000_000_000_000, name: String = "GET /"
    ) -> GeneratedSpan {
        GeneratedSpan(
            traceID: TraceID(high: 0, low: trace), spanID: SpanID(span), name: name, startTimeUnixNano: start,
            endTimeUnixNano: start + 5_000_000)
    }

    static func message(_ spans: [GeneratedSpan], service: String = "checkout") -> [UInt8] {
        GeneratedRequest(
            resource: [GeneratedAttribute("service.name", service)], scopeName: "scope", scopeVersion: "1",
            spans: spans
        ).encoded()
    }
}

extension KeptTrace {
    /// Copies the span; its resource and scope only when the span before it has others.
    mutating func append(_ record: SpanRecord, of message: [UInt8], offset: Int64) {
        let last = spans.last
        func take(_ range: ByteRange, _ shared: ByteRange?) -> ByteRange {
            guard !range.isEmpty else { return .none }
            let bytes = message[range.lowerBound..<range.upperBound]
            if let shared, arena[shared.lowerBound..<shared.upperBound].elementsEqual(bytes) { return shared }
            let start = UInt32(arena.count)
            arena += bytes
            return ByteRange(offset: start, count: range.count)
        }
        spans.append(
            KeptSpan(
                spanID: record.spanID, offset: offset, index: record.index, span: take(record.span, nil),
                resource: take(record.resource, last?.resource), scope: take(record.scope, last?.scope),
                resourceSchemaURL: take(record.resourceSchemaURL, last?.resourceSchemaURL),
                scopeSchemaURL: take(record.scopeSchemaURL, last?.scopeSchemaURL)))
    }
}
