public import Sampling
public import TraceBuffering
public import TraceModel

/// What a source says of one record; its bytes are handed over beside it.
public struct LogRecord: Sendable, Hashable {
    public var offset: Int64
    /// The record's own timestamp, milliseconds since 1970.
    public var timestampMilliseconds: Int64
    /// The source's checksum of the record: the same each time the record is read.
    public var checksum: UInt32

    public init(offset: Int64, timestampMilliseconds: Int64, checksum: UInt32) {
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
        self.checksum = checksum
    }
}

/// Who made the timestamps of a log.
public enum TimestampKind: Sendable, Hashable {
    /// The embedded log itself, from a clock that never goes back.
    case stamp
    /// The broker, on arrival.
    case appendTime
    /// The sender: anything is possible.
    case createTime
}

/// Where reading stands when a shard gets its turn.
public enum LogReach: Sendable, Hashable {
    /// More records are there or on their way, or the partition is paused: the stream clock stands.
    case behind
    /// Nothing is queued: the stream clock follows real time, 2 s behind it.
    case end(monotonicMilliseconds: Int64)
    /// Nothing is queued, and the next record's stamp will not be below this one (the embedded log knows).
    case quiet(stampMilliseconds: Int64)
}

/// The limits of one shard; every default is what the product runs with unless it is configured.
public struct ShardOptions: Sendable {
    public var buffer = BufferLimits()
    public var timestamps = TimestampKind.stamp
    /// Bytes of kept traces that wait for their commit; above it nothing more is taken (128 MiB).
    public var keptBytes = 128 << 20
    /// How long a verdict is remembered after it was last needed (1 h).
    public var decisionTimeToLiveTicks: Int64 = 36_000
    /// Verdicts remembered, 24 bytes each.
    public var decisions = 10_000_000
    /// Decision events between two calls of `takeDecisions`; more are dropped and counted.
    public var decisionEvents = 10_000
    /// Partitions over which limits of rates are divided.
    public var partitionCount = 1
    /// Traces decided in one turn; the rest follow in the next.
    public var decisionsPerTurn = 4096
    /// Spans of kept traces gathered in one turn, one trace more at most.
    public var keptSpansPerTurn = 4096
    /// Kept traces whose bytes are being read from disk; nothing more is decided above it.
    public var tracesReadBack = 256
    /// Kept traces a second whose spans are looked through for what made the policies vote as they did.
    public var evidencesPerSecond = 1000
    /// The same for traces that a policy or rule wanted to be dropped, while their bytes are in memory.
    public var droppedEvidencesPerSecond = 100
    /// The ledger counts in buckets of 2^this offsets.
    public var ledgerBucketShift = 6
    #if DEBUG
        /// Rules switched off, to show which invariant each one carries.
        public var faults: Set<PlantedFault> = []
    #endif

    public init() {}

    /// One partition's share of what the whole source may have.
    public mutating func divide(by partitions: Int) {
        let count = max(1, partitions)
        buffer.bytes /= count
        buffer.spillsAboveBytes /= count
        buffer.traces = max(1, buffer.traces / count)
        decisions = max(1, decisions / count)
        partitionCount = count
    }

    func plants(_ fault: PlantedFault) -> Bool {
        #if DEBUG
            faults.contains(fault)
        #else
            false
        #endif
    }
}

/// A rule of Documentation/Positions.md that a debug build can switch off.
public enum PlantedFault: String, Sendable, CaseIterable {
    /// Ripeness follows our wall clock instead of the log's.
    case processingClock
    /// A full buffer waits for something to become ripe.
    case noEarlyDecision
    /// The rows of one trace may go into two batches, and its claim goes with the first.
    case splitsTraces
    /// Reading starts again at `settled`.
    case resumeIsSettled
    /// A row is known by its message's offset alone.
    case ignoresSourceIndex
    /// A new owner does not move main.
    case noFence
    /// `floor` is the newest file's number, whatever older files hold.
    case floorIsNewest
    /// A lost answer is resolved by looking for our snapshot.
    case looksForSnapshot
    /// Every embedded log has the same name.
    case sharedLogName
    /// Recovery does not remember which rows the table already has above `resume`.
    case forgetsPresentRows
    /// Newer rules do not see what is buffered already.
    case skipsRematch
    /// A rule that has expired decides nothing any more.
    case forgetsBoundary
    /// A rule that was deleted goes on deciding.
    case deletedRuleActs
    /// Limiters count seconds of our wall clock.
    case limitersOnWallTime
}

