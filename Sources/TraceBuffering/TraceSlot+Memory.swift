internal import CSystem
internal import TraceModel

/// What every span of a trace touches: one line of the cache.
///
///      0        8       16        24      32                40                48      52     56       60
///     ┌────────┬───────┬─────────┬───────┬────────────┬────┬──────────┬───┬──┬───────┬──────┬────────┬──────────┐
///     │ id high│ id low│ matches │ start │ duration   │rule│ link     │sta│fl│ spans │ bytes│ last   │ last tick│
///     │        │       │         │       │ 48, signed │ 16 │ 48       │ 8 │ 8│ 32    │ 32   │ offset │ 24, epoch│
///     └────────┴───────┴─────────┴───────┴────────────┴────┴──────────┴───┴──┴───────┴──────┴────────┴──────────┘
///
/// Offsets and ticks are the low bits of the real ones, made whole again with the buffer's latest. A trace that does
/// not fit (`isWide`) has its summary in a table at the side. `matches` of a free slot is the number of the next.
struct TraceSlot {
    var idHigh: UInt64
    var idLow: UInt64
    var matches: UInt64
    var startTimeUnixNano: UInt64
    private var durationLow: UInt32
    private var durationHigh: Int16
    var forceRule: UInt16
    private var linkLow: UInt32
    private var linkHigh: UInt16
    var statusCodes: UInt8
    var flags: Flags
    var spanCount: UInt32
    var spanBytes: UInt32
    var lastOffset: UInt32
    private var lastTickAndEpoch: UInt32

    struct Flags: OptionSet {
        var rawValue: UInt8

        /// In the index.
        static let live = Flags(rawValue: 1)
        static let hasRoot = Flags(rawValue: 2)
        static let isFlaggedSampled = Flags(rawValue: 4)
        /// `ripe` or `early` named it.
        static let isHandedOut = Flags(rawValue: 8)
        /// The timer wheel names the slot; outlives the trace, and serves the next one of the slot.
        static let isArmed = Flags(rawValue: 16)
        /// `TraceSlots.randomness` holds its `ot=rv`.
        static let hasRandomness = Flags(rawValue: 32)
        /// The summary is in `TraceSlots.wide`.
        static let isWide = Flags(rawValue: 64)
    }

    static let tickMask: UInt32 = 0x00FF_FFFF

    @inline(__always) var traceID: TraceID { TraceID(high: idHigh, low: idLow) }

    /// Latest end minus earliest start; the sum wraps, so any two times whose distance fits are exact.
    @inline(__always) var duration: Int64 { Int64(durationHigh) << 32 | Int64(durationLow) }

    @inline(__always) static func fits(duration: Int64) -> Bool { (duration << 16) >> 16 == duration }

    @inline(__always) mutating func set(duration: Int64) {
        durationLow = UInt32(truncatingIfNeeded: duration)
        durationHigh = Int16(truncatingIfNeeded: duration >> 32)
    }

    /// The newest span.
    @inline(__always) var link: Link {
        get { Link(rawValue: UInt64(linkHigh) << 32 | UInt64(linkLow)) }
        set {
            linkLow = UInt32(truncatingIfNeeded: newValue.rawValue)
            linkHigh = UInt16(truncatingIfNeeded: newValue.rawValue >> 32)
        }
    }

    @inline(__always) var lastTick: UInt32 { lastTickAndEpoch & Self.tickMask }

    @inline(__always) var epoch: UInt8 { UInt8(truncatingIfNeeded: lastTickAndEpoch >> 24) }

    @inline(__always) mutating func set(lastTick: UInt32, epoch: UInt8) {
        lastTickAndEpoch = lastTick & Self.tickMask | UInt32(epoch) << 24
    }
}

/// What is written when a trace opens and read when it is decided.
struct TraceOpening {
    var offset: Int64
    /// Low bits of the segment's number.
    var segment: UInt32
    /// Low bits.
    var tick: UInt32
}

/// The slots of the index in address space that is touched only as far as it is used, and their free list.
struct TraceSlots: ~Copyable {
    private(set) var capacity: Int
    private var slotMemory: ZeroedMemory
    private var openingMemory: ZeroedMemory
    private var randomnessMemory: ZeroedMemory
    /// Slots that were ever used.
    private(set) var touchedCount = 0
    private(set) var liveCount = 0
    /// Number of a free slot + 1; 0: none.
    private var free: UInt32 = 0
    /// Summaries of the traces that do not fit their slots.
    var wide: [UInt32: TraceSummary] = [:]

    init(capacity: Int) {
        self.capacity = capacity
        slotMemory = ZeroedMemory(byteCount: capacity * MemoryLayout<TraceSlot>.stride)
        openingMemory = ZeroedMemory(byteCount: capacity * MemoryLayout<TraceOpening>.stride)
        randomnessMemory = ZeroedMemory(byteCount: capacity * 8)
    }

    // The memory is this value's own and lives as long; numbers are below `capacity`, checked in debug builds.
    @inline(__always) var slots: UnsafeMutablePointer<TraceSlot> {
        slotMemory.base.assumingMemoryBound(to: TraceSlot.self)
    }
    @inline(__always) var openings: UnsafeMutablePointer<TraceOpening> {
        openingMemory.base.assumingMemoryBound(to: TraceOpening.self)
    }
    @inline(__always) var randomness: UnsafeMutablePointer<UInt64> {
        randomnessMemory.base.assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always) func prefetch(_ number: UInt32) {
        tss_prefetch(slots + Int(number))
        tss_prefetch(openings + Int(number))
    }

    /// A slot for a new trace; everything but its `isArmed` flag is the caller's to fill in.
    @inline(__always) mutating func take() -> UInt32 {
        liveCount += 1
        if free != 0 {
            let number = free - 1
            free = UInt32(truncatingIfNeeded: slots[Int(number)].matches)
            return number
        }
        precondition(touchedCount < capacity, "the caller made room")
        touchedCount += 1
        return UInt32(truncatingIfNeeded: touchedCount - 1)
    }

    mutating func giveBack(_ number: UInt32) {
        let slot = slots + Int(number)
        if slot.pointee.flags.contains(.isWide) { wide[number] = nil }
        slot.pointee.flags.formIntersection(.isArmed)
        slot.pointee.matches = UInt64(free)
        free = number + 1
        liveCount -= 1
    }

    /// More slots: everything is copied. Happens only when one message opens more traces than there is room
    /// above the limit, see `TraceBuffer.slotCapacity`.
    mutating func grow(to capacity: Int) {
        let stride = MemoryLayout<TraceSlot>.stride
        let larger = ZeroedMemory(byteCount: capacity * stride)
        larger.base.copyMemory(from: slotMemory.base, byteCount: touchedCount * stride)
        slotMemory = larger
        let openingStride = MemoryLayout<TraceOpening>.stride
        let largerOpenings = ZeroedMemory(byteCount: capacity * openingStride)
        largerOpenings.base.copyMemory(from: openingMemory.base, byteCount: touchedCount * openingStride)
        openingMemory = largerOpenings
        let largerRandomness = ZeroedMemory(byteCount: capacity * 8)
        largerRandomness.base.copyMemory(from: randomnessMemory.base, byteCount: touchedCount * 8)
        randomnessMemory = largerRandomness
        self.capacity = capacity
    }

    /// Numbers of the free list, for the checks of debug builds.
    var freeNumbers: [UInt32] {
        var numbers: [UInt32] = []
        var next = free
        while next != 0, numbers.count <= capacity {
            numbers.append(next - 1)
            next = UInt32(truncatingIfNeeded: slots[Int(next - 1)].matches)
        }
        return numbers
    }
}
