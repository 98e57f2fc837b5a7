public import Iceberg

/// One partition of a durable log, read in order by the one shard that owns it.
///
/// There is no mailbox between log and shard: the shard pulls up to what is synced, as fast as it can.
public protocol SpanSource: AnyObject, Sendable {
    var id: PartitionID { get }
    /// Who made the timestamps of its records.
    var timestamps: TimestampKind { get }
    /// Partitions of the whole source, whoever owns them: budgets and limits are divided by it.
    var siblingCount: Int { get }
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
    /// The next two are asked before the partition is taken up, on the committer's thread.
    ///
    /// Makes sure that a group still gives the partition to us; see Documentation/Positions.md, "FENCE", step 1.
    func confirm() throws(SourceError)
    /// What is there to read, and what the group committed.
    func prepare() throws(SourceError) -> SourceStart
    /// The topic turned out to be another one than the table knows by this generation.
    func identify(generation: Int64)
    /// The record at exactly this offset, when it is there; before `begin` only.
    func record(at offset: Int64) throws(SourceError) -> LogRecord?
    /// Reading starts here.
    func begin(at offset: Int64) throws(SourceError)
    /// False once the group gave the partition to somebody else.
    var isAssigned: Bool { get }
    /// Calls `signal` (not blocking, any thread) whenever there is more to read.
    func notify(_ signal: @escaping @Sendable () -> Void)
}

/// Why a source does not answer.
public struct SourceError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// The partition belongs to somebody else now.
        case notOurs
        /// The same call may succeed later.
        case unavailable
        /// It will not succeed before somebody changes something.
        case refused
    }

    public var code: Code
    public var message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

/// A log of one reader: nobody else can own its partitions, and reading begins wherever it is asked to.
extension SpanSource {
    public var timestamps: TimestampKind { .stamp }
    public var siblingCount: Int { 1 }
    public func confirm() {}
    public func prepare() -> SourceStart { SourceStart(bounds: bounds) }
    public func identify(generation: Int64) {}
    public func record(at offset: Int64) throws(SourceError) -> LogRecord? {
        do throws(FileError) {
            guard let entry = try read(from: offset, limitBytes: 1).entries.first else { return nil }
            return entry.record.offset == offset ? entry.record : nil
        } catch {
            throw SourceError(code: .unavailable, message: error.message)
        }
    }
    public func begin(at offset: Int64) {}
    public var isAssigned: Bool { true }
}

/// Gives partitions to their owner: all at once and for ever, or as a consumer group shares them out.
public protocol SpanSources: Sendable {
    /// Name of the consumer group; empty for a log of one reader.
    var group: String { get }
    /// From now on partitions are given to the owner.
    func start(_ owner: any SourceOwner) throws(SourceError)
    /// The offsets that the group shall remember; what cannot be written now is written with the next ones.
    func remember(_ offsets: [PartitionID: GroupOffset])
    /// Lets everything go and ends; the owner is told to give back what it has.
    func stop()
}

/// Takes partitions up and gives them back.
public protocol SourceOwner: Sendable {
    /// These may be fenced and read; any thread.
    func assigned(_ sources: [any SpanSource])
    /// Returns when nothing is read or committed for these any more, at the latest after the limit; what is decided
    /// is committed before, unless others own them already.
    func revoked(_ sources: [any SpanSource], isLost: Bool, within limit: Duration)
}

/// Partitions that nobody takes away.
public struct FixedSources: SpanSources {
    private let sources: [any SpanSource]

    public init(_ sources: [any SpanSource]) {
        self.sources = sources
    }

    public var group: String { "" }
    public func start(_ owner: any SourceOwner) { owner.assigned(sources) }
    public func remember(_ offsets: [PartitionID: GroupOffset]) {}
    public func stop() {}
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
