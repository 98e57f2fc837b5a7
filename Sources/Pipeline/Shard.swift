import OTLPWire
public import Sampling
import TraceBuffering
import TraceModel

/// One partition's spans from the log to their decision: step functions, bytes and times in, results out.
///
///     record ─▶ scan ─▶ route ─┬─ undecided ─▶ buffer ─▶ ripe ─▶ decide ─┬─ kept ──▶ sealed batches
///                              ├─ late, kept ───────────────────────────┘└─ dropped: counted, freed
///                              └─ dropped, settled: counted
///
/// The caller offers records in order (`ingest`), gives turns (`advance`), carries batches to the table
/// (`seal`, `committed`) and takes away what piles up: verdicts, decision events, reads, dead letters.
///
/// Not thread-safe: one worker owns it. Source: Documentation/Positions.md.
public struct Shard: ~Copyable {
    public let id: PartitionID
    /// The epoch under which it may commit.
    public let epoch: Int64
    public internal(set) var counters = ShardCounters()
    /// The policies that decide now.
    public private(set) var sampler: Sampler

    let options: ShardOptions
    var buffer: TraceBuffer
    var ledger: Ledger
    var clock: StreamClock
    var memory: DecisionMemory
    var shadow: ShadowRegion
    private var batch = SpanBatch()
    private var ripe: [RipeTrace] = []
    private var decidedThisTurn = 0
    /// Bytes of the message that found no room; the next turn makes some.
    private var wantedBytes: Int?

    var pending: [OwedRows] = []
    var inFlight: [OwedRows] = []
    var isSealed = false
    var keptBytes = 0
    var readingBack: [TraceHandle: KeptRead] = [:]
    var reads: [TraceReads] = []
    private var verdicts: [VerdictRecord] = []
    private var events: [DecisionEvent] = []
    private var deadLetters: [DeadLetter] = []

    /// Takes up a partition where FENCE and RECOVER found it.
    public init(recovered: RecoveredPartition, options: ShardOptions, sampler: Sampler) {
        id = recovered.id
        epoch = recovered.epoch
        self.options = options
        self.sampler = sampler
        buffer = TraceBuffer(limits: options.buffer)
        ledger = Ledger(
            resume: recovered.resume, settled: recovered.settled, clock: recovered.clock, anchor: recovered.anchor,
            bucketShift: options.ledgerBucketShift)
        clock = StreamClock(kind: options.timestamps, at: recovered.clock)
        memory = DecisionMemory(
            limit: options.decisions, timeToLive: options.decisionTimeToLiveTicks, at: recovered.clock)
        shadow = ShadowRegion(recovered, ignoresIndex: options.plants(.ignoresSourceIndex))
        remember(recovered)
    }

    /// The next offset to offer.
    public var next: Int64 { ledger.next.offset }

    /// New policies decide from here on.
    public mutating func adopt(sampler: Sampler) { self.sampler = sampler }

    // MARK: Records

    /// Offers one record of the log; offsets ascend, gaps are normal.
    ///
    /// - Parameters:
    ///   - message: An `ExportTraceServiceRequest`; copied when anything of it is buffered.
    ///   - following: Timestamps of up to 8 records behind it; only `createTime` logs need them.
    ///   - wall: Our wall clock, milliseconds since 1970.
    public mutating func ingest(
        _ record: LogRecord, _ message: borrowing RawSpan, following: [Int64] = [], wall: Int64
    ) -> IngestOutcome {
        guard record.offset >= ledger.next.offset else {
            counters.messagesRead += 1
            return .taken
        }
        guard keptBytes < options.keptBytes else { return .again(.keptFull) }
        let before = clock.now
        guard enter(record, following: following, wall: wall) else { return .again(.expiring) }
        let isShadow = shadow.isShadow(record.offset)
        guard isShadow || buffer.hasRoom(forBytes: message.byteCount) else {
            wantedBytes = message.byteCount
            return .again(.bufferFull)
        }
        do throws(WireError) {
            try SpanScanner.scan(message, matching: sampler.program, into: &batch)
        } catch {
            open(record, before: before, byteCount: message.byteCount, wall: wall)
            if isShadow { return close(record) }
            return bury(record, message, error)
        }
        guard isShadow || buffer.hasRoom(forBytes: message.byteCount + batch.merged.count) else {
            wantedBytes = message.byteCount + batch.merged.count
            return .again(.bufferFull)
        }
        open(record, before: before, byteCount: message.byteCount, wall: wall)
        counters.spansRejected += UInt64(batch.rejectedCount)
        if isShadow {
            overshadow(record.offset)
        } else {
            take(record.offset, message)
        }
        return close(record)
    }

