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
    /// The policies and force rules that decide now.
    public private(set) var sampler: Sampler
    /// What limiters have left, and how the policies voted.
    var state: SamplerState
    /// Which traces obey force rules that have expired.
    var boundaries = ForceRuleBoundaries()

    let options: ShardOptions
    var buffer: TraceBuffer
    var ledger: Ledger
    var clock: StreamClock
    var memory: DecisionMemory
    var shadow: ShadowRegion
    private var batch = SpanBatch()
    private var late = LateSpans()
    /// Indices of the batch's records whose trace is not buffered.
    private var unbuffered: [Int] = []
    /// Complete traces on their way to their decision, in order.
    var ripe = RipeQueue()
    var turn: TurnBudget
    /// Bytes of the message that found no room; the next turn makes some.
    private var wantedBytes: Int?
    /// Early decisions go on until the share that they free is free.
    private var isMakingRoom = false
    var spilling = Spilling()
    var rematching = Rematching()

    var pending: [OwedRows] = []
    var inFlight: [OwedRows] = []
    var isSealed = false
    var keptBytes = 0
    /// Bytes of `pending`.
    var waitingBytes = 0
    var readingBack: [TraceHandle: KeptRead] = [:]
    var reads: [TraceReads] = []
    private var verdicts: [VerdictRecord] = []
    var events: [DecisionEvent] = []
    var evidenceBudget: EvidenceBudget
    private var deadLetters: [DeadLetter] = []

    /// Takes up a partition where FENCE and RECOVER found it.
    public init(recovered: RecoveredPartition, options: ShardOptions, sampler: Sampler) {
        id = recovered.id
        epoch = recovered.epoch
        self.options = options
        self.sampler = sampler
        state = sampler.makeState(partitionCount: options.partitionCount)
        evidenceBudget = EvidenceBudget(options)
        turn = TurnBudget(options)
        buffer = TraceBuffer(limits: options.buffer)
        ledger = Ledger(
            resume: recovered.resume, settled: recovered.settled, clock: recovered.clock, anchor: recovered.anchor,
            bucketShift: options.ledgerBucketShift)
        clock = StreamClock(kind: options.timestamps, at: recovered.clock)
        memory = DecisionMemory(limit: options.decisions, timeToLive: options.decisionTimeToLiveTicks)
        shadow = ShadowRegion(recovered, ignoresIndex: options.plants(.ignoresSourceIndex))
        boundaries.adopt(sampler.forceRules, next: recovered.resume)
        remember(recovered)
    }

    /// The next offset to offer.
    public var next: Int64 { ledger.next.offset }

    /// New policies or rules decide from here on, about every trace that is not decided yet.
    ///
    /// A rule that has expired goes on deciding about the traces that opened before. Where spans that were scanned
    /// before mean something else now, they are matched anew in the background (`rematch`).
    public mutating func adopt(sampler new: Sampler) {
        boundaries.adopt(new.forceRules, next: ledger.next.offset)
        state = new.makeState(partitionCount: options.partitionCount, carrying: state)
        let isNew = new.matcherVersion != sampler.matcherVersion
        sampler = new
        if isNew, !options.plants(.skipsRematch) { startRematch() }
    }

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
        guard isShadow || !isMakingRoom else {
            wantedBytes = max(wantedBytes ?? 0, message.byteCount)
            return .again(.bufferFull)
        }
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
        late.removeAll()
        buffer.prefetch(batch)
        unbuffered.removeAll(keepingCapacity: true)
        for index in batch.records.indices {
            // Most spans belong to a trace that is buffered already: nothing else is looked at for them.
            if buffer.contains(batch.records[index].traceID) {
                batch.records[index].route = .buffer
            } else {
                unbuffered.append(index)
                memory.prefetch(batch.records[index].traceID)
            }
        }
        for index in unbuffered {
            let route = route(batch.records[index], offset: offset)
            batch.records[index].route = route
            if route == .lateKept { late.add(batch.records[index]) }
        }
        let result = buffer.ingest(message, batch, offset: offset, at: clock.now)
        ledger.claim(at: offset, count: result.openedTraces)
        counters.tracesIngested += UInt64(result.openedTraces)
        counters.spansIngested += UInt64(result.takenSpans)
        guard !late.isEmpty else { return }
        for (traceID, records) in late.traces {
            let trace = KeptTrace(
                late: records, of: traceID, in: message, merged: batch.merged, offset: offset,
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
    /// - Returns: Whether more is due at once; the work of one turn is bounded (`ShardOptions.decisionsPerTurn`,
    ///   `keptSpansPerTurn`).
    public mutating func advance(_ reach: LogReach, wall: Int64) -> Bool {
        turn = TurnBudget(options)
        evidenceBudget.renew(wall: wall)
        // A trace that waits for its bytes is decided first: nothing moves past it.
        if ripe.isEmpty {
            clock.reach(reach, wall: wall)
            #if DEBUG
                if options.plants(.processingClock) { clock.jump(to: wall) }
            #endif
            ledger.moveClock(to: clock.now)
        }
        guard expire() else { return !isWaitingForDisk }
        return makeRoom(wall: wall)
    }

    /// Whether nothing goes on before the disk has answered: there is no use in another turn until then.
    public var isWaitingForDisk: Bool {
        ripe.isWaiting || readingBack.count >= options.tracesReadBack
            || (wantedBytes != nil && spilling.isAwaited)
    }

    /// Decides what is due; false when the turn is over before everything is, or bytes have to come first.
    private mutating func expire() -> Bool {
        guard decideRipe() else { return false }
        while let deadline = buffer.nextDeadline, deadline <= clock.now {
            guard !turn.isOver, readingBack.count < options.tracesReadBack else { return false }
            ripe.refill()
            let isMore = buffer.ripe(
                at: clock.now, limit: min(RipeQueue.batch, turn.decisionsLeft), into: &ripe.traces)
            guard decideRipe() else { return false }
            if !isMore { return true }
        }
        return true
    }

    /// The budget is full and nothing is ripe: a clock that stands would wait for ever.
    private mutating func makeRoom(wall: Int64) -> Bool {
        guard let wanted = wantedBytes, !options.plants(.noEarlyDecision) else { return false }
        if !isMakingRoom {
            if buffer.hasRoom(forBytes: wanted) {
                wantedBytes = nil
                return false
            }
            // Room comes from the disk by itself, unless it is the index that is full.
            offerSegments()
            spilling.isAwaited = buffer.traceCount < options.buffer.traces && spilling.waits(wall: wall)
            if spilling.isAwaited { return false }
            isMakingRoom = true
            spilling.startEarly(buffer.traceCount, wall: wall)
        }
        while !(buffer.hasEarlyRoom && buffer.hasRoom(forBytes: wanted)) {
            guard !turn.isOver else { return true }
            ripe.refill()
            buffer.early(
                limit: min(RipeQueue.batch, turn.decisionsLeft, spilling.earlyLeft), into: &ripe.traces)
            guard !ripe.isEmpty else { break }
            counters.earlyDecisions += UInt64(ripe.traces.count)
            spilling.earlyLeft -= ripe.traces.count
            guard decideRipe() else { return !isWaitingForDisk }
        }
        isMakingRoom = false
        wantedBytes = nil
        return false
    }

    // MARK: What piles up

    /// A line for the verdict files.
    mutating func note(_ traceID: TraceID, _ decision: Decision, at tick: StreamTick) {
        verdicts.append(
            VerdictRecord(
                traceID: traceID, tick: tick, verdict: decision.verdict, reason: decision.reason))
    }

    /// How the policies have voted since the last call; for every number above 0.
    public mutating func drainVoteCounts(_ report: (_ policy: Int, _ outcome: Vote.Outcome, _ count: UInt64) -> Void) {
        state.drainVoteCounts(report)
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

/// The list, and an empty one of its size in its place: a turn grows its lists once, not step by step.
private func drain<Element>(_ list: inout [Element]) -> [Element] {
    guard !list.isEmpty else { return [] }
    let taken = list
    list = []
    list.reserveCapacity(taken.count)
    return taken
}
