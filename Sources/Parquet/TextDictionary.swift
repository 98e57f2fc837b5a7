import CParquet

/// Different texts, or strings of bytes, with a number each, in the order they came; emptied and used again.
///
/// Texts of traces repeat: to find one costs less than to check, copy, and later hash and compare it again.
struct TextDictionary: ~Copyable {
    /// All texts, one behind the other.
    private(set) var bytes: ColumnMemory<UInt8>
    private(set) var ends: ColumnMemory<UInt32>
    private var hashes: ColumnMemory<UInt32>
    /// Open-addressed; 0 is free. At most half of the 2^n are taken: number + 1 in the low n bits, the hash's own high
    /// bits above. The hash's low bits say where an entry belongs.
    private var slots: ColumnMemory<UInt32>

    private static let smallestTable = 1024
    /// Random at every start: no sender can choose texts that meet in one slot.
    private static let seed: (UInt64, UInt64) = (UInt64.random(in: 0...(.max)), UInt64.random(in: 0...(.max)))
    /// A copy at hand.
    private let seed = Self.seed

    init() {
        bytes = ColumnMemory(capacity: 1 << 14)
        ends = ColumnMemory(capacity: 1 << 10)
        hashes = ColumnMemory(capacity: 1 << 10)
        slots = ColumnMemory(capacity: Self.smallestTable)
        slots.append(repeating: 0, count: Self.smallestTable)
    }

    var count: Int { ends.count }

    mutating func removeAll() {
        bytes.removeAll()
        ends.removeAll()
        hashes.removeAll()
        let size = slots.count
        slots.removeAll()
        slots.append(repeating: 0, count: size)
    }

    /// The number of the text, which is added when it is new; with U+FFFD for each part that is not UTF-8.
    mutating func insert(_ source: borrowing RawSpan, from start: Int, to end: Int) -> (number: Int32, wasValid: Bool) {
        insert(source, from: start, to: end, hash: hash(of: source, from: start, to: end))
    }

    /// - Parameter hash: Of the same bytes.
    @inline(__always)
    mutating func insert(
        _ source: borrowing RawSpan, from start: Int, to end: Int, hash: UInt32
    ) -> (number: Int32, wasValid: Bool) {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        return source.withUnsafeBytes { all in
            let text = UnsafeRawBufferPointer(rebasing: all[start..<end])
            if let number = find(text, hash) { return (number, true) }
            return insert(new: text, hash)
        }
    }

