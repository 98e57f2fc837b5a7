/// Writes protobuf messages, field by field, in the order of the calls.
///
/// Nothing is left out: a field with its default value is written when it is asked for.
///
/// Source: protobuf.dev, "Encoding".
public struct MessageWriter: Sendable {
    /// The message so far; complete whenever no nested message is open.
    public private(set) var bytes: [UInt8]

    public init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Starts over, keeping the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// An int32, int64, uint32, uint64 or enum field; negative numbers as their two's complement.
    public mutating func varint(_ field: UInt32, _ value: UInt64) {
        tag(field, 0)
        rawVarint(value)
    }

    public mutating func int(_ field: UInt32, _ value: Int64) {
        varint(field, UInt64(bitPattern: value))
    }

    public mutating func bool(_ field: UInt32, _ value: Bool) {
        varint(field, value ? 1 : 0)
    }

    public mutating func fixed64(_ field: UInt32, _ value: UInt64) {
        tag(field, 1)
        raw(littleEndian: value, count: 8)
    }

    public mutating func double(_ field: UInt32, _ value: Double) {
        fixed64(field, value.bitPattern)
    }

    public mutating func fixed32(_ field: UInt32, _ value: UInt32) {
        tag(field, 5)
        raw(littleEndian: UInt64(value), count: 4)
    }

    public mutating func string(_ field: UInt32, _ value: String) {
        tag(field, 2)
        let text = value.utf8
        rawVarint(UInt64(text.count))
        bytes.append(contentsOf: text)
    }

    /// A bytes field, or a nested message whose body is already there.
    public mutating func bytes(_ field: UInt32, _ value: [UInt8]) {
        tag(field, 2)
        rawVarint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// A nested message, written by the closure; its length is put in front of it afterwards.
    public mutating func message<Failure: Error>(
        _ field: UInt32, _ body: (inout MessageWriter) throws(Failure) -> Void
    ) throws(Failure) {
        let start = beginMessage(field)
        try body(&self)
        endMessage(start)
    }

    /// Starts a nested message; what is written until `endMessage` is its body.
    ///
    /// - Returns: What `endMessage` wants to know.
    public mutating func beginMessage(_ field: UInt32) -> Int {
        tag(field, 2)
        // One byte is enough for most lengths; a longer one moves the body.
        bytes.append(0)
        return bytes.count - 1
    }

    /// Ends the innermost nested message that was begun and not ended.
    public mutating func endMessage(_ lengthOffset: Int) {
        let length = UInt64(bytes.count - lengthOffset - 1)
        guard length >= 0x80 else {
            bytes[lengthOffset] = UInt8(length)
            return
        }
        bytes.replaceSubrange(lengthOffset...lengthOffset, with: Self.varintBytes(length))
    }

    /// The start or the end of a group; only tests write groups, proto3 has none.
    public mutating func group(_ field: UInt32, _ body: (inout MessageWriter) -> Void) {
        tag(field, 3)
        body(&self)
        tag(field, 4)
    }

    /// Number << 3 | wire type.
    public mutating func tag(_ field: UInt32, _ wireType: UInt8) {
        rawVarint(UInt64(field) << 3 | UInt64(wireType))
    }

    /// A varint without a tag.
    public mutating func rawVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Bytes as they are, without a tag: fields that were encoded before.
    public mutating func raw(_ encoded: [UInt8]) {
        bytes.append(contentsOf: encoded)
    }

    private mutating func raw(littleEndian value: UInt64, count: Int) {
        for index in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }

    /// The 1 to 10 bytes of a varint.
    public static func varintBytes(_ value: UInt64) -> [UInt8] {
        var writer = MessageWriter()
        writer.rawVarint(value)
        return writer.bytes
    }
}
