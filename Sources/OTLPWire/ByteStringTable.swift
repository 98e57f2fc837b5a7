/// A set of byte strings with a number each, open-addressed, in flat arrays.
///
/// Built once from configuration, so its strings are nobody's attack; half the slots stay free.
struct ByteStringTable: Sendable {
    struct Slot: Sendable {
        var hash: UInt64 = 0
        var offset: UInt32 = 0
        /// `UInt32.max` marks a free slot: no string is that long.
        var count: UInt32 = .max
        var firstValue: UInt32 = 0
        var valueCount: UInt32 = 0
    }

    private(set) var slots: [Slot]
    private(set) var bytes: [UInt8]
    /// The bits of `filterBit` that occur: most keys of attributes fail here.
    private(set) var filter: UInt64
    /// One bit for each length that occurs, modulo 64.
    private(set) var lengths: UInt64 = 0
    /// Whether every byte counts for the hash: texts that rules and policies list may differ anywhere, in the middle of
    /// an id for instance, while keys hardly agree in length and both ends.
    let hashesWhole: Bool

    var isEmpty: Bool { filter == 0 }

    /// - Parameter entries: Distinct strings, each with a range of values.
    init(_ entries: [(string: [UInt8], values: Range<Int>)], hashesWhole: Bool = false) {
        self.hashesWhole = hashesWhole
        var capacity = 2
        while capacity < entries.count * 2 { capacity *= 2 }
        slots = Array(repeating: Slot(), count: capacity)
        bytes = []
        filter = 0
        for entry in entries {
            let string = entry.string.span.bytes
            let hash =
                hashesWhole
                ? Self.wholeHash(string, from: 0, to: string.byteCount)
                : Self.hash(string, from: 0, to: string.byteCount)
            lengths |= 1 &<< UInt64(string.byteCount & 63)
            filter |= Self.filterBits(entry.string)
            var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
            while slots[index].count != .max { index = (index + 1) & (capacity - 1) }
            slots[index] = Slot(
                hash: hash, offset: UInt32(bytes.count), count: UInt32(entry.string.count),
                firstValue: UInt32(entry.values.lowerBound), valueCount: UInt32(entry.values.count))
            bytes.append(contentsOf: entry.string)
        }
    }

    /// The values of the string at `start..<end`, or nil when it is not in the set.
    func values(_ candidate: borrowing RawSpan, from start: Int, to end: Int) -> Range<Int>? {
        let count = end &- start
        if hashesWhole, lengths &>> UInt64(count & 63) & 1 == 0 { return nil }
        let hash =
            hashesWhole
            ? Self.wholeHash(candidate, from: start, to: end) : Self.hash(candidate, from: start, to: end)
        let mask = slots.count &- 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index].count != .max {
            let slot = slots[index]
            if slot.hash == hash, Int(slot.count) == count,
                equal(candidate, at: start, bytes.span.bytes, at: Int(slot.offset), count: count)
            {
                let first = Int(slot.firstValue)
                return first..<(first &+ Int(slot.valueCount))
            }
            index = (index &+ 1) & mask
        }
        return nil
    }

    /// The filter's bit for strings of that length and these first three bytes.
    ///
    /// - Parameter head: In its four lowest bytes the length and, behind it, the first bytes in their order.
    @inline(__always)
    static func filterBit(_ head: UInt64) -> UInt64 {
        // 2^32 divided by the golden ratio; the six highest bits of a product depend on all of its factor.
        UInt64((UInt32(truncatingIfNeeded: head) &* 0x9E37_79B1) &>> 26)
    }

    private static func filterBits(_ string: [UInt8]) -> UInt64 {
        // Behind a shorter string there may be anything.
        guard string.count >= 3 else { return .max }
        let head =
            UInt64(string.count & 0xFF) | UInt64(string[0]) << 8 | UInt64(string[1]) << 16 | UInt64(string[2]) << 24
        return 1 &<< filterBit(head)
    }

    /// Of the length, the first four bytes and the last one: cheap, and enough to tell attribute keys apart.
    @inline(__always)
    static func hash(_ string: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        let count = end &- start
        guard count >= 4 else { return shortHash(string, from: start, to: end) }
        return hash(
            count: UInt64(truncatingIfNeeded: count), first: UInt64(string.word32(at: start)),
            last: UInt64(string.byte(at: end &- 1)))
    }

    @inline(__always)
    private static func hash(count: UInt64, first: UInt64, last: UInt64) -> UInt64 {
        // An odd constant without pattern: 2^64 divided by the golden ratio.
        let product = (first | last << 32 | count << 40) &* 0x9E37_79B9_7F4A_7C15
        return product ^ product >> 29
    }

    /// Of all bytes, in words of eight of which the last may overlap the one in front of it.
    private static func wholeHash(_ string: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: end &- start)
        var offset = start
        guard end &- start >= 8 else {
            while offset < end {
                hash = hash << 8 | UInt64(string.byte(at: offset))
                offset &+= 1
            }
            return mixed(hash)
        }
        while end &- offset > 8 {
            hash = mixed(hash ^ string.word64(at: offset))
            offset &+= 8
        }
        return mixed(hash ^ string.word64(at: end &- 8))
    }

    @inline(__always)
    private static func mixed(_ word: UInt64) -> UInt64 {
        let product = word &* 0x9E37_79B9_7F4A_7C15
        return product ^ product >> 32
    }

    private static func shortHash(_ string: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        var first: UInt64 = 0
        for offset in start..<end {
            first = first << 8 | UInt64(string.byte(at: offset))
        }
        return hash(count: UInt64(end - start), first: first, last: 0)
    }
}

/// Whether two stretches of `count` bytes are the same.
@inline(__always)
func equal(
    _ one: borrowing RawSpan, at oneStart: Int, _ other: borrowing RawSpan, at otherStart: Int,
    count: Int
) -> Bool {
    // The bounds of both are checked here, once.
    let one = one.extracting(oneStart..<(oneStart &+ count))
    let other = other.extracting(otherStart..<(otherStart &+ count))
    guard count >= 8 else { return equalShort(one, other, count: count) }
    // Words of eight bytes, the last of which overlaps the one in front of it.
    var offset = 0
    while offset &+ 8 < count {
        guard one.heldWord64(at: offset) == other.heldWord64(at: offset) else { return false }
        offset &+= 8
    }
    return one.heldWord64(at: count &- 8) == other.heldWord64(at: count &- 8)
}

@inline(__always)
private func equalShort(_ one: borrowing RawSpan, _ other: borrowing RawSpan, count: Int) -> Bool {
    guard count < 4 else {
        return one.word32(at: 0) == other.word32(at: 0) && one.word32(at: count &- 4) == other.word32(at: count &- 4)
    }
    for offset in 0..<count {
        guard one.byte(at: offset) == other.byte(at: offset) else { return false }
    }
    return true
}
