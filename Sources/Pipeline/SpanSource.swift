public import Iceberg

/// One partition of a durable log, read in order by the one shard that owns it.
///
/// There is no mailbox between log and shard: the shard pulls up to what is synced, as fast as it can.
public protocol SpanSource: Sendable {
    var id: PartitionID { get }
    /// What can be read now.
    var bounds: SourceBounds { get }
    /// Whole records from the first at or above `offset`, about `limitBytes` of them but at least one if there is one.
    ///
    /// - Throws: `corrupt` when the log does not hold what it was given: nothing may be read past it.
    func read(from offset: Int64, limitBytes: Int) throws(FileError) -> SourceBatch
    /// Where reading stands for somebody who has read everything below `offset`.
    func reach(at offset: Int64) -> LogReach
    /// Nobody starts below `offset` again: what lies there may go when the log wants its room.
    func release(below offset: Int64)
    /// The table is ahead of the log (an old copy came back): the next record gets this offset at least, for an
    /// offset names one record for ever. Records taken since the log was opened are moved behind it too.
    ///
    /// - Returns: Where reading starts now: at or above `offset`.
    func skip(to offset: Int64) throws(FileError) -> Int64
    /// Calls `signal` (not blocking, any thread) whenever there is more to read.
    func notify(_ signal: @escaping @Sendable () -> Void)
}

/// Readable offsets: `start` ..< `end`.
public struct SourceBounds: Sendable, Hashable {
    public var start: Int64
    public var end: Int64

    public init(start: Int64, end: Int64) {
        self.start = start
        self.end = end
    }
}

/// Records that lie in one piece of memory.
public struct SourceBatch: Sendable {
    /// One record's place in `bytes`.
    public struct Entry: Sendable, Hashable {
        public var record: LogRecord
        public var body: Range<Int>

        public init(record: LogRecord, body: Range<Int>) {
            self.record = record
            self.body = body
        }
    }

    public var bytes: [UInt8]
    /// Ascending by offset.
    public var entries: [Entry]

    public init(bytes: [UInt8] = [], entries: [Entry] = []) {
        self.bytes = bytes
        self.entries = entries
    }
}
