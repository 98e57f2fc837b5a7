internal import OTLPWire
internal import Sampling
internal import TraceBuffering
internal import TraceModel

extension Shard {
    /// Decides the traces of the batch, in order; false when one has to wait for its bytes.
    mutating func decideRipe() -> Bool {
        guard !ripe.isEmpty else { return true }
        if ripe.next == 0, !ripe.isWaiting { prepareRipe() }
        ripe.isWaiting = false
        while !ripe.isEmpty {
            let trace = ripe.traces[ripe.next]
            guard decide(trace) else {
                ripe.isWaiting = true
                return false
            }
            ripe.next += 1
            turn.decided()
        }
        return true
    }

    /// Starts what the decisions will wait for: cache lines, and reads of bytes, all at once.
    private mutating func prepareRipe() {
        for trace in ripe.traces { memory.prefetch(trace.summary.traceID) }
        guard needsBytesOften else { return }
        for trace in ripe.traces where known(trace.summary.traceID) == nil && needsBytes(trace) { fetch(trace) }
    }

    /// Whether it is worth asking for each trace of a batch.
    private var needsBytesOften: Bool {
        rematching.isActive || sampler.needsTraceBytes || !sampler.forceRules.isEmpty
    }

    /// Decides one trace: a row in the table, then an earlier verdict, then force rules, then the policies.
    ///
    /// - Returns: False when its bytes must be read first.
    private mutating func decide(_ trace: RipeTrace) -> Bool {
        var bytes: KeptTrace?
        if !ripe.bytes.isEmpty, let known = ripe.bytes[trace.handle] {
            // Also when a verdict has come meanwhile: its bytes are on their way.
            guard case .here(let whole) = known else { return false }
            bytes = whole
        }
        if bytes == nil, needsBytesOften, needsBytes(trace), known(trace.summary.traceID) == nil {
            fetch(trace)
            guard case .here(let whole) = ripe.bytes[trace.handle] else { return false }
            bytes = whole
        }
        if bytes != nil {
            ripe.bytes[trace.handle] = nil
            ripe.takenSpans -= Int(trace.summary.spanCount)
        }
        if let before = verdictBefore(trace.summary) {
            conclude(trace, before, bytes: bytes, isNew: false)
        } else if let bytes {
            judge(trace, bytes)
        } else {
            conclude(trace, rule(trace.summary, nil), bytes: nil, isNew: true)
        }
        return true
    }

    /// Whether the summary alone does not say how the trace is to be decided.
    private func needsBytes(_ trace: RipeTrace) -> Bool {
        if isStale(trace) { return true }
        if let entry = sampler.forceRules[trace.summary.forceRule] {
            // Only the bytes say which rule comes after one that does not decide.
            return !applies(entry, trace.summary)
        }
        return sampler.asksForBytes(trace.summary)
    }

    func applies(_ entry: ForceRuleSet.Entry, _ summary: TraceSummary) -> Bool {
        #if DEBUG
            if options.plants(.forgetsBoundary), entry.state == .expired { return false }
            if options.plants(.deletedRuleActs), entry.state == .gone { return true }
        #endif
        return boundaries.applies(entry, to: summary)
    }

    /// The trace leaves the buffer, undecided; what is on disk of it is asked for.
    private mutating func fetch(_ trace: RipeTrace) {
        ripe.takenSpans += Int(trace.summary.spanCount)
        switch buffer.take(trace.handle) {
        case .whole(let whole): ripe.bytes[trace.handle] = .here(whole)
        case .reads(let needed):
            ripe.bytes[trace.handle] = .reading
            reads.append(TraceReads(handle: trace.handle, reads: needed))
        }
    }

    /// Decides about a trace whose bytes are here.
    private mutating func judge(_ trace: RipeTrace, _ bytes: KeptTrace) {
        var trace = trace
        if isStale(trace) {
            let found = match(bytes, from: 0)
            trace.summary.matches = found.matches
            trace.summary.forceRule = found.forceRule
            counters.tracesRematched += 1
        }
        conclude(trace, rule(trace.summary, bytes), bytes: bytes, isNew: true)
    }