    @inline(__always)
    func hash(of source: borrowing RawSpan, from start: Int, to end: Int) -> UInt32 {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        return source.withUnsafeBytes { hash(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    }

    /// Asks for the memory that a text with this hash will be looked for in.
    @inline(__always)
    func prefetch(_ hash: UInt32) {
        cpq_prefetch(slots.base + (Int(hash) & (slots.count &- 1)), 1)
    }

    /// The number of the bytes, which are added when they are new, valid UTF-8 or not.
    mutating func insert(bytes source: borrowing RawSpan, from start: Int, to end: Int) -> Int32 {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        return source.withUnsafeBytes { all in
            let bytes = UnsafeRawBufferPointer(rebasing: all[start..<end])
            let hash = hash(bytes)
            return find(bytes, hash) ?? add(bytes, hash)
        }
    }

    /// The number of the bytes; nil when they are not there.
    func find(bytes source: borrowing RawSpan, from start: Int, to end: Int) -> Int32? {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        return source.withUnsafeBytes { all in
            let bytes = UnsafeRawBufferPointer(rebasing: all[start..<end])
            return find(bytes, hash(bytes))
        }
    }

    /// Whether the text is the one with this number.
    func has(_ source: borrowing RawSpan, from start: Int, to end: Int, as number: Int32) -> Bool {
        precondition(start >= 0 && start <= end && end <= source.byteCount && number >= 0 && number < count)
        return source.withUnsafeBytes { all in
            holds(UnsafeRawBufferPointer(rebasing: all[start..<end]), Int(number))
        }
    }

    @inline(never)
    private mutating func insert(
        new text: UnsafeRawBufferPointer, _ hash: UInt32
    ) -> (number: Int32, wasValid: Bool) {
        if isASCII(text, from: 0, count: text.count) { return (add(text, hash), true) }
        var repaired = String(decoding: text, as: UTF8.self)
        if repaired.utf8.elementsEqual(text) { return (add(text, hash), true) }
        return repaired.withUTF8 { utf8 in
            let text = UnsafeRawBufferPointer(utf8)
            let hash = self.hash(text)
            return (find(text, hash) ?? add(text, hash), false)
        }
    }

    @inline(__always)
    private func find(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int32? {
        let mask = UInt32(truncatingIfNeeded: slots.count &- 1)
        var slot = hash & mask
        while true {
            let entry = slots.base[Int(slot)]
            if entry == 0 { return nil }
            let number = Int32(truncatingIfNeeded: entry & mask) &- 1
            if (entry ^ hash) & ~mask == 0, holds(text, Int(number)) { return number }
            slot = (slot &+ 1) & mask
        }
    }

    @inline(__always)
    private func holds(_ text: UnsafeRawBufferPointer, _ number: Int) -> Bool {
        let start = number == 0 ? 0 : Int(ends.base[number &- 1])
        let count = Int(ends.base[number]) &- start
        guard count == text.count else { return false }
        guard let other = text.baseAddress else { return true }
        return Self.areEqual(UnsafeRawPointer(bytes.base + start), other, count)
    }

    private mutating func add(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int32 {
        let number = Int32(ends.count)
        bytes.reserve(text.count)
        if let first = text.baseAddress {
            UnsafeMutableRawPointer(bytes.base + bytes.count).copyMemory(from: first, byteCount: text.count)
        }
        bytes.extend(by: text.count)
        ends.append(UInt32(bytes.count))
        hashes.append(hash)
        if ends.count * 2 > slots.count { rebuild(size: slots.count * 2) } else { enter(number, hash) }
        return number
    }

    private mutating func rebuild(size: Int) {
        slots.removeAll()
        slots.append(repeating: 0, count: size)
        for number in 0..<hashes.count { enter(Int32(number), hashes.base[number]) }
    }

    private func enter(_ number: Int32, _ hash: UInt32) {
        let mask = slots.count &- 1
        var slot = Int(hash) & mask
        while slots.base[slot] != 0 { slot = (slot &+ 1) & mask }
        slots.base[slot] = hash & ~UInt32(mask) | UInt32(number + 1)
    }

    @inline(__always)
    private static func areEqual(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer, _ count: Int) -> Bool {
        if count < 8 { return word(one, count) == word(other, count) }
        if count < 16 {
            let first = one.loadUnaligned(as: UInt64.self) ^ other.loadUnaligned(as: UInt64.self)
            let last =
                one.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
                ^ other.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            return first | last == 0
        }
        var different = SIMD2<UInt64>.zero
        var offset = 0
        while offset < count &- 16 {
            different |=
                one.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self)
                ^ other.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self)
            offset &+= 16
        }
        different |=
            one.loadUnaligned(fromByteOffset: count &- 16, as: SIMD2<UInt64>.self)
            ^ other.loadUnaligned(fromByteOffset: count &- 16, as: SIMD2<UInt64>.self)
        return different[0] | different[1] == 0
    }

    /// Fewer than eight bytes as a number, different for each text of that length.
    @inline(__always)
    private static func word(_ text: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let first = UInt64(text.loadUnaligned(as: UInt32.self))
            return first << 32 | UInt64(text.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        }
        if count == 0 { return 0 }
        // First, middle and last: all of them, some twice.
        let first = UInt64(text.load(as: UInt8.self))
        let middle = UInt64(text.load(fromByteOffset: count >> 1, as: UInt8.self))
        return first << 16 | middle << 8 | UInt64(text.load(fromByteOffset: count &- 1, as: UInt8.self))
    }

    /// Sixteen bytes to a wide multiplication; both factors depend on what only this process knows.
    @inline(__always)
    private func hash(_ text: UnsafeRawBufferPointer) -> UInt32 {
        let (one, two) = seed
        let count = text.count
        var state = two ^ UInt64(truncatingIfNeeded: count)
        guard let raw = text.baseAddress else { return UInt32(truncatingIfNeeded: Self.fold(state ^ one, two)) }
        if count >= 8 {
            var offset = 0
            while offset < count &- 16 {
                state = Self.fold(
                    raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ one,
                    raw.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self) ^ state)
                offset &+= 16
            }
            let rest = max(count &- 16, 0)
            state = Self.fold(
                raw.loadUnaligned(fromByteOffset: rest, as: UInt64.self) ^ one,
                raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self) ^ state)
        } else {
            state = Self.fold(Self.word(raw, count) ^ one, state)
        }
        return UInt32(truncatingIfNeeded: Self.fold(state ^ one, two))
    }

    @inline(__always)
    private static func fold(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let product = one.multipliedFullWidth(by: other)
        return product.high ^ product.low
    }
}
