internal import Iceberg
internal import Pipeline
internal import Sampling
internal import Telemetry
internal import Threads
internal import TraceBuffering
internal import TraceModel

/// A shard with its log and what hangs on it. Owned by one worker thread, never shared.
final class OwnedShard {
    /// What a turn left to do.
    enum Progress {
        /// There is more at once.
        case busy
        /// Nothing until the log or the clock moves.
        case idle
        /// Kept rows must be committed first.
        case blockedByCommit
        /// What was written to disk does not come back: the partition must be taken over anew, from the log.
        case broken
    }

    private var shard: Shard
    let source: any SpanSource
    private let verdicts: (any VerdictStore)?
    private let decisions: DecisionLog
    private let deadLetters: DeadLetterFolder
    private let metrics: ShardMetrics
    private let noteRuleMatches: (@Sendable ([String: Int]) -> Void)?
    private let logger: Logger
    private let options: RunnerOptions
    private let spill: SpillChannel?
    private var pace: RematchPace
    private var samplerNumber: UInt32
    private var votes: VoteCounters
    private var isBroken = false
    private var batch = SourceBatch()
    /// First entry of `batch` that was not taken.
    private var position = 0
    private var waitingLetters: [DeadLetter] = []
    private var isCorrupt = false

    init(
        _ shard: consuming Shard, number: UInt32, source: any SpanSource, verdicts: (any VerdictStore)?,
        decisions: DecisionLog,
        spill: SpillChannel?, metrics: ShardMetrics,
        noteRuleMatches: (@Sendable ([String: Int]) -> Void)?, logger: Logger, options: RunnerOptions
    ) {
        self.shard = shard
        self.source = source
        self.verdicts = verdicts
        self.decisions = decisions
        self.metrics = metrics
        self.noteRuleMatches = noteRuleMatches
        self.logger = logger
        self.options = options
        self.spill = spill
        samplerNumber = number
        votes = VoteCounters(self.shard.sampler, metrics.metrics)
        pace = RematchPace(bytesPerSecond: options.rematchBytesPerSecond)
        deadLetters = DeadLetterFolder(path: options.deadLetterFolder)
    }

    var id: PartitionID { shard.id }
    var gauges: ShardGauges { shard.gauges }

    /// Reads a piece of the log, moves the clock, decides what is due, and takes away what piled up.
    ///
    /// - Parameter mayRead: False while the program stops: nothing new is taken.
    func turn(mayRead: Bool) -> Progress {
        let start = MonotonicInstant.now
        let wall = WallClock.milliseconds
        takeReplies()
        if isBroken { return .broken }
        var hold: IngestOutcome.Hold?
        if mayRead {
            fill()
            hold = ingest(wall: wall)
        }
        let isMoreDue = mayRead && shard.advance(reach(hold), wall: wall)
        let isMatching = rematch(at: start)
        orderSegments()
        let hasWorked = harvest() || hold != nil || isMoreDue || isMatching
        if hasWorked { metrics.turned(nanoseconds: Int(MonotonicInstant.now.nanoseconds - start.nanoseconds)) }
        if hold == .keptFull { return .blockedByCommit }
        if shard.isWaitingForDisk { return .idle }
        return isMoreDue || isMatching || hold != nil || position < batch.entries.count ? .busy : .idle
    }

    // MARK: Segments on disk

    private func takeReplies() {
        guard let spill else { return }
        for reply in spill.takeReplies() {
            switch reply {
            case .written(let segment): shard.segmentWritten(segment)
            case .trace(let handle, let pieces):
                for piece in pieces { shard.supply(handle, piece.read, piece.bytes) }
            case .segment(let segment, let bytes): shard.supplyRematch(segment, bytes)
            case .unreadable: isBroken = true
            }
        }
        shard.diskIsFull(spill.isDiskFull)
    }

    private func orderSegments() {
        guard let spill else { return }
        for segment in shard.sealedSegments() { spill.order(.write(segment)) }
        let unneeded = shard.unneededSegments()
        if !unneeded.isEmpty { spill.remove(unneeded) }
        for trace in shard.takeReads() { spill.order(.readTrace(trace)) }
    }

    /// Matches some of what is buffered against newer rules; whether there is more that may be done at once.
    private func rematch(at now: MonotonicInstant) -> Bool {
        guard pace.mayGo(at: now) else { return false }
        switch shard.rematch() {
        case .idle: return false
        case .matched(let byteCount): pace.went(byteCount)
        case .read(let read):
            pace.went(read.byteCount)
            spill?.order(.readSegment(read))
        }
        return pace.mayGo(at: now)
    }

