internal import Sampling
import TraceBuffering
import TraceModel

extension Shard {
    /// A verdict that stands already, and who says so.
    struct Known {
        var remembered: DecisionMemory.Remembered
        /// Whether a row in the table says it: reason, policy and count are the table's.
        var isFromTable: Bool
    }

    /// Order of authority: a row in the table, then kept, then dropped.
    func known(_ traceID: TraceID) -> Known? {
        let remembered = memory.recall(traceID, at: clock.now)
        if shadow.isEmpty { return remembered.map { Known(remembered: $0, isFromTable: false) } }
        if let row = shadow.verdict(of: traceID) {
            if let remembered, remembered.decision.isKept, !remembered.isOfEarlierLife {
                return Known(remembered: remembered, isFromTable: true)
            }
            let tick = StreamTick(milliseconds: row.decidedAtMilliseconds)
            return Known(
                remembered: DecisionMemory.Remembered(
                    decision: row.decision, tick: tick, isOfEarlierLife: true),
                isFromTable: true)
        }
        return remembered.map { Known(remembered: $0, isFromTable: false) }
    }

    /// Where a span at or above `settled` goes whose trace is not buffered.
    mutating func route(_ record: SpanRecord, offset: Int64) -> SpanRecord.Route {
        guard let known = known(record.traceID) else { return .buffer }
        let remembered = known.remembered
        // Spans that were part of the decided trace make it whole again, and it ripens as it did before. A dropped
        // one too: only so does the ledger learn how far it reaches, and `resume` stays below its first span.
        if remembered.isOfEarlierLife, clock.now < remembered.tick { return .buffer }
        guard remembered.decision.isKept else {
            counters.spansIngested += 1
            counters.lateSpansDropped += 1
            counters.dropped(remembered.decision.reason, traces: 0, spans: 1)
            refresh(record.traceID, remembered)
            return .lateDropped
        }
        if shadow.isPresent(record.traceID, offset: offset, index: record.index) {
            counters.presentSpans += 1
            return .settled
        }
        counters.spansIngested += 1
        counters.lateSpansKept += 1
        counters.sampled(remembered.decision.reason, traces: 0, spans: 1)
        refresh(record.traceID, remembered)
        return .lateKept
    }

    /// A late span keeps its trace's verdict alive; the files learn it at most once a minute.
    private mutating func refresh(_ traceID: TraceID, _ remembered: DecisionMemory.Remembered) {
        guard remembered.isOfEarlierLife || clock.now > remembered.tick else { return }
        memory.refresh(traceID, remembered, at: clock.now)
        if clock.now.value - remembered.tick.value >= Self.ticksBetweenRefreshes {
            note(traceID, remembered.decision, at: clock.now)
        }
    }

    /// A minute: the verdict files are one per minute.
    private static var ticksBetweenRefreshes: Int64 { 600 }

    /// The verdict that stands already on a ripe trace; nil when it is to be judged.
    mutating func verdictBefore(_ summary: TraceSummary) -> Decision? {
        guard let known = known(summary.traceID) else { return nil }
        state.skipPolicies()
        let before = known.remembered.decision
        if known.isFromTable || !before.isKept { return before }
        // The verdict files hold neither policy nor count: what the policies say today, if they still keep it.
        let today = sampler.decide(summary)
        return today.isKept ? today : before
    }

    /// A trace of the shadow region: the table is its verdict.
    mutating func rememberShadow(_ traceID: TraceID) {
        let known = known(traceID)
        if let known, !known.remembered.isOfEarlierLife { return }
        var decision = Decision(verdict: .notSampled, reason: .notSampled, policy: "", adjustedCount: 0)
        if let before = known?.remembered.decision, before.isKept { decision = before }
        memory.remember(traceID, decision, at: clock.now, now: clock.now)
    }

    /// What earlier lives decided: the verdict files, then the table's recent files.
    mutating func remember(_ recovered: RecoveredPartition) {
        for record in recovered.remembered {
            let decision = Decision(
                verdict: record.verdict, reason: record.reason, policy: "", adjustedCount: 0)
            memory.remember(
                record.traceID, decision, at: record.tick, now: recovered.clock, isOfEarlierLife: true)
        }
        for kept in recovered.kept {
            memory.remember(
                kept.traceID, kept.decision, at: StreamTick(milliseconds: kept.decidedAtMilliseconds),
                now: recovered.clock, isOfEarlierLife: true)
        }
    }
}
