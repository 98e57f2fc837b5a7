import Pipeline
import TraceBuffering
import TraceModel

/// The rules of ripeness word by word: at every record, look at every trace. No heap, no buffer, no ledger.
struct NaiveVerdicts {
    private struct Trace {
        var spans: [Sketch]
        var first: Int64
        var last: Int64
        var firstOffset: Int64
        var hasRoot: Bool
    }

    private var limits: BufferLimits
    private var open: [TraceID: Trace] = [:]
    private var decided: [TraceID: Bool] = [:]
    private(set) var outcomes: [Outcome] = []
    /// Spans that came after their trace was kept.
    private(set) var lateKept = 0

    init(_ limits: BufferLimits) { self.limits = limits }

    mutating func run(_ log: SketchLog, until stamp: Int64) {
        for entry in log.entries {
            let tick = entry.record.timestampMilliseconds / 100
            expire(tick)
            for span in entry.spans { take(span, tick, entry.record.offset) }
        }
        expire(stamp / 100)
    }

    private mutating func take(_ span: Sketch, _ tick: Int64, _ offset: Int64) {
        if let isKept = decided[span.traceID] {
            if isKept { lateKept += 1 }
            return
        }
        var trace =
            open[span.traceID] ?? Trace(spans: [], first: tick, last: tick, firstOffset: offset, hasRoot: false)
        trace.spans.append(span)
        trace.last = tick
        trace.hasRoot = trace.hasRoot || span.isRoot
        open[span.traceID] = trace
    }

    private func deadline(_ trace: Trace) -> (Int64, RipeCause) {
        let silent = trace.last + (trace.hasRoot ? limits.rootInactivityTicks : limits.inactivityTicks)
        let old = trace.first + limits.maximumDurationTicks
        return old <= silent ? (old, .duration) : (silent, trace.hasRoot ? .root : .inactivity)
    }

    private mutating func expire(_ tick: Int64) {
        let due = open.filter { deadline($0.value).0 <= tick }.sorted { one, other in
            (deadline(one.value).0, one.value.firstOffset, one.key)
                < (deadline(other.value).0, other.value.firstOffset, other.key)
        }
        for (traceID, trace) in due {
            let isKept = trace.spans.contains { $0.isError || $0.milliseconds >= 5000 }
            open[traceID] = nil
            decided[traceID] = isKept
            outcomes.append(
                Outcome(
                    traceID: traceID, tick: StreamTick(tick), isKept: isKept, cause: deadline(trace).1,
                    spanCount: trace.spans.count))
        }
    }
}
