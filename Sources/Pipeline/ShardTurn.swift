import Sampling
import TraceBuffering
import TraceModel

/// Complete traces on their way to their decision: a small batch, decided in order.
///
///     traces   ┌─────┬─────┬─────┬─────┐   before `next`: decided
///              │  ✓  │  ✓  │     │     │   from `next` on: some wait for bytes, and all behind them for those
///              └─────┴─────┴─────┴─────┘
///
/// Limiters spend in the order of decisions, so nobody overtakes a trace whose bytes are being read.
struct RipeQueue {
    enum Bytes {
        case reading
        case here(KeptTrace)
    }

    /// Small, so that a turn can end between two batches (64).
    static let batch = 64

    var traces: [RipeTrace] = []
    /// The first that is not decided.
    var next = 0
    /// Traces of the batch that cannot be decided without their bytes.
    var bytes: [TraceHandle: Bytes] = [:]
    /// Spans of those: they have left the buffer undecided.
    var takenSpans = 0
    /// Whether the next one waits for its bytes.
    var isWaiting = false

    var isEmpty: Bool { next == traces.count }

    /// All are decided: makes room for the next batch.
    mutating func refill() {
        precondition(isEmpty, "a batch is decided before the next")
        traces.removeAll(keepingCapacity: true)
        next = 0
    }
}

/// What is left of one turn.
struct TurnBudget {
    private(set) var decisionsLeft: Int
    private var keptSpansLeft: Int

    init(_ options: ShardOptions) {
        decisionsLeft = options.decisionsPerTurn
        keptSpansLeft = options.keptSpansPerTurn
    }

    var isOver: Bool { decisionsLeft <= 0 || keptSpansLeft <= 0 }

    mutating func decided() { decisionsLeft -= 1 }

    mutating func kept(spans: Int) { keptSpansLeft -= spans }
}

/// How many more decisions may have their spans looked through for evidence, in this second of our wall clock.
struct EvidenceBudget {
    private let keptPerSecond: Int
    private let droppedPerSecond: Int
    private var second = Int64.min
    private var keptLeft = 0
    private var droppedLeft = 0
    /// Our wall clock when the turn began.
    private(set) var wallTick = StreamTick(0)

    init(_ options: ShardOptions) {
        keptPerSecond = options.evidencesPerSecond
        droppedPerSecond = options.droppedEvidencesPerSecond
    }

    mutating func renew(wall: Int64) {
        wallTick = StreamTick(milliseconds: wall)
        guard wall / 1000 != second else { return }
        second = wall / 1000
        keptLeft = keptPerSecond
        droppedLeft = droppedPerSecond
    }

    mutating func spend(isKept: Bool) -> Bool {
        if isKept {
            keptLeft -= 1
            return keptLeft >= 0
        }
        droppedLeft -= 1
        return droppedLeft >= 0
    }
}

/// Late spans of kept traces in one message, by trace in the order of their first.
struct LateSpans {
    private(set) var traces: [(traceID: TraceID, records: [SpanRecord])] = []

    var isEmpty: Bool { traces.isEmpty }

    mutating func removeAll() {
        if !traces.isEmpty { traces.removeAll(keepingCapacity: true) }
    }

    mutating func add(_ record: SpanRecord) {
        if let index = traces.lastIndex(where: { $0.traceID == record.traceID }) {
            traces[index].records.append(record)
        } else {
            traces.append((record.traceID, [record]))
        }
    }
}

/// Segments on their way to disk, and early decisions while there is no room for them.
struct Spilling {
    /// How long a full disk is given to take what early decisions made room for, milliseconds.
    static let patienceMilliseconds: Int64 = 1000

    /// Taken from the buffer and not yet from the shard.
    var sealed: [SealedSegment] = []
    var inFlight = 0
    /// Set by whoever writes: segments find no room.
    var isDiskFull = false
    /// Whether a message waits for room that the disk will make.
    var isAwaited = false
    /// What early decisions may still decide before the disk gets its chance.
    var earlyLeft = Int.max
    private var lastEarly: Int64?

    /// Whether room will come without early decisions: from writes, or from the disk that they made room on.
    func waits(wall: Int64) -> Bool {
        guard inFlight > 0 else { return false }
        guard isDiskFull, let lastEarly else { return !isDiskFull }
        return abs(wall - lastEarly) < Self.patienceMilliseconds
    }

    /// With segments that wait for the disk, what is decided early frees disk first and memory only then: a share
    /// at a time, or everything would be decided before the first segment is written.
    mutating func startEarly(_ traceCount: Int, wall: Int64) {
        earlyLeft = inFlight > 0 ? max(1, traceCount / BufferLimits.earlyFreeShare) : .max
        lastEarly = inFlight > 0 ? wall : nil
    }
}

/// Where matching anew stands.
struct Rematching {
    /// Whether segments are left that newer rules have not seen.
    var isActive = false
    /// The spilled segment that is being read.
    var reading: SegmentRead?
}
