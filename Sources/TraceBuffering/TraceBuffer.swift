public import TraceModel

/// Holds undecided spans until their trace is complete.
///
///     index              slots, 64 B         segments: whole messages, one copy each
///     ┌─────────────┐    ┌──────────┐ link   ┌──────────────────┬──────────────────┬──────┐
///     │ tag │ slot ─┼──▶ │ trace id │ ─────▶ │ message │ places │ message │ places │ free │
///     └─────────────┘    │ summary  │        └──────────────────┴───│──▲───────────┴──────┘
///                        └──────────┘                 ▲─────────────┘  └─ a place leads to the span before
///
/// Messages come in per batch, never per span; it performs no input or output: `sealed` says what to write, `take`
/// what to read. No allocation and no reference counting for a span.
///
/// Invariant BUF-1: `usedBytes` is the sum of the segments in memory, and a message is taken only when it fits under
/// `limits.bytes` or the buffer is empty. BUF-2: index, slots, timer and counters of segments agree. BUF-3: the chain
/// of a trace stays in segments that are needed. Not thread-safe: one shard owns it. Never reads a clock.
///
/// Source: Documentation/DesignNotes/TraceBuffer.md.
public struct TraceBuffer: ~Copyable {
    public let limits: BufferLimits
    /// Undecided spans.
    public internal(set) var spanCount = 0

    var slots: TraceSlots
    var index: TraceIndex
    var wheel: TimerWheel
    var store: SegmentStore
    /// Of the last message.
    var latestOffset: Int64 = 0
    var latestTick: Int64 = 0
    /// Taken traces whose bytes are being read back.
    var readingBack: [TraceHandle: Gathering] = [:]

    /// Tags of the message that is being taken.
    var tags: [UInt32] = []
    /// Entries of the tick that is being looked at.
    var drained: [UInt32] = []
    var due = DueTraces()
    var handedOut = HandedOut()
    var silent = SilentTraces()
    /// Which program the bits of slots belong to.
    var epoch: UInt8 = 0
    var pass: RematchPass?
    var rematchBatch = SpanBatch(capacity: 0)

    public init(limits: BufferLimits) {
        self.limits = limits
        let capacity = Self.slotCapacity(limits.traces)
        slots = TraceSlots(capacity: capacity)
        index = TraceIndex(bucketCount: Self.bucketCount(capacity), key: limits.hashKey)
        wheel = TimerWheel(horizon: limits.shortestWait, slotCapacity: capacity)
        store = SegmentStore(segmentBytes: limits.usedSegmentBytes)
    }

    /// Some more than may be undecided when a message is offered, for the traces that the last one opens.
    static func slotCapacity(_ traces: Int) -> Int { max(traces, 1) + max(traces / 32, 1024) }

    /// Ten buckets of thirteen are taken at most: more would make searches long, less cost memory.
    static func bucketCount(_ slotCapacity: Int) -> Int { slotCapacity / 10 * 13 + 16 }

    /// Undecided traces.
    public var traceCount: Int { slots.liveCount }

    /// Bytes of the segments in memory.
    public var usedBytes: Int { store.usedBytes }

    /// Bytes of the segments that were written and are still needed.
    public var writtenBytes: Int { store.writtenBytes }

    /// Whether an undecided trace of this id is here.
    public func contains(_ traceID: TraceID) -> Bool {
        index.find(traceID, tag: index.tag(traceID), in: slots.slots) != nil
    }

    /// Whether a message of this size would be taken within the limits.
    ///
    /// Looks for segments that nobody needs before it says no.
    public mutating func hasRoom(forBytes byteCount: Int) -> Bool {
        if slots.liveCount == 0 { return true }
        guard slots.liveCount < limits.traces, !store.isWindowFull else { return false }
        if store.usedBytes(with: byteCount) <= limits.bytes { return true }
        guard store.releasedCount > 0 else { return false }
        store.reclaim()
        return store.usedBytes(with: byteCount) <= limits.bytes
    }

    /// Whether so little is used that early decisions may stop.
    public var hasEarlyRoom: Bool {
        mutating get {
            if slots.liveCount == 0 { return true }
            guard slots.liveCount <= limits.traces - max(1, limits.traces / BufferLimits.earlyFreeShare),
                !store.isWindowFull
            else { return false }
            let enough = limits.bytes - limits.bytes / BufferLimits.earlyFreeShare
            if store.usedBytes > enough, store.releasedCount > 0 { store.reclaim() }
            return store.usedBytes <= enough
        }
    }

    // MARK: Segments

    /// Segments that became full since the last call, for the one who writes them; oldest first.
    public mutating func sealed() -> [SealedSegment] {
        guard limits.spills else { return [] }
        return store.sealed(limit: limits.segmentsInFlight, aboveBytes: limits.spillsAboveBytes)
    }

    /// The segment is on disk and leaves memory.
    public mutating func written(_ id: SegmentID) { store.written(id.value) }

    /// Written segments that nothing needs any more, since the last call.
    public mutating func unneededSegments() -> [SegmentID] { store.takeUnneeded() }
}

extension BufferLimits {
    /// Segments are small enough that several fit.
    var usedSegmentBytes: Int { max(64, min(segmentBytes, max(bytes / 8, SegmentMemory.blockBytes))) }

    /// No trace is complete sooner than this after its first span, or after any other.
    var shortestWait: Int64 { max(1, min(rootInactivityTicks, inactivityTicks, maximumDurationTicks)) }

    /// When a trace is complete unless more spans come, and why.
    func deadline(first: Int64, last: Int64, hasRoot: Bool) -> (tick: Int64, cause: RipeCause) {
        let wait = hasRoot ? min(rootInactivityTicks, inactivityTicks) : inactivityTicks
        let silent = last &+ max(1, wait)
        let old = first &+ max(1, maximumDurationTicks)
        if old <= silent { return (old, .duration) }
        return (silent, hasRoot ? .root : .inactivity)
    }
}
