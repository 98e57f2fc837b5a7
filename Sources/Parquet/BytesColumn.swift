import CParquet

/// Texts or byte strings of one row group; emptied and used again for the next.
///
///     bytes  GET/pathGETmain          ends  3, 8, 11, 15
public struct BytesColumn: ~Copyable {
    var bytes: ColumnMemory<UInt8>
    var ends: ColumnMemory<UInt32>
    var presence: ColumnPresence

    /// - Parameters:
    ///   - isOptional: Whether rows may be null; of a flat column only.
    ///   - capacity: Values.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        bytes = ColumnMemory(capacity: capacity * 16)
        ends = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { ends.count }

    /// Bytes of all values: what the caller bounds a row group by.
    public var byteCount: Int { bytes.count }

    public mutating func appendNull() { presence.appendNull() }

    /// Appends `source[start..<end]` as it is.
    public mutating func append(bytes source: borrowing RawSpan, from start: Int, to end: Int) {
        copy(source, from: start, to: end)
        finish()
    }

    /// Appends a text, with U+FFFD for each part of it that is not UTF-8.
    ///
    /// - Returns: Whether it was UTF-8 as it is.
    @discardableResult
    public mutating func append(text source: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        let first = bytes.count
        // Looked at where they come from: reading back what was just stored in wider steps stalls the processor.
        let isPlain = source.withUnsafeBytes { isASCII($0, from: start, count: end - start) }
        copy(source, from: start, to: end)
        if isPlain {
            finish()
            return true
        }
        return repair(from: first)
    }

    /// Looks closer at the bytes that were copied last, and ends the value with what is UTF-8 of them.
    private mutating func repair(from first: Int) -> Bool {
        let copied = UnsafeBufferPointer(start: bytes.base + first, count: bytes.count - first)
        let repaired = String(decoding: copied, as: UTF8.self)
        if repaired.utf8.elementsEqual(copied) {
            finish()
            return true
        }
        bytes.remove(behind: first)
        append(text: repaired)
        return false
    }

    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { utf8 in
            bytes.reserve(utf8.count)
            if let first = utf8.baseAddress {
                (bytes.base + bytes.count).initialize(from: first, count: utf8.count)
            }
            bytes.extend(by: utf8.count)
        }
        finish()
    }

    public mutating func append(bytes source: [UInt8]) {
        append(bytes: source.span.bytes, from: 0, to: source.count)
    }

    /// Appends 16 lower-case hexadecimal digits.
    public mutating func append(hexadecimal word: UInt64) {
        writeDigits(of: word)
        finish()
    }

    /// Appends 32 lower-case hexadecimal digits.
    public mutating func append(hexadecimal high: UInt64, _ low: UInt64) {
        writeDigits(of: high)
        writeDigits(of: low)
        finish()
    }

    /// Appends two lower-case hexadecimal digits for each byte of `source[start..<end]`.
    public mutating func append(hexadecimal source: borrowing RawSpan, from start: Int, to end: Int) {
        for offset in start..<end {
            let byte = source.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            bytes.append(Self.digit(byte >> 4))
            bytes.append(Self.digit(byte & 15))
        }
        finish()
    }

    /// Appends the value that is last once more, `count` times.
    public mutating func repeatLast(count: Int) {
        guard count > 0 else { return }
        precondition(ends.count > 0)
        let end = Int(ends.base[ends.count - 1])
        let start = ends.count > 1 ? Int(ends.base[ends.count - 2]) : 0
        bytes.reserve((end - start) * count)
        for _ in 0..<count {
            (bytes.base + bytes.count).initialize(from: bytes.base + start, count: end - start)
            bytes.extend(by: end - start)
            finish()
        }
    }

    /// Appends values that are there already once more.
    public mutating func append(copyOf range: Range<Int>) {
        guard !range.isEmpty else { return }
        precondition(range.lowerBound >= 0 && range.upperBound <= ends.count)
        let start = range.lowerBound == 0 ? 0 : Int(ends.base[range.lowerBound - 1])
        let moved = UInt32(bytes.count - start)
        bytes.append(copyOf: start..<Int(ends.base[range.upperBound - 1]))
        for index in range { ends.append(ends.base[index] + moved) }
        presence.append(repeating: true, count: range.count)
    }

    public mutating func removeAll() {
        bytes.removeAll()
        ends.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(
            count: Int64(ends.count), values: bytes.base, ends: ends.base, indices: nil, dictionary_count: 0)
    }

    private mutating func finish() {
        // The caller ends a row group at 64 MiB; 4 GiB are beyond reach (a value is part of a message below 2 GiB).
        ends.append(UInt32(bytes.count))
        presence.append(true)
    }

    private mutating func copy(_ source: borrowing RawSpan, from start: Int, to end: Int) {
        precondition(start >= 0 && start <= end && end <= source.byteCount)
        let count = end - start
        bytes.reserve(count)
        let target = bytes.base + bytes.count
        source.withUnsafeBytes { all in
            guard let first = all.baseAddress else { return }
            UnsafeMutableRawPointer(target).copyMemory(from: first + start, byteCount: count)
        }
        bytes.extend(by: count)
    }

    private mutating func writeDigits(of word: UInt64) {
        bytes.reserve(16)
        let target = UnsafeMutableRawPointer(bytes.base + bytes.count)
        target.storeBytes(of: Self.digits(of: UInt32(truncatingIfNeeded: word >> 32)), as: UInt64.self)
        target.storeBytes(of: Self.digits(of: UInt32(truncatingIfNeeded: word)), toByteOffset: 8, as: UInt64.self)
        bytes.extend(by: 16)
    }

    /// Eight lower-case digits as they stand in memory: half bytes are spread to bytes, and all made digits at once.
    @inline(__always)
    private static func digits(of half: UInt32) -> UInt64 {
        var spread = UInt64(half)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // One where the digit is a letter, which stands 39 behind the place that would follow "9".
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 39).bigEndian
    }

    @inline(__always)
    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &- 10 &+ value
    }
}

/// Sixteen bytes at a time, the last sixteen once more: most texts of a trace are ASCII, and need no further look.
func isASCII(_ bytes: UnsafeRawBufferPointer, from start: Int, count: Int) -> Bool {
    precondition(start >= 0 && count >= 0 && count <= bytes.count - start)
    guard count > 0, let raw = bytes.baseAddress.map({ $0 + start }) else { return true }
    let high: UInt64 = 0x8080_8080_8080_8080
    if count >= 16 {
        var seen = SIMD2<UInt64>.zero
        var offset = 0
        while offset < count &- 16 {
            seen |= raw.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self)
            offset &+= 16
        }
        seen |= raw.loadUnaligned(fromByteOffset: count &- 16, as: SIMD2<UInt64>.self)
        return (seen[0] | seen[1]) & high == 0
    }
    if count >= 8 {
        let first = raw.loadUnaligned(as: UInt64.self)
        return (first | raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)) & high == 0
    }
    var seen: UInt8 = 0
    for offset in 0..<count { seen |= raw.load(fromByteOffset: offset, as: UInt8.self) }
    return seen < 0x80
}
