public import TraceModel

/// What a trace buffer may hold, and when its traces are complete.
public struct BufferLimits: Sendable, Hashable {
    /// Bytes of the segments in memory: the payload's budget. A single message always fits an empty buffer.
    ///
    /// What is kept beside a message to find its spans (48 bytes a span) counts when it was taken: the last message
    /// before the buffer is full can exceed the budget by that.
    public var bytes = 256 << 20
    /// Undecided traces.
    public var traces = 2_000_000
    /// A segment is sealed when the next message does not fit; a larger message has a segment of its own. At most an
    /// eighth of `bytes` is used.
    public var segmentBytes = 1 << 20
    /// Sealed segments handed out to be written and not yet reported back. Above it nothing more is handed out.
    public var segmentsInFlight = 8
    /// Ticks without a span after which a trace is complete (60 s). This and the next two are at least 1.
    public var inactivityTicks: Int64 = 600
    /// The same once the root was seen (30 s); never later than `inactivityTicks`.
    public var rootInactivityTicks: Int64 = 300
    /// Age at which a trace is complete in any case (300 s).
    public var maximumDurationTicks: Int64 = 3000
    /// Whether sealed segments are handed out to be written and then leave memory.
    public var spills = false
    /// Bytes of segments that stay in memory all the same: the oldest are handed out only above it.
    public var spillsAboveBytes = 0
    /// Spreads trace ids over the index: a secret of the process, so that ids cannot be made to collide at will.
    public var hashKey = HashKey.fixed
    /// For tests: `take` answers `reads` for every trace, as if all segments were spilled.
    public var alwaysReads = false

    /// One part in this many is free again when early decisions may stop.
    public static let earlyFreeShare = 10

    public init() {}
}

/// A trace inside one buffer. Valid from `ripe` or `early` until `take` gave the whole trace, `supply` did, or
/// `discard`.
public struct TraceHandle: Hashable, Sendable {
    var traceID: TraceID
    /// Tells two traces of the same id apart, should the second open while the first is still read back.
    var firstOffset: Int64
    var slot: UInt32
}

/// A trace that is complete, and why now.
public struct RipeTrace: Sendable, Hashable {
    public var handle: TraceHandle
    public var summary: TraceSummary
    public var cause: RipeCause
    /// Whether spans of it still await `rematch`: `summary.matches` and `summary.forceRule` mean nothing yet, and the
    /// caller takes the trace's bytes and matches them itself.
    public var isStale = false
}

/// What one message did to the buffer.
public struct IngestResult: Sendable, Hashable {
    /// Traces whose first span this was: each is one claim at the message's offset.
    public var openedTraces = 0
    public var takenSpans = 0
}

/// A range of a segment that was written out.
public struct SegmentRead: Sendable, Hashable {
    public var segment: SegmentID
    /// Bytes from the segment's start.
    public var offset: Int
    public var byteCount: Int
}

/// Numbers segments in the order of their making; never used twice in one buffer.
public struct SegmentID: Hashable, Comparable, Sendable {
    public var value: UInt64

    public static func < (one: SegmentID, other: SegmentID) -> Bool { one.value < other.value }
}

/// What `take` found.
public enum Taken: Sendable {
    /// The trace has left the buffer.
    case whole(KeptTrace)
    /// The bytes lie in written segments: read these and `supply` them, in any order.
    case reads([SegmentRead])
}

/// What to match anew next, in the order of the log.
public enum Rematch: Sendable, Hashable {
    /// In memory: `rematch(_:using:)` at once.
    case memory(SegmentID)
    /// Written out: read all of it, then `rematch(_:read:using:)`.
    case read(SegmentRead)
}

/// The secret of the index's hash function.
public struct HashKey: Sendable, Hashable {
    public var first: UInt64
    public var second: UInt64

    public init(_ first: UInt64, _ second: UInt64) {
        self.first = first
        self.second = second
    }

    /// For tests and measurements, which want the same layout each time. Digits of pi.
    public static let fixed = HashKey(0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344)
}
