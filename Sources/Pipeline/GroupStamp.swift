/// What a consumer group's offset carries as its metadata: which table it belongs to, and how far that is.
///
///     tss1 <table uuid> <generation> <epoch> <sequence> <settled>
///
/// An offset with a stamp was committed behind the table; one without was set by somebody else.
/// Source: Documentation/Positions.md, "RECOVER".
public struct GroupStamp: Hashable, Sendable {
    public var tableUUID: String
    public var generation: Int64
    public var epoch: Int64
    public var sequence: Int64
    public var settled: Int64

    public init(tableUUID: String, generation: Int64, epoch: Int64, sequence: Int64, settled: Int64) {
        self.tableUUID = tableUUID
        self.generation = generation
        self.epoch = epoch
        self.sequence = sequence
        self.settled = settled
    }

    private static let mark = "tss1"

    /// As it stands in the group's offset.
    public var text: String { "\(Self.mark) \(tableUUID) \(generation) \(epoch) \(sequence) \(settled)" }

    /// Nil for anything else than `text` makes.
    public init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 6, words[0] == Self.mark, !words[1].isEmpty else { return nil }
        let numbers = words[2...].compactMap { word in word.first == "-" ? nil : Int64(word) }
        guard numbers.count == 4 else { return nil }
        self.init(
            tableUUID: String(words[1]), generation: numbers[0], epoch: numbers[1], sequence: numbers[2],
            settled: numbers[3])
    }
}

/// What a consumer group committed for a partition.
public struct GroupOffset: Hashable, Sendable {
    /// Of the next message to read.
    public var offset: Int64
    /// Nil when somebody else than this program set it.
    public var stamp: GroupStamp?

    public init(offset: Int64, stamp: GroupStamp?) {
        self.offset = offset
        self.stamp = stamp
    }
}

/// Where a partition without position and without offset begins: `kafka.auto_offset_reset`.
public enum OffsetReset: String, Sendable, CaseIterable {
    case earliest
    case latest
}

/// What a source says of a partition before it is taken up.
public struct SourceStart: Sendable, Hashable {
    public var bounds: SourceBounds
    /// Nil for a log without groups, and when the group has none.
    public var group: GroupOffset?
    public var reset: OffsetReset

    public init(bounds: SourceBounds, group: GroupOffset? = nil, reset: OffsetReset = .earliest) {
        self.bounds = bounds
        self.group = group
        self.reset = reset
    }
}
