// The four shapes of protobuf fields, read at an offset that moves on.
// Source: protobuf.dev, "Encoding".

enum WireType {
    static let varint: UInt64 = 0
    static let fixed64: UInt64 = 1
    static let lengthDelimited: UInt64 = 2
    static let groupStart: UInt64 = 3
    static let groupEnd: UInt64 = 4
    static let fixed32: UInt64 = 5
}

/// Reads a varint of at most 64 bits in front of `end`.
@inline(__always)
func varint(
    _ bytes: borrowing RawSpan, at offset: inout Int, end: Int
) throws(WireError) -> UInt64 {
    if offset < end {
        let byte = bytes.byte(at: offset)
        if byte < 0x80 {
            offset &+= 1
            return UInt64(byte)
        }
    }
    return try longVarint(bytes, at: &offset, end: end)
}

@inline(never)
func longVarint(
    _ bytes: borrowing RawSpan, at offset: inout Int, end: Int
) throws(WireError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
        #if PLANTED_OFF_BY_ONE  // Only scripts/fuzz --planted builds this, to show that the fuzzer finds it.
            guard offset <= end else { throw .truncated(offset: offset) }
        #else
            guard offset < end else { throw .truncated(offset: offset) }
        #endif
        let byte = bytes.byte(at: offset)
        offset &+= 1
        // The tenth byte holds bit 63 only.
        if shift == 63, byte > 1 { throw .malformedVarint(offset: start) }
        value |= UInt64(byte & 0x7F) &<< shift
        if byte < 0x80 { return value }
        shift &+= 7
    }
}

/// Reads the tag of a field that starts in front of `end`: number << 3 | wire type.
@inline(__always)
func tag(_ bytes: borrowing RawSpan, at offset: inout Int, end: Int) throws(WireError) -> UInt64 {
    let start = offset
    let tag = try varint(bytes, at: &offset, end: end)
    guard tag >= 8, tag <= UInt64(UInt32.max) else { throw .badTag(offset: start) }
    return tag
}

/// Reads a length and answers the end of the bytes it announces; `offset` is then their start.
@inline(__always)
func delimitedEnd(
    _ bytes: borrowing RawSpan, at offset: inout Int, end: Int
) throws(WireError) -> Int {
    if end &- offset >= 2 {
        // Lengths of one or two bytes, those of nearly all fields.
        let head = Int(bytes.word16(at: offset))
        let isShort = head & 0x80 == 0
        if isShort || head & 0x8000 == 0 {
            let start = offset &+ (isShort ? 1 : 2)
            let next = start &+ (isShort ? head & 0x7F : head & 0x7F | head >> 1 & 0x3F80)
            if next <= end {
                offset = start
                return next
            }
        }
    }
    return try longDelimitedEnd(bytes, at: &offset, end: end)
}

/// Reads a tag of one byte and a length of one or two; answers the end of the bytes it announces, and `offset` is then
/// their start. Nil, with nothing read, when something else stands there or does not fit.
@inline(__always)
func shortFieldEnd(_ bytes: borrowing RawSpan, tag: UInt8, at offset: inout Int, end: Int) -> Int? {
    guard end &- offset >= 2, bytes.byte(at: offset) == tag else { return nil }
    var count = Int(bytes.byte(at: offset &+ 1))
    var start = offset &+ 2
    if count >= 0x80 {
        guard start < end else { return nil }
        let second = Int(bytes.byte(at: start))
        guard second < 0x80 else { return nil }
        count = count & 0x7F | second &<< 7
        start &+= 1
    }
    guard count <= end &- start else { return nil }
    offset = start
    return start &+ count
}

@inline(never)
func longDelimitedEnd(
    _ bytes: borrowing RawSpan, at offset: inout Int, end: Int
) throws(WireError) -> Int {
    let start = offset
    let length = try varint(bytes, at: &offset, end: end)
    guard length <= UInt64(end &- offset) else { throw .lengthOverrun(offset: start) }
    return offset &+ Int(truncatingIfNeeded: length)
}

/// Moves behind the value of a field whose tag has been read, whatever it is.
///
/// - Parameters:
///   - tag: The tag, number << 3 | wire type.
///   - tagOffset: Where the tag starts, for the error.
@inline(never)
func skipValue(
    _ bytes: borrowing RawSpan, of tag: UInt64, tagOffset: Int, at offset: inout Int, end: Int,
    limits: WireLimits
) throws(WireError) {
    switch tag & 7 {
    case WireType.varint:
        _ = try varint(bytes, at: &offset, end: end)
    case WireType.fixed64:
        guard end - offset >= 8 else { throw .truncated(offset: end) }
        offset += 8
    case WireType.lengthDelimited:
        offset = try delimitedEnd(bytes, at: &offset, end: end)
    case WireType.groupStart:
        try skipGroup(bytes, of: tag, tagOffset: tagOffset, at: &offset, end: end, limits: limits)
    case WireType.fixed32:
        guard end - offset >= 4 else { throw .truncated(offset: end) }
        offset += 4
    default:
        throw .badTag(offset: tagOffset)
    }
}

/// Moves behind the end of a group. Groups have no length, so their fields are walked; the open
/// ones stand on a stack of numbers that the limit bounds.
private func skipGroup(
    _ bytes: borrowing RawSpan, of opening: UInt64, tagOffset: Int, at offset: inout Int, end: Int,
    limits: WireLimits
) throws(WireError) {
    guard limits.nestingDepth > 0 else { throw .tooDeep(offset: tagOffset) }
    var open: [UInt64] = [opening >> 3]
    while let innermost = open.last {
        let start = offset
        let inner = try tag(bytes, at: &offset, end: end)
        switch inner & 7 {
        case WireType.groupStart:
            guard open.count < limits.nestingDepth else { throw .tooDeep(offset: start) }
            open.append(inner >> 3)
        case WireType.groupEnd:
            guard inner >> 3 == innermost else { throw .badTag(offset: start) }
            open.removeLast()
        default:
            try skipValue(
                bytes, of: inner, tagOffset: start, at: &offset, end: end, limits: limits)
        }
    }
}
