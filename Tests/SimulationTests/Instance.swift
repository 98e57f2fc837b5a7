import Iceberg
import Pipeline
import TraceBuffering
import TraceModel

/// One embedded instance: its data folder, its clients, and what is known of its log for sure.
final class Instance {
    let number: Int
    let disk: SimulatedDisk
    let workload: Workload
    /// The verdict files. Not synced: a power cut takes what came after the last one.
    var verdicts: [VerdictRecord] = []
    var verdictsBeforePower = 0

    // What the checkers know.
    var id: PartitionID?
    /// Every record that was ever durable, by offset.
    var truth: [Int64: TruthRecord] = [:]
    var offsets: [Int64] = []
    /// Requests not yet answered 200, in order; a request that is being written is not in it.
    var unsent: [Int]
    var acked: [Int: Int64] = [:]
    var decisions: [TraceID: [SeenDecision]] = [:]
    /// How often the power went, and the offset that was the log's end then.
    var powerCuts: [Int64] = []
    /// The steps of the power cuts.
    var powerCutSteps: [Int] = []
    /// The first offset that the log still has.
    var logStart: Int64 = 0
    /// Traces of which a new table got only the part that the log still had.
    var beheaded: Set<TraceID> = []
    var lives = 0

    init(number: Int, disk: SimulatedDisk, workload: Workload) {
        self.number = number
        self.disk = disk
        self.workload = workload
        unsent = workload.requests.indices.map { $0 }
    }

    /// Every durable record, ascending.
    var records: [TruthRecord] { offsets.map { truth[$0]! } }
}

/// A decision that some life of an instance made.
struct SeenDecision: Hashable {
    var life: Int
    var first: Int64
    var last: Int64
    var spanCount: Int
    var isKept: Bool
    var isEarly: Bool
    /// The stream clock then.
    var tick: Int64
    /// A later life's clock was set back below it: what arrives there may have been due before.
    var isOutrun = false
    /// Who had to decide then.
    var ruling = ""
    var step = 0
}

/// A noncopyable shard that a class can hold.
final class ShardBox {
    var shard: Shard

    init(_ shard: consuming Shard) { self.shard = shard }
}

/// One life of an instance's program.
final class SimulatedProcess {
    enum Committer {
        case fencing(FenceMachine)
        case recovering(RecoverMachine, FencedTable)
        case idle
        case committing(CommitMachine)
        case stopped
    }

    let instance: Instance
    let writer: String
    let life: Int
    var log: PartitionLog
    var reader = LogReader()
    var box: ShardBox?
    var committer: Committer
    /// What the committer's machine wants done next; nil between machines.
    var action: TableAction?
    var wakesAt: Int64 = 0
    var fenced: FencedTable?
    var history = FileHistory()
    var sequence: Int64 = 0
    var nextPositionAt: Int64 = 0
    /// Requests taken and not yet written.
    var queue: [Int] = []
    /// Spilled segments, in memory: nobody needs them after a kill.
    var segments: [SegmentID: [UInt8]] = [:]
    /// Segments and reads on their way.
    var writes: [SealedSegment] = []
    var reads: [TraceReads] = []
    var segmentRead: SegmentRead?
    var isDiskFull = false
    /// The rules that it goes by, and what its limiter has left; nil when the checker has lost track.
    var rules = KnownRules()
    /// Those before, each with the stream clock when others took their place.
    var pastRules: [(rules: KnownRules, until: StreamTick)] = []
    var bucket: KnownBucket? = KnownBucket()
    /// Traces of which it knew a verdict when it began.
    var remembered: Set<TraceID> = []

    init(instance: Instance, writer: String, log: PartitionLog, fence: FenceMachine) {
        self.instance = instance
        self.writer = writer
        self.log = log
        life = instance.lives
        instance.lives += 1
        committer = .fencing(fence)
    }
}
