import TraceModel

/// Which of the table's files can matter to one partition's next owner.
///
/// `floor` and `late` of a position are lower bounds of **file** sequence numbers. A file that was compacted
/// away is no problem: the file that took its rows got a higher number than any of its inputs, so whatever is at
/// or above the bound stays at or above it, and the history need not know.
///
/// Source: Documentation/Positions.md, "State in the table"; Apache Iceberg table specification, manifest entry
/// field 4 (`file_sequence_number`).
public struct FileHistory: Sendable, Hashable {
    /// A file that holds rows of the partition.
    public struct Entry: Sendable, Hashable {
        /// A lower bound of its file sequence number.
        public var sequence: Int64
        /// Highest offset of the partition's rows.
        public var lastOffset: Int64
        /// Latest `decided_at` of the partition's rows, milliseconds since 1970.
        public var decidedUntilMilliseconds: Int64

        public init(sequence: Int64, lastOffset: Int64, decidedUntilMilliseconds: Int64) {
            self.sequence = sequence
            self.lastOffset = lastOffset
            self.decidedUntilMilliseconds = decidedUntilMilliseconds
        }
    }

    /// Above it the two oldest become one, with the lower number and the later rest.
    public static let maxEntries = 1000

    /// Ascending by sequence.
    public private(set) var entries: [Entry] = []

    public init() {}

    public mutating func add(_ entry: Entry) {
        let index = entries.lastIndex { $0.sequence <= entry.sequence }.map { $0 + 1 } ?? 0
        entries.insert(entry, at: index)
        guard entries.count > Self.maxEntries else { return }
        let oldest = entries.removeFirst()
        entries[0].sequence = oldest.sequence
        entries[0].lastOffset = max(entries[0].lastOffset, oldest.lastOffset)
        entries[0].decidedUntilMilliseconds = max(
            entries[0].decidedUntilMilliseconds, oldest.decidedUntilMilliseconds)
    }

    /// Lowest number of a file that can hold a row with offset ≥ `resume`; nil when there is none.
    func floor(resume: Int64) -> Int64? {
        entries.first { $0.lastOffset >= resume }?.sequence
    }

    /// Lowest number of a file with a decision at or after the moment; nil when there is none.
    func late(sinceMilliseconds since: Int64) -> Int64? {
        entries.first { $0.decidedUntilMilliseconds >= since }?.sequence
    }

    /// Forgets what neither bound can need again: both only rise.
    mutating func drop(resume: Int64, sinceMilliseconds since: Int64) {
        entries.removeAll { $0.lastOffset < resume && $0.decidedUntilMilliseconds < since }
    }
}
