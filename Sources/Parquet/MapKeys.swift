/// Tells the repeated keys of one map: readers want them unique ("Map keys must be unique", DuckDB 1.5).
///
/// Remembers where each key lies, not the key: all must come from the same bytes. Emptied and used again.
public struct MapKeys: ~Copyable {
    /// Above it a table with the hasher's random seed stands in: no sender can make it slow.
    static let scannedCount = 64

    // One element for each key. Three memories and no struct: 6.3.1 crashes on one that is private to this module.
    private var hashes: ColumnMemory<UInt64>
    private var starts: ColumnMemory<Int>
    private var counts: ColumnMemory<Int>
    /// One bit for the top six bits of each hash: most keys are seen to be new without a look at the others.
    private var filter: UInt64 = 0
    private var slots: [Int32] = []

    public init() {
        hashes = ColumnMemory(capacity: Self.scannedCount)
        starts = ColumnMemory(capacity: Self.scannedCount)
        counts = ColumnMemory(capacity: Self.scannedCount)
    }

    public mutating func removeAll() {
        hashes.removeAll()
        starts.removeAll()
        counts.removeAll()
        filter = 0
        slots.removeAll(keepingCapacity: true)
    }

    /// Takes `source[start..<end]`; false when it is there already.
    public mutating func insert(_ source: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        if hashes.count >= Self.scannedCount { return insertIntoTable(source, from: start, to: end) }
        let hash = Self.quickHash(source, from: start, to: end)
        let bit: UInt64 = 1 << (hash >> 58)
        if filter & bit != 0 {
            for index in 0..<hashes.count where hashes.base[index] == hash {
                if equal(source, index, start, end) { return false }
            }
        }
        filter |= bit
        append(hash, start, end)
        return true
    }

    private mutating func append(_ hash: UInt64, _ start: Int, _ end: Int) {
        hashes.append(hash)
        starts.append(start)
        counts.append(end - start)
    }

    private mutating func insertIntoTable(
        _ source: borrowing RawSpan, from start: Int, to end: Int
    ) -> Bool {
        if slots.isEmpty || hashes.count * 2 >= slots.count { rebuild(source) }
        let hash = Self.seededHash(source, from: start, to: end)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if hashes.base[index] == hash, equal(source, index, start, end) { return false }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = Int32(hashes.count)
        append(hash, start, end)
        return true
    }

    private mutating func rebuild(_ source: borrowing RawSpan) {
        slots = Array(repeating: -1, count: max(Self.scannedCount * 4, slots.count * 2))
        for index in 0..<hashes.count {
            let start = starts.base[index]
            let hash = Self.seededHash(source, from: start, to: start + counts.base[index])
            hashes.base[index] = hash
            var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index)
        }
    }

    private func equal(_ source: borrowing RawSpan, _ index: Int, _ start: Int, _ end: Int) -> Bool {
        let first = starts.base[index]
        guard counts.base[index] == end - start else { return false }
        return source.withUnsafeBytes { bytes in
            bytes[first..<first + end - start].elementsEqual(bytes[start..<end])
        }
    }

    /// Of the length, the first and the last eight bytes (or all of a shorter key).
    private static func quickHash(_ source: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        let count = end - start
        var first: UInt64 = 0
        var last: UInt64 = 0
        if count >= 8 {
            first = source.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self)
            last = source.unsafeLoadUnaligned(fromByteOffset: end - 8, as: UInt64.self)
        } else {
            for offset in start..<end {
                first = first << 8 | UInt64(source.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            }
        }
        // An odd constant without pattern: 2^64 divided by the golden ratio.
        let mixed = (first ^ (last << 23 | last >> 41) ^ UInt64(count)) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 32
    }

    private static func seededHash(_ source: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        source.withUnsafeBytes { bytes in
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            return UInt64(bitPattern: Int64(hasher.finalize()))
        }
    }
}
