import CSystem
import TraceModel

/// Verdicts by trace id: many small tables with open addressing, so that no growth is a stall.
///
///     hash ─▶ part (0 … 1023) ─▶ ┌──────┬──────┬──────┬──────┬──────┐  24 bytes a slot,
///             address, capacity, │ slot │      │ slot │ slot │      │  at most three quarters of them used
///             used               └──────┴──────┴──────┴──────┴──────┘
///
/// Nothing is removed one by one: when a part is full it is laid out anew without what is too old, and larger only
/// if that does not make enough room. Parts fill up independently, and the largest is laid out in a fraction of
/// a millisecond.
///
/// Memory: each part is allocated and freed here; slots are read and written below `capacity` only.
struct VerdictTable: ~Copyable {
    struct Entry {
        var traceID: TraceID
        var tick: Int64
        var credit: UInt16
        var isOfEarlierLife: Bool
    }

    /// Id, then tick (40 bits), credit (16), earlier life, used.
    private struct Slot {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var rest: UInt64 = 0

        var isUsed: Bool { rest & 1 != 0 }
        var tick: Int64 { Int64(bitPattern: rest) >> 24 }
    }

    private struct Part {
        var slots: UnsafeMutablePointer<Slot>?
        var capacity: UInt32 = 0
        var used: UInt32 = 0
    }

    static let slotBytes = MemoryLayout<Slot>.stride
    private static let smallestPart: UInt32 = 8
    private static let mostParts = 1024

    private let parts: UnsafeMutablePointer<Part>
    private let partCount: Int
    /// Entries of one part; more make the oldest of it go.
    private let partLimit: UInt32
    private let key: (UInt64, UInt64)
    /// Used slots, too old ones that were not cleared yet included.
    private(set) var count = 0
    private(set) var bytes: Int
    /// Entries that went for room before they were too old.
    private(set) var forgottenCount = 0

    init(limit: Int) {
        // A part of a small table would be a matter of luck.
        var partCount = 1
        while partCount < Self.mostParts, limit / partCount >= 4096 { partCount *= 2 }
        self.partCount = partCount
        partLimit = UInt32(clamping: max(1, limit / partCount))
        parts = .allocate(capacity: partCount)
        parts.initialize(repeating: Part(), count: partCount)
        bytes = partCount * MemoryLayout<Part>.stride
        // Swift's own hash is keyed per process: hostile ids must not collide at will.
        key = (UInt64(bitPattern: Int64("verdict".hashValue)), UInt64(bitPattern: Int64("table".hashValue)) | 1)
    }

    deinit {
        for index in 0..<partCount { parts[index].slots?.deallocate() }
        parts.deallocate()
    }

    // MARK: Looking

    /// Starts loading what `find` will look at.
    func prefetch(_ traceID: TraceID) {
        let hash = hash(traceID)
        let part = parts[part(of: hash)]
        guard let slots = part.slots else { return }
        tss_prefetch(slots + Int(Self.start(hash, part.capacity)))
    }

    func find(_ traceID: TraceID) -> Entry? {
        let hash = hash(traceID)
        let part = parts[part(of: hash)]
        guard let slots = part.slots else { return nil }
        var index = Self.start(hash, part.capacity)
        while slots[Int(index)].isUsed {
            let slot = slots[Int(index)]
            if slot.high == traceID.high, slot.low == traceID.low { return Self.entry(slot) }
            index += 1
            if index == part.capacity { index = 0 }
        }
        return nil
    }

    // MARK: Writing

    /// Puts the entry in, in place of an older one of its trace.
    ///
    /// - Parameter oldest: Entries of earlier ticks are too old; they go when room is needed.
    mutating func insert(_ entry: Entry, oldest: Int64) {
        let hash = hash(entry.traceID)
        let number = part(of: hash)
        if (parts[number].used + 1) * 4 > parts[number].capacity * 3 || parts[number].used >= partLimit {
            // What is known already needs no room.
            if find(entry.traceID) == nil { makeRoom(number, oldest: oldest) }
        }
        let slot = Slot(
            high: entry.traceID.high, low: entry.traceID.low,
            rest: UInt64(bitPattern: entry.tick) << 24 | UInt64(entry.credit) << 8
                | (entry.isOfEarlierLife ? 2 : 0) | 1)
        if Self.put(slot, hash, &parts[number]) { count += 1 }
    }

