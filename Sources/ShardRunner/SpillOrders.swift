internal import Pipeline
internal import Synchronization
internal import Threads
internal import TraceBuffering

/// What a shard asks of the spill thread.
enum SpillOrder: Sendable {
    case write(SealedSegment)
    /// The pieces of one trace.
    case readTrace(TraceReads)
    /// A whole segment, to match it against newer rules.
    case readSegment(SegmentRead)
}

/// What the spill thread did.
enum SpillReply: Sendable {
    case written(SegmentID)
    case trace(TraceHandle, [SpilledPiece])
    case segment(SegmentID, [UInt8])
    /// Written bytes do not come back, again and again: the log has them, the partition must be taken over anew.
    case unreadable
}

/// Bytes that were read back.
struct SpilledPiece: Sendable {
    var read: SegmentRead
    var bytes: [UInt8]
}

/// Between one life of a shard and the spill thread: its name there, and the replies.
///
/// Orders are bounded by the shard (`BufferLimits.segmentsInFlight`, `ShardOptions.tracesReadBack`), so no order is
/// refused; replies never wait for room.
final class SpillChannel: Sendable {
    /// Never used twice in a process: two lives of one partition do not meet in a file.
    let owner: UInt64
    private let thread: SpillThread
    private let wakeup: Wakeup
    private let replies = Lock<[SpillReply]>([])
    private let isOver = Atomic<Bool>(false)

    /// - Parameter wakeup: Signalled with every reply.
    init(owner: UInt64, thread: SpillThread, wakeup: Wakeup) {
        self.owner = owner
        self.thread = thread
        self.wakeup = wakeup
    }

    func order(_ order: SpillOrder) { thread.take(order, of: self) }

    func remove(_ segments: [SegmentID]) { thread.remove(segments, of: self) }

    /// Replies since the last call.
    func takeReplies() -> [SpillReply] {
        replies.withLock { replies in
            guard !replies.isEmpty else { return [] }
            defer { replies = [] }
            return replies
        }
    }

    /// The shard is gone: nothing of it is written or read any more, its files are deleted.
    func close() {
        isOver.store(true, ordering: .releasing)
        thread.forget(self)
    }

    /// Whether segments of anybody find no room now.
    var isDiskFull: Bool { thread.isFull }

    var isClosed: Bool { isOver.load(ordering: .acquiring) }

    func reply(_ reply: SpillReply) {
        replies.withLock { $0.append(reply) }
        wakeup.signal()
    }

    func name(of segment: SegmentID) -> String { "\(owner)-\(segment.value)" }
}

/// Where spilling stands, for health and metrics.
public struct SpillStatus: Sendable, Hashable {
    /// Bytes of all segments on disk.
    public var diskBytes = 0
    public var segmentCount = 0
    /// Segments that were handed over and are not written yet.
    public var waitingSegments = 0
    /// Since when segments find no room; nil when they do.
    public var fullSinceMilliseconds: Int64?
    /// The last refusal of the disk, also when it is over.
    public var lastError: String?

    public init() {}

    public var isFull: Bool { fullSinceMilliseconds != nil }
}