    /// Force rules, then policies.
    private mutating func rule(_ summary: TraceSummary, _ bytes: KeptTrace?) -> Decision {
        if let forced = forced(summary, bytes) {
            state.skipPolicies()
            return forced
        }
        let now = options.plants(.limitersOnWallTime) ? evidenceBudget.wallTick : clock.now
        guard sampler.asksForBytes(summary) else { return sampler.decide(summary, state: &state, now: now) }
        return sampler.decide(summary, state: &state, now: now, traceBytes: bytes?.tracesDataBytes)
    }

    /// The first rule by rank that the trace satisfies and that may decide about it.
    private func forced(_ summary: TraceSummary, _ bytes: KeptTrace?) -> Decision? {
        var rank = summary.forceRule
        while rank != SpanRecord.noForceRule, let entry = sampler.forceRules[rank] {
            if applies(entry, summary) { return sampler.decision(of: entry.rule) }
            guard let bytes else { preconditionFailure("who needs bytes has them") }
            rank = match(bytes, from: rank + 1).forceRule
        }
        return nil
    }

    // MARK: After the decision

    /// The decision stands: remembered, noted, counted, and the trace goes where it says.
    ///
    /// - Parameters:
    ///   - bytes: Of a trace that left the buffer before its decision.
    ///   - isNew: Whether nothing was remembered of it.
    private mutating func conclude(_ trace: RipeTrace, _ decision: Decision, bytes: KeptTrace?, isNew: Bool) {
        let summary = trace.summary
        if isNew {
            memory.renew(summary.traceID, decision, at: clock.now, now: clock.now)
        } else {
            memory.remember(summary.traceID, decision, at: clock.now, now: clock.now)
        }
        counters.verdictsForgotten = UInt64(memory.forgottenCount)
        // An early decision comes within a tick: what arrived in it was part of the trace, as everything before.
        let decidedAt = trace.cause == .early ? clock.now.advanced(by: 1) : clock.now
        note(summary.traceID, decision, at: decidedAt)
        var event = DecisionEvent(
            summary: summary, decision: decision, cause: trace.cause, decidedAt: clock.now,
            votes: VoteSet(state.votes))
        event.readings = state.readings
        guard decision.isKept else {
            counters.dropped(decision.reason, traces: 1, spans: Int(summary.spanCount))
            drop(trace, bytes, &event)
            report(event)
            ledger.dropped(first: summary.firstOffset, last: summary.lastOffset)
            return
        }
        counters.sampled(decision.reason, traces: 1, spans: Int(summary.spanCount))
        ledger.decided(first: summary.firstOffset, last: summary.lastOffset)
        let kept = KeptRead(
            claim: summary.firstOffset, decision: decision, decidedAt: decidedAt, event: event,
            readings: state.readings)
        if let bytes { return keep(bytes, kept) }
        switch buffer.take(trace.handle) {
        case .whole(let whole): keep(whole, kept)
        case .reads(let needed):
            readingBack[trace.handle] = kept
            reads.append(TraceReads(handle: trace.handle, reads: needed))
        }
    }

    /// The trace is not kept; who named it may be shown, while its bytes are here.
    private mutating func drop(_ trace: RipeTrace, _ bytes: KeptTrace?, _ event: inout DecisionEvent) {
        // Nobody named it: that no policy wanted it needs no span.
        let isNamed = event.decision.verdict == .dropped
        guard isNamed, evidenceBudget.spend(isKept: false) else {
            if bytes == nil { buffer.discard(trace.handle) }
            return
        }
        if let bytes {
            event.evidence = evidence(event, state.readings, bytes)
        } else if case .whole(let whole) = buffer.take(trace.handle) {
            event.evidence = evidence(event, state.readings, whole)
        } else {
            buffer.discard(trace.handle)
        }
    }

    /// The spans and values behind the votes.
    func evidence(_ event: DecisionEvent, _ readings: [LimiterReading?], _ trace: KeptTrace) -> [VoteEvidence] {
        let votes = event.votes.outcomes
        // Decided by policies that are not there any more: nobody can say what they looked at.
        guard votes.count == sampler.policies.count else { return [] }
        return sampler.evidence(
            for: event.decision, votes: votes, readings: readings, of: event.summary, in: trace)
    }

    /// For the decision log; more than it can take are dropped and counted.
    mutating func report(_ event: DecisionEvent) {
        if events.count < options.decisionEvents {
            events.append(event)
        } else {
            counters.decisionEventsDropped += 1
        }
    }
}