    /// Entering a tick: what is due goes first, so that the verdict does not depend on batch sizes.
    private mutating func enter(_ record: LogRecord, following: [Int64], wall: Int64) -> Bool {
        var arrival = clock.arrival(record.timestampMilliseconds, following: following, wall: wall)
        if options.plants(.processingClock) { arrival = max(arrival, wall) }
        clock.enter(arrival)
        ledger.moveClock(to: clock.now)
        return expire()
    }

    private mutating func open(_ record: LogRecord, before: StreamTick, byteCount: Int, wall: Int64) {
        clock.observe(record.timestampMilliseconds, moved: clock.now > before, wall: wall)
        ledger.open(record, clock: before)
        counters.messages += 1
        counters.messageBytes += UInt64(byteCount)
    }

    private mutating func close(_ record: LogRecord) -> IngestOutcome {
        wantedBytes = nil
        ledger.close(record, clock: clock.now)
        return .taken
    }

    /// Undecodable: it waits for somebody to store it, and never stops the log.
    private mutating func bury(
        _ record: LogRecord, _ message: borrowing RawSpan, _ error: WireError
    ) -> IngestOutcome {
        counters.deadLetters += 1
        ledger.claim(at: record.offset)
        deadLetters.append(
            DeadLetter(record: record, bytes: [UInt8](copying: message), message: error.description))
        return close(record)
    }

    /// Routes a message's spans and gives each to whom it belongs.
    private mutating func take(_ offset: Int64, _ message: borrowing RawSpan) {
        var late: [TraceID: [SpanRecord]] = [:]
        var lateOrder: [TraceID] = []
        for index in batch.records.indices {
            let route = route(batch.records[index], offset: offset)
            batch.records[index].route = route
            if route == .lateKept {
                let traceID = batch.records[index].traceID
                if late[traceID] == nil { lateOrder.append(traceID) }
                late[traceID, default: []].append(batch.records[index])
            }
        }
        let result = buffer.ingest(message, batch, offset: offset, at: clock.now)
        ledger.claim(at: offset, count: result.openedTraces)
        counters.tracesIngested += UInt64(result.openedTraces)
        counters.spansIngested += UInt64(result.takenSpans)
        for traceID in lateOrder {
            let trace = KeptTrace(
                late: late[traceID]!, of: traceID, in: message, merged: batch.merged, offset: offset,
                partition: id.partition)
            keepLate(trace, offset: offset)
        }
    }

    private mutating func overshadow(_ offset: Int64) {
        for record in batch.records { rememberShadow(record.traceID) }
        counters.shadowSpans += UInt64(batch.records.count)
        ledger.foreshadow(
            at: offset, until: clock.now.advanced(by: options.buffer.maximumDurationTicks))
    }

    // MARK: Turns

    /// One turn: moves the clock, decides what is due, and decides early when a message waits for room.
    ///
    /// - Returns: Whether more is due at once; at most `decisionsPerTurn` traces are decided in one turn.
    public mutating func advance(_ reach: LogReach, wall: Int64) -> Bool {
        decidedThisTurn = 0
        clock.reach(reach, wall: wall)
        #if DEBUG
            if options.plants(.processingClock) { clock.jump(to: wall) }
        #endif
        ledger.moveClock(to: clock.now)
        guard expire() else { return true }
        return makeRoom()
    }

    /// Decides what is due; false when the turn is over before everything is.
    private mutating func expire() -> Bool {
        guard let deadline = buffer.nextDeadline, deadline <= clock.now else { return true }
        ripe.removeAll(keepingCapacity: true)
        let isMore = buffer.ripe(
            at: clock.now, limit: options.decisionsPerTurn - decidedThisTurn, into: &ripe)
        decideRipe()
        return !isMore
    }