    /// Whether the slot is a new one.
    private static func put(_ slot: Slot, _ hash: UInt64, _ part: inout Part) -> Bool {
        guard let slots = part.slots else { preconditionFailure("room was made") }
        var index = start(hash, part.capacity)
        while slots[Int(index)].isUsed {
            if slots[Int(index)].high == slot.high, slots[Int(index)].low == slot.low {
                slots[Int(index)] = slot
                return false
            }
            index += 1
            if index == part.capacity { index = 0 }
        }
        slots[Int(index)] = slot
        part.used += 1
        return true
    }

    /// Lays a part out anew: without what is too old, and larger if it is still more than half full.
    private mutating func makeRoom(_ number: Int, oldest: Int64) {
        let before = parts[number]
        var live: UInt32 = 0
        for index in 0..<Int(before.capacity) {
            if let slot = before.slots?[index], slot.isUsed, slot.tick >= oldest { live += 1 }
        }
        let cut = live >= partLimit ? Self.oldQuarter(before, oldest: oldest) : nil
        let evictions = live >= partLimit ? max(1, live / 2) : 0
        let grows = before.capacity == 0 || (live + 1) * 2 > before.capacity
        let capacity = grows ? max(Self.smallestPart, before.capacity + before.capacity / 2) : before.capacity
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: Int(capacity))
        slots.initialize(repeating: Slot(), count: Int(capacity))
        parts[number] = Part(slots: slots, capacity: capacity)
        keep(before, in: number, oldest: oldest, cut: cut, evictions: evictions)
        before.slots?.deallocate()
        bytes += (Int(capacity) - Int(before.capacity)) * Self.slotBytes
    }

    /// Copies what is young enough; of what is not too old, at most `evictions` up to the tick `cut` are left out.
    private mutating func keep(
        _ before: Part, in number: Int, oldest: Int64, cut: Int64?, evictions: UInt32
    ) {
        var evictions = evictions
        for index in 0..<Int(before.capacity) {
            guard let slot = before.slots?[index], slot.isUsed else { continue }
            count -= 1
            if slot.tick < oldest { continue }
            if let cut, slot.tick <= cut, evictions > 0 {
                evictions -= 1
                forgottenCount += 1
                continue
            }
            if Self.put(slot, hash(TraceID(high: slot.high, low: slot.low)), &parts[number]) { count += 1 }
        }
    }

    /// A tick that about a quarter of the part's entries are not younger than, by a sample of them.
    private static func oldQuarter(_ part: Part, oldest: Int64) -> Int64? {
        var sample: [Int64] = []
        for index in 0..<Int(part.capacity) where sample.count < 64 {
            if let slot = part.slots?[index], slot.isUsed, slot.tick >= oldest { sample.append(slot.tick) }
        }
        sample.sort()
        return sample.isEmpty ? nil : sample[sample.count / 4]
    }

    // MARK: Hash

    /// One multiplication of both keyed halves, its own halves folded.
    private func hash(_ traceID: TraceID) -> UInt64 {
        let product = (traceID.high ^ key.0).multipliedFullWidth(by: traceID.low ^ key.1)
        let mixed = product.high ^ product.low
        return (mixed ^ mixed >> 32) &* 0x9E37_79B9_7F4A_7C15
    }

    private func part(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (partCount - 1) }

    /// The upper half of the hash, scaled to the capacity.
    private static func start(_ hash: UInt64, _ capacity: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: (hash >> 32) &* UInt64(capacity) >> 32)
    }

    private static func entry(_ slot: Slot) -> Entry {
        Entry(
            traceID: TraceID(high: slot.high, low: slot.low), tick: slot.tick,
            credit: UInt16(truncatingIfNeeded: slot.rest >> 8), isOfEarlierLife: slot.rest & 2 != 0)
    }
}
