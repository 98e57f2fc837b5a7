public import OTLPWire
import ProtobufWriter
public import TraceModel

/// Splits export requests by trace, when the embedded log has several partitions: all spans of a trace go to one.
///
/// The same request always splits the same way, byte for byte, so that a repeated request is recognised in every
/// partition by itself.
public enum RequestSplitter {
    /// One partition's share of a request.
    public struct Part: Sendable, Hashable {
        public var partition: Int
        /// An `ExportTraceServiceRequest`.
        public var body: [UInt8]
    }

    /// The partition of a trace among `count`; for ever the same.
    ///
    /// Trace ids need not be random all over: some libraries put a timestamp in front. The finalizer of SplitMix64
    /// spreads every bit.
    public static func partition(of traceID: TraceID, count: Int) -> Int {
        var word = traceID.low ^ (traceID.high &* 0x9E37_79B9_7F4A_7C15)
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((word ^ (word >> 31)) % UInt64(count))
    }

    /// The parts in the order of their partitions; spans without a usable id are in none.
    ///
    /// A request whose spans are all of one partition is its own part, unchanged. Fields that OTLP does not have
    /// today are not kept in a split request.
    public static func split(_ body: [UInt8], count: Int) throws(WireError) -> [Part] {
        var batch = SpanBatch()
        try SpanScanner.scan(body.span.bytes, matching: .empty, into: &batch)
        var byPartition = [[SpanRecord]](repeating: [], count: count)
        for record in batch.records { byPartition[partition(of: record.traceID, count: count)].append(record) }
        let used = byPartition.indices.filter { !byPartition[$0].isEmpty }
        if used.count == 1, batch.rejectedCount == 0 { return [Part(partition: used[0], body: body)] }
        let source = Source(body: body, merged: batch.merged)
        return used.map { Part(partition: $0, body: encoded(byPartition[$0], source)) }
    }

    /// The message, and what was put together of fields that the sender split; ranges go on from one to the other.
    private struct Source {
        var body: [UInt8]
        var merged: [UInt8]

        func bytes(_ range: ByteRange) -> [UInt8] {
            if range.lowerBound >= body.count {
                return Array(merged[range.lowerBound - body.count..<range.upperBound - body.count])
            }
            return Array(body[range.lowerBound..<range.upperBound])
        }
    }

    /// Spans in their order, those of one resource and scope that follow one another side by side.
    private static func encoded(_ records: [SpanRecord], _ source: Source) -> [UInt8] {
        var writer = MessageWriter(capacity: records.reduce(0) { $0 + Int($1.span.count) + 16 })
        var rest = records[...]
        while let first = rest.first {
            let group = rest.prefix {
                $0.resource == first.resource && $0.resourceSchemaURL == first.resourceSchemaURL
                    && $0.scope == first.scope && $0.scopeSchemaURL == first.scopeSchemaURL
            }
            rest = rest.dropFirst(group.count)
            // Field numbers: opentelemetry/proto/trace/v1/trace.proto.
            writer.message(1) { resourceSpans in
                if !first.resource.isEmpty { resourceSpans.bytes(1, source.bytes(first.resource)) }
                resourceSpans.message(2) { scopeSpans in
                    if !first.scope.isEmpty { scopeSpans.bytes(1, source.bytes(first.scope)) }
                    for record in group { scopeSpans.bytes(2, source.bytes(record.span)) }
                    if !first.scopeSchemaURL.isEmpty { scopeSpans.bytes(3, source.bytes(first.scopeSchemaURL)) }
                }
                if !first.resourceSchemaURL.isEmpty { resourceSpans.bytes(3, source.bytes(first.resourceSchemaURL)) }
            }
        }
        return writer.bytes
    }
}
