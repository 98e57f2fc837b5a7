import TraceBuffering
import TraceModel

/// The rules of the buffer word by word: a dictionary of arrays, every span a copy of its own. No segments, no slots,
/// no wheel; the oracle of the real one.
struct NaiveTraceBuffer {
    struct Span {
        var record: SpanRecord
        var offset: Int64
        var contents: SpanContents
    }

    struct Trace {
        var summary: TraceSummary
        var spans: [Span]
        /// When it came to `ripe` or `early`.
        var isHandedOut = false
    }

    private let limits: BufferLimits
    private(set) var traces: [TraceID: Trace] = [:]
    /// Which program the bits of summaries belong to.
    var program: UInt64 = 0

    init(_ limits: BufferLimits) { self.limits = limits }

    var spanCount: Int { traces.values.reduce(0) { $0 + $1.spans.count } }

    /// - Returns: How many traces were opened.
    mutating func ingest(_ message: TestMessage, offset: Int64, at tick: Int64) -> Int {
        var opened = 0
        for record in message.batch.records where record.route == .buffer {
            let span = Span(record: record, offset: offset, contents: message.contents(of: record))
            if traces[record.traceID] == nil {
                opened += 1
                traces[record.traceID] = Trace(
                    summary: TraceSummary(opening: record, offset: offset, tick: StreamTick(tick)), spans: [span])
            } else {
                traces[record.traceID]!.summary.add(record, offset: offset, tick: StreamTick(tick))
                traces[record.traceID]!.spans.append(span)
            }
        }
        return opened
    }

    func deadline(of trace: Trace) -> (tick: Int64, cause: RipeCause) {
        let summary = trace.summary
        let wait =
            summary.hasRoot ? min(limits.rootInactivityTicks, limits.inactivityTicks) : limits.inactivityTicks
        let silent = summary.lastTick.value + wait
        let old = summary.firstTick.value + limits.maximumDurationTicks
        if old <= silent { return (old, .duration) }
        return (silent, summary.hasRoot ? .root : .inactivity)
    }

    var firstDeadline: Int64? { traces.values.filter { !$0.isHandedOut }.map { deadline(of: $0).tick }.min() }

    mutating func ripe(at tick: Int64, limit: Int) -> (traces: [(TraceSummary, RipeCause)], isMore: Bool) {
        let due = traces.values.filter { !$0.isHandedOut && deadline(of: $0).tick <= tick }
            .map { (deadline(of: $0), summary(of: $0)) }
            .sorted { one, other in
                (one.0.tick, one.1.firstOffset, one.1.traceID) < (other.0.tick, other.1.firstOffset, other.1.traceID)
            }
        for (_, summary) in due.prefix(limit) { traces[summary.traceID]!.isHandedOut = true }
        return (due.prefix(limit).map { ($0.1, $0.0.cause) }, due.count > limit)
    }

    mutating func early(limit: Int) -> [(TraceSummary, RipeCause)] {
        let oldest = traces.values.filter { !$0.isHandedOut }.sorted { one, other in
            (one.summary.lastTick, one.summary.firstOffset, one.summary.traceID)
                < (other.summary.lastTick, other.summary.firstOffset, other.summary.traceID)
        }.prefix(limit).map { summary(of: $0) }
        for summary in oldest { traces[summary.traceID]!.isHandedOut = true }
        return oldest.map { ($0, .early) }
    }

    mutating func remove(_ traceID: TraceID) -> [Span] { traces.removeValue(forKey: traceID)?.spans ?? [] }

    /// With the bits that the current program gives.
    private func summary(of trace: Trace) -> TraceSummary {
        var summary = trace.summary
        summary.matches = 0
        summary.forceRule = SpanRecord.noForceRule
        for span in trace.spans {
            let bits = TestProgram.bits(of: span.record.spanID, program)
            summary.matches |= bits.matches
            summary.forceRule = min(summary.forceRule, bits.forceRule)
        }
        return summary
    }
}

/// The bytes of a span's five ranges.
struct SpanContents: Hashable {
    var span: [UInt8]
    var resource: [UInt8]
    var scope: [UInt8]
    var resourceSchemaURL: [UInt8]
    var scopeSchemaURL: [UInt8]
}

/// What matchers would say, as a function of the span's id and the version of the program.
enum TestProgram {
    static func bits(of span: SpanID, _ version: UInt64) -> (matches: UInt64, forceRule: UInt16) {
        let mixed = (span.value ^ version &* 0xD134_2543_DE82_EF95).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        let number = mixed.high ^ mixed.low
        let matches: UInt64 = number & 7 == 0 ? 1 << (number >> 8 & 63) : 0
        return (matches, number >> 16 & 15 == 0 ? UInt16(number >> 32 & 0x3FF) : SpanRecord.noForceRule)
    }
}