    /// The budget is full and nothing is ripe: a clock that stands would wait for ever.
    private mutating func makeRoom() -> Bool {
        guard let wanted = wantedBytes, !options.plants(.noEarlyDecision) else { return false }
        if buffer.hasRoom(forBytes: wanted) {
            wantedBytes = nil
            return false
        }
        while !(buffer.hasEarlyRoom && buffer.hasRoom(forBytes: wanted)) {
            guard decidedThisTurn < options.decisionsPerTurn else { return true }
            ripe.removeAll(keepingCapacity: true)
            buffer.early(limit: max(1, buffer.traceCount / BufferLimits.earlyFreeShare), into: &ripe)
            guard !ripe.isEmpty else { break }
            counters.earlyDecisions += UInt64(ripe.count)
            decideRipe()
        }
        wantedBytes = nil
        return false
    }

    private mutating func decideRipe() {
        decidedThisTurn += ripe.count
        for index in ripe.indices { decide(ripe[index]) }
    }

    /// Decides one trace: a row in the table, then an earlier verdict, then the policies.
    private mutating func decide(_ trace: RipeTrace) {
        let summary = trace.summary
        let decision = decision(about: summary)
        memory.remember(summary.traceID, decision, at: clock.now, now: clock.now)
        counters.verdictsForgotten = UInt64(memory.forgottenCount)
        // An early decision comes within a tick: what arrived in it was part of the trace, as everything before.
        let decidedAt = trace.cause == .early ? clock.now.advanced(by: 1) : clock.now
        note(summary.traceID, decision, at: decidedAt)
        report(trace, decision)
        ledger.decided(first: summary.firstOffset, last: summary.lastOffset)
        guard decision.isKept else {
            counters.dropped(decision.reason, traces: 1, spans: Int(summary.spanCount))
            buffer.discard(trace.handle)
            ledger.release(at: summary.firstOffset)
            return
        }
        counters.sampled(decision.reason, traces: 1, spans: Int(summary.spanCount))
        let kept = KeptRead(claim: summary.firstOffset, decision: decision, decidedAt: decidedAt)
        switch buffer.take(trace.handle) {
        case .whole(let whole):
            attachEvidence(of: whole, decision)
            keep(whole, kept)
        case .reads(let needed):
            readingBack[trace.handle] = kept
            reads.append(TraceReads(handle: trace.handle, reads: needed))
        }
    }

    // MARK: What piles up

    /// A line for the verdict files.
    mutating func note(_ traceID: TraceID, _ decision: Decision, at tick: StreamTick) {
        verdicts.append(
            VerdictRecord(
                traceID: traceID, tick: tick, verdict: decision.verdict, reason: decision.reason))
    }

    private mutating func report(_ trace: RipeTrace, _ decision: Decision) {
        guard events.count < options.decisionEvents else {
            counters.decisionEventsDropped += 1
            return
        }
        events.append(
            DecisionEvent(
                summary: trace.summary, decision: decision, cause: trace.cause, decidedAt: clock.now,
                votes: options.recordsVotes ? sampler.votes(trace.summary) : []))
    }

    /// Names the span because of which the trace was kept; its bytes are at hand only now.
    private mutating func attachEvidence(of trace: KeptTrace, _ decision: Decision) {
        guard decision.reason == .error, events.last?.summary.traceID == trace.traceID else { return }
        events[events.count - 1].errorSpan = trace.nameOfErrorSpan
    }

    /// Verdicts since the last call: appended to the verdict files before the turn ends.
    public mutating func takeVerdicts() -> [VerdictRecord] { drain(&verdicts) }

    /// Decisions since the last call, for the decision log.
    public mutating func takeDecisions() -> [DecisionEvent] { drain(&events) }

    /// Kept traces whose bytes have to be read, since the last call.
    public mutating func takeReads() -> [TraceReads] { drain(&reads) }

    /// Undecodable records since the last call; `deadLetterStored` gives each one's claim back.
    public mutating func takeDeadLetters() -> [DeadLetter] { drain(&deadLetters) }

    /// Somebody stored the dead letter of this offset.
    public mutating func deadLetterStored(offset: Int64) { ledger.release(at: offset) }
}

private func drain<Element>(_ list: inout [Element]) -> [Element] {
    defer { list = [] }
    return list
}
