public import TraceModel

/// One partition of one source: what an instance owns.
public struct PartitionID: Hashable, Sendable, CustomStringConvertible {
    public var source: SourceID
    public var partition: Int32

    public init(source: SourceID, partition: Int32) {
        self.source = source
        self.partition = partition
    }

    /// `<S>.<p>`, the tail of the table's property keys.
    public var description: String { "\(source.key).\(partition)" }
}

/// Who may commit for a partition: the table property `tss.owner.<S>.<p>`, changed by FENCE only.
public struct Owner: Hashable, Sendable {
    public var epoch: Int64
    /// Random at every process start, never the instance id.
    public var writer: String
    /// The consumer group; empty for the embedded log.
    public var group: String

    public init(epoch: Int64, writer: String, group: String) {
        self.epoch = epoch
        self.writer = writer
        self.group = group
    }
}

/// Proof that the log is still the same log: the last message below `resume`.
public struct Anchor: Hashable, Sendable {
    public var offset: Int64
    public var timestampMilliseconds: Int64
    /// CRC-32C of the message.
    public var checksum: UInt32

    public init(offset: Int64, timestampMilliseconds: Int64, checksum: UInt32) {
        self.offset = offset
        self.timestampMilliseconds = timestampMilliseconds
        self.checksum = checksum
    }
}

/// How far a partition has come: the table property `tss.position.<S>.<p>`, changed by COMMIT only.
///
/// Documentation/Positions.md is the specification.
public struct Position: Hashable, Sendable {
    public var epoch: Int64
    public var sequence: Int64
    /// Where a new owner starts to read; `resume` ≤ `settled`.
    public var resume: Int64
    /// Every span below belongs to a decided trace, and every kept one is committed.
    public var settled: Int64
    /// The stream clock just before `resume`.
    public var clock: StreamTick
    /// Lowest file sequence number of a file that can hold a row with offset ≥ `resume`; nil when there is none.
    public var floor: Int64?
    /// Lowest file sequence number of a file younger than the late horizon; nil when there is none.
    public var late: Int64?
    /// Nil when nothing lies below `resume`.
    public var anchor: Anchor?

    public init(
        epoch: Int64, sequence: Int64, resume: Int64, settled: Int64, clock: StreamTick, floor: Int64?,
        late: Int64?, anchor: Anchor?
    ) {
        self.epoch = epoch
        self.sequence = sequence
        self.resume = resume
        self.settled = settled
        self.clock = clock
        self.floor = floor
        self.late = late
        self.anchor = anchor
    }
}

/// A row that the table already holds above `resume`.
public struct PresentRow: Hashable, Sendable {
    public var traceID: TraceID
    public var offset: Int64
    public var index: UInt32

    public init(traceID: TraceID, offset: Int64, index: UInt32) {
        self.traceID = traceID
        self.offset = offset
        self.index = index
    }
}

/// The verdict of a trace that the table holds, copied to its late spans.
public struct KeptVerdict: Hashable, Sendable {
    public var traceID: TraceID
    public var decision: Decision
    /// The column `decided_at`: stream clock, milliseconds since 1970. The earliest when files differ.
    public var decidedAtMilliseconds: Int64

    public init(traceID: TraceID, decision: Decision, decidedAtMilliseconds: Int64 = 0) {
        self.traceID = traceID
        self.decision = decision
        self.decidedAtMilliseconds = decidedAtMilliseconds
    }
}

/// What FENCE and RECOVER found: all that a shard needs to take up a partition.
public struct RecoveredPartition: Sendable {
    public var id: PartitionID
    /// The epoch that FENCE wrote.
    public var epoch: Int64
    /// Where to read from.
    public var resume: Int64
    public var settled: Int64
    public var clock: StreamTick
    /// The position's anchor; nil when there is none.
    public var anchor: Anchor?
    /// Rows at or above `resume`, ascending by (offset, index).
    public var present: [PresentRow]
    /// Traces that the table's recent files hold, for late spans and for the traces of `present`.
    public var kept: [KeptVerdict]
    /// What the local verdict files say, oldest first; the table goes before it.
    public var remembered: [VerdictRecord]

    public init(
        id: PartitionID, epoch: Int64, resume: Int64, settled: Int64, clock: StreamTick, anchor: Anchor? = nil,
        present: [PresentRow] = [], kept: [KeptVerdict] = [], remembered: [VerdictRecord] = []
    ) {
        self.id = id
        self.epoch = epoch
        self.resume = resume
        self.settled = settled
        self.clock = clock
        self.anchor = anchor
        self.present = present
        self.kept = kept
        self.remembered = remembered
    }
}
