import Iceberg

/// One partition of the embedded log: recovery, groups of records, segments that come and go.
///
///     offered ─▶ group ─▶ write ─▶ sync ─▶ answered        shards read up to `synced`
///                           └ failed: the segment is closed for ever, the group is not durable
///
/// Whoever owns it performs one group at a time; readers have `segments` and `synced` as they were after a
/// group. It touches the world through `SegmentFiles` only, and takes times and random words as arguments.
/// Source: Documentation/Positions.md, "Embedded log and catalog".
///
/// Invariant LOG-1: what `append` answered durable is read back unchanged until it is released.
/// Invariant LOG-2: an offset names one record for ever; a record that was not answered leaves a gap.
public struct PartitionLog: Sendable {
    /// What a reader knows of a segment.
    public struct Segment: Sendable, Hashable {
        public var name: String
        /// Offset of its first record.
        public var base: Int64
        /// Offset behind its last durable record.
        public var end: Int64
        /// Position behind its last durable record.
        public var byteCount: Int
        /// Stamp of its last durable record; of the record before it when it has none.
        public var lastStampMilliseconds: Int64
        var number: UInt64
        /// Goes into the checksum of its records.
        var id: UInt64
    }

    /// What recovery cut off or skipped; each is a log line.
    public struct Recovery: Sendable, Hashable {
        /// Unanswered bytes behind the end of the last segment.
        public var tornBytes = 0
        /// Segments whose making was cut off.
        public var unfinishedSegments = 0
        public var records = 0
        public var isNew = false
    }

    public let superblock: LogSuperblock
    /// Ascending; the last one takes new records while `isWritable`.
    public internal(set) var segments: [Segment]
    /// The next record's offset.
    public internal(set) var next: Int64
    /// Every record below it is durable.
    public internal(set) var synced: Int64
    public internal(set) var recovery: Recovery
    /// Records at or above it were taken by this process.
    var openedAt: Int64 = 0

    let files: any SegmentFiles
    let options: LogOptions
    /// Stamps between groups.
    public internal(set) var clock: LogClock
    var repeats: RepeatTable
    /// Whether the last segment takes records: it was made by this process and never failed.
    var isWritable = false
    var highestNumber: UInt64
    /// Whether `segments` holds one that counts as the predecessor of the next.
    var previousNumber: UInt64?
    /// Files that should be gone and are not.
    var doomed: [String] = []

    /// Bytes of all segments on disk.
    public var byteCount: Int { segments.reduce(0) { $0 + $1.byteCount } }

    /// What can be read.
    public var bounds: SourceBounds { SourceBounds(start: segments.first?.base ?? synced, end: synced) }

    /// The name of its records' source.
    public var sourceTopic: String { "otlp:\(superblock.uuid)" }
}

/// The log's own time: the last stamp plus what passed since on a clock that never goes back.
public struct LogClock: Sendable, Hashable {
    public private(set) var lastStamp: Int64
    private var at: Int64

    /// Nothing ran while the program did not: the wall clock says how long that was, if it says anything.
    init(lastStamp: Int64?, moment: Moment) {
        self.lastStamp = max(lastStamp ?? .min, moment.wallMilliseconds)
        at = moment.monotonicMilliseconds
    }

    /// The stamp that a record written now would get; no later record gets a lower one.
    public func stamp(at moment: Moment) -> Int64 { lastStamp + max(0, moment.monotonicMilliseconds - at) }

    mutating func advance(to moment: Moment) -> Int64 {
        lastStamp = stamp(at: moment)
        at = max(at, moment.monotonicMilliseconds)
        return lastStamp
    }
}

/// Bodies seen within the last minutes: a client's retry after a lost answer makes no second record.
struct RepeatTable: Sendable {
    private struct Seen: Sendable {
        var hash: BodyHash
        var stamp: Int64
    }

    private let horizon: Int64
    private let limit: Int
    private var hashes: Set<BodyHash> = []
    /// Oldest first; the part before `head` is gone.
    private var order: [Seen] = []
    private var head = 0

    init(horizonMilliseconds: Int64, limit: Int) {
        horizon = horizonMilliseconds
        self.limit = limit
    }

    var count: Int { hashes.count }

    mutating func contains(_ hash: BodyHash, at stamp: Int64) -> Bool {
        expire(stamp)
        return hashes.contains(hash)
    }

    mutating func insert(_ hash: BodyHash, stamp: Int64) {
        expire(stamp)
        guard hashes.insert(hash).inserted else { return }
        order.append(Seen(hash: hash, stamp: stamp))
        if hashes.count > limit { removeOldest() }
    }

    private mutating func expire(_ stamp: Int64) {
        while head < order.count, order[head].stamp + horizon < stamp { removeOldest() }
    }

    private mutating func removeOldest() {
        hashes.remove(order[head].hash)
        head += 1
        if head > 1024, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
    }
}