    // MARK: Reading

    private func fill() {
        guard position == batch.entries.count, !isCorrupt else { return }
        position = 0
        do {
            batch = try source.read(from: shard.next, limitBytes: options.readBytes)
        } catch {
            batch = SourceBatch()
            // Past a corrupt record nothing may be read: settled stays, and somebody must look.
            isCorrupt = error.code == .corrupt
            logger.error(
                "the log cannot be read", metadata: ["partition": "\(id)", "error": "\(error.message)"])
        }
    }

    /// Offers what was read; the reason why the rest must wait, or nil.
    private func ingest(wall: Int64) -> IngestOutcome.Hold? {
        let batch = batch
        let bytes = batch.bytes.span.bytes
        while position < batch.entries.count {
            let entry = batch.entries[position]
            switch shard.ingest(
                entry.record, bytes.extracting(entry.body), following: following(position, batch), wall: wall)
            {
            case .taken: position += 1
            case .again(let hold): return hold
            }
        }
        return nil
    }

    /// Timestamps of the records behind this one; only senders' timestamps need them.
    private func following(_ position: Int, _ batch: SourceBatch) -> [Int64] {
        guard source.timestamps == .createTime else { return [] }
        return batch.entries[(position + 1)...].prefix(8).map(\.record.timestampMilliseconds)
    }

    private func reach(_ hold: IngestOutcome.Hold?) -> LogReach {
        hold != nil || isCorrupt ? .behind : source.reach(at: shard.next)
    }

    // MARK: What piled up

    /// Whether there was anything.
    private func harvest() -> Bool {
        let records = shard.takeVerdicts()
        if !records.isEmpty { verdicts?.append(records, of: id) }
        let events = shard.takeDecisions()
        if !events.isEmpty {
            #if DEBUG
                killPoint("deciding")
            #endif
            report(events)
        }
        storeDeadLetters()
        let hasTaken = metrics.update(shard.counters, shard.gauges)
        return hasTaken || !records.isEmpty || !events.isEmpty
    }

    private func report(_ events: [DecisionEvent]) {
        decisions.append(events, number: samplerNumber)
        metrics.count(events, limits: options.shard.buffer)
        countRuleMatches(events)
        let votes = votes
        shard.drainVoteCounts { policy, outcome, count in votes.add(policy, outcome, Int(count)) }
        guard options.logsDecisions || logger.level <= .debug else { return }
        for event in events {
            let why = event.explanation(by: shard.sampler)
            let line = "\(event.summary.traceID) \(why) (\(event.summary.spanCount) spans, \(event.cause))"
            if options.logsDecisions { logger.info(line) } else { logger.debug(line) }
        }
    }

    private func countRuleMatches(_ events: [DecisionEvent]) {
        guard let noteRuleMatches else { return }
        var counts: [String: Int] = [:]
        for event in events where event.decision.reason == .forceRule {
            counts[event.decision.policy, default: 0] += 1
        }
        if !counts.isEmpty { noteRuleMatches(counts) }
    }

    private func storeDeadLetters() {
        waitingLetters += shard.takeDeadLetters()
        while let letter = waitingLetters.first {
            guard deadLetters.store(letter, of: id) else {
                logger.warning(
                    "dead letter not stored, its offset is held",
                    metadata: ["folder": "\(deadLetters.path)", "offset": .integer(letter.record.offset)])
                return
            }
            logger.warning(
                "record does not decode, stored as a dead letter",
                metadata: ["offset": .integer(letter.record.offset), "error": "\(letter.message)"])
            shard.deadLetterStored(offset: letter.record.offset)
            waitingLetters.removeFirst()
        }
    }

    // MARK: Batches

    func seal() -> SealedPartition { shard.seal() }

    /// The batch is in the table: what lies below the new `resume` is not needed again.
    func committed() {
        let draft = shard.committed()
        source.release(below: draft.resume)
    }

    func aborted() {
        if shard.hasBatchInFlight { shard.aborted() }
    }

    func adopt(_ numbered: NumberedSampler) {
        shard.adopt(sampler: numbered.sampler)
        samplerNumber = numbered.number
        votes = VoteCounters(numbered.sampler, metrics.metrics)
    }

    /// The shard is given up: it is no longer ours.
    func close() {
        metrics.close(shard.counters)
        spill?.close()
    }
}