/// Whether a record was taken.
public enum IngestOutcome: Sendable, Hashable {
    case taken
    /// Not taken: give the shard a turn (`advance`) and offer the same record again.
    case again(Hold)

    public enum Hold: Sendable, Hashable {
        /// Traces that are due before this record are not all decided yet.
        case expiring
        /// The buffer is full: the next turn decides what is ripe, or early.
        case bufferFull
        /// Too many kept bytes wait for their commit.
        case keptFull
    }
}

/// What is committed with a batch: the position without what the committer adds (epoch, sequence, floor, late).
public struct PositionDraft: Hashable, Sendable {
    public var resume: Int64
    public var settled: Int64
    /// The stream clock just before `resume`.
    public var clock: StreamTick
    public var anchor: Anchor?

    public init(resume: Int64, settled: Int64, clock: StreamTick, anchor: Anchor?) {
        self.resume = resume
        self.settled = settled
        self.clock = clock
        self.anchor = anchor
    }
}

/// One shard's part of a batch: whole kept traces, and the position as it is once they are in the table.
public struct SealedPartition: Sendable {
    public var id: PartitionID
    public var epoch: Int64
    /// Rows the table shall get; empty when only the position moves.
    public var traces: [SampledTrace]
    public var draft: PositionDraft

    public init(id: PartitionID, epoch: Int64, traces: [SampledTrace], draft: PositionDraft) {
        self.id = id
        self.epoch = epoch
        self.traces = traces
        self.draft = draft
    }
}

/// One line of the verdict files: 24 bytes on disk.
public struct VerdictRecord: Hashable, Sendable {
    public var traceID: TraceID
    /// When it was decided, or last needed, on the stream clock.
    public var tick: StreamTick
    public var verdict: Verdict
    public var reason: Reason

    public init(traceID: TraceID, tick: StreamTick, verdict: Verdict, reason: Reason) {
        self.traceID = traceID
        self.tick = tick
        self.verdict = verdict
        self.reason = reason
    }
}

/// One decision, for the decision log.
///
/// Of fixed size: nothing is allocated for a trace that no policy wanted.
public struct DecisionEvent: Sendable {
    public var summary: TraceSummary
    public var decision: Decision
    public var cause: RipeCause
    /// On the stream clock.
    public var decidedAt: StreamTick
    /// In configuration order; not evaluated where a force rule or an earlier verdict decided.
    public var votes: VoteSet
    /// The spans and values behind the votes; empty when nobody looked, or the spans were gone.
    public var evidence: [VoteEvidence] = []
    /// What limiters needed and had (`SamplerState.readings`); empty, and nothing allocated, when there are none.
    public var readings: [LimiterReading?] = []

    public init(
        summary: TraceSummary, decision: Decision, cause: RipeCause, decidedAt: StreamTick, votes: VoteSet,
        evidence: [VoteEvidence] = []
    ) {
        self.summary = summary
        self.decision = decision
        self.cause = cause
        self.decidedAt = decidedAt
        self.votes = votes
        self.evidence = evidence
    }
}

/// A trace whose bytes have to be read back: a kept one, or one that nobody can decide about without them.
public struct TraceReads: Sendable {
    public var handle: TraceHandle
    public var reads: [SegmentRead]
}

/// A record of the log that does not decode: it holds its claim until somebody stored it.
public struct DeadLetter: Sendable, Hashable {
    public var record: LogRecord
    public var bytes: [UInt8]
    /// Lower case: what is wrong, at which byte.
    public var message: String
}

/// Why the stream clock is what it is; for health.
public enum ClockHealth: Sendable, Hashable {
    case log
    /// The records' timestamps do not move: arrival is our wall clock.
    case wall
    /// Most records of the last minute lie more than 60 s ahead of our wall clock.
    case skewed
}
