public import TraceModel

/// One field of a message: its number, its wire type and its value.
public struct WireField: Sendable, Hashable {
    /// 1 … 2^29 - 1.
    public var number: UInt32
    /// 0 varint, 1 fixed64, 2 length-delimited, 3 group, 5 fixed32.
    public var wireType: UInt8
    /// Of a varint, fixed64 or fixed32; 0 for the others.
    public var value: UInt64
    /// Of the bytes, text or message of a length-delimited field; `.none` for the others.
    public var range: ByteRange
    /// Where the tag starts.
    public var offset: Int

    /// The value of a field that must be a varint.
    public func varintValue() throws(WireError) -> UInt64 {
        guard wireType == 0 else { throw .wrongWireType(offset: offset) }
        return value
    }

    /// The value of a field that must be a fixed64, sfixed64 or double.
    public func fixed64Value() throws(WireError) -> UInt64 {
        guard wireType == 1 else { throw .wrongWireType(offset: offset) }
        return value
    }

    /// The value of a field that must be a fixed32.
    public func fixed32Value() throws(WireError) -> UInt32 {
        guard wireType == 5 else { throw .wrongWireType(offset: offset) }
        return UInt32(truncatingIfNeeded: value)
    }

    /// The bytes of a field that must be text, bytes or a message.
    public func rangeValue() throws(WireError) -> ByteRange {
        guard wireType == 2 else { throw .wrongWireType(offset: offset) }
        return range
    }
}

/// Walks the fields of one message in wire order.
///
///     var cursor = WireCursor(record.span)
///     while let field = try cursor.next(in: bytes) { switch field.number { … } }
///
/// Holds offsets only; the bytes are given to every call and must be the same each time.
public struct WireCursor: Sendable {
    /// Of the next field's tag.
    public private(set) var offset: Int
    /// Behind the message.
    public let end: Int
    let limits: WireLimits

    /// - Parameter range: The message's body; must lie within the bytes given to `next`.
    public init(_ range: ByteRange, limits: WireLimits = WireLimits()) {
        self.init(from: range.lowerBound, to: range.upperBound, limits: limits)
    }

    public init(from start: Int, to end: Int, limits: WireLimits = WireLimits()) {
        offset = start
        self.end = end
        self.limits = limits
    }

    /// The body of the next field when its tag is this one byte and its length takes one or two; nil, with nothing
    /// read, when another stands there: then `next` says what it is, or what is wrong with it.
    @inline(__always)
    mutating func takeShort(tag: UInt8, in bytes: borrowing RawSpan) -> ByteRange? {
        var start = offset
        guard let fieldEnd = shortFieldEnd(bytes, tag: tag, at: &start, end: end) else { return nil }
        offset = fieldEnd
        return ByteRange(from: start, to: fieldEnd)
    }

    /// The next field, or nil at the end of the message. A group is skipped and answered without value.
    // Inlined, the field stays in registers: as a call it took a tenth of the way from wire to columns.
    @inline(__always)
    public mutating func next(in bytes: borrowing RawSpan) throws(WireError) -> WireField? {
        guard offset < end else { return nil }
        let start = offset
        let tag = try tag(bytes, at: &offset, end: end)
        var field = WireField(
            number: UInt32(truncatingIfNeeded: tag >> 3), wireType: UInt8(tag & 7), value: 0,
            range: .none, offset: start)
        switch tag & 7 {
        case WireType.varint:
            field.value = try varint(bytes, at: &offset, end: end)
        case WireType.fixed64:
            guard end - offset >= 8 else { throw .truncated(offset: end) }
            field.value = bytes.word64(at: offset)
            offset += 8
        case WireType.fixed32:
            guard end - offset >= 4 else { throw .truncated(offset: end) }
            field.value = UInt64(bytes.word32(at: offset))
            offset += 4
        case WireType.lengthDelimited:
            let valueEnd = try delimitedEnd(bytes, at: &offset, end: end)
            field.range = ByteRange(from: offset, to: valueEnd)
            offset = valueEnd
        default:
            try skipValue(bytes, of: tag, tagOffset: start, at: &offset, end: end, limits: limits)
        }
        return field
    }
}
