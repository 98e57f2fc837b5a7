import Pipeline
import TraceBuffering
import TraceModel

/// A record that is durable in a log.
struct TruthRecord: Hashable {
    var offset: Int64
    var request: Int
    var stampMilliseconds: Int64
    var spans: [SimulatedSpan]

    var tick: Int64 { stampMilliseconds / 100 }
}

/// What a trace must be decided as: its first spans, up to the silence that ends it.
struct OracleVerdict: Hashable {
    var first: Int64
    var last: Int64
    var spanCount: Int
    var isKept: Bool
}

/// The verdict of every trace of a log, by the rules word by word over the whole log at once.
struct Oracle {
    private(set) var verdicts: [TraceID: OracleVerdict] = [:]

    init(_ records: [TruthRecord], _ limits: BufferLimits) {
        var arrivals: [TraceID: [(record: TruthRecord, span: SimulatedSpan)]] = [:]
        for record in records {
            for span in record.spans { arrivals[span.traceID, default: []].append((record, span)) }
        }
        for (traceID, spans) in arrivals {
            let first = spans[0].record
            var last = first
            var taken: [SimulatedSpan] = []
            for (record, span) in spans {
                let wait = taken.contains(where: \.isRoot) ? limits.rootInactivityTicks : limits.inactivityTicks
                let deadline = min(last.tick + wait, first.tick + limits.maximumDurationTicks)
                if !taken.isEmpty, record.tick >= deadline { break }
                taken.append(span)
                last = record
            }
            verdicts[traceID] = OracleVerdict(
                first: first.offset, last: last.offset, spanCount: taken.count,
                isKept: taken.contains(where: \.isError) && !taken.contains(where: \.isHealthCheck))
        }
    }
}
