/// Why bytes are no OTLP message, and where.
///
/// `offset` counts bytes from the start of the message: of the tag for `wrongWireType`, `badTag`,
/// `tooDeep` and `tooManySpans`, of the length for `lengthOverrun`, of the varint for
/// `malformedVarint`, of the first missing byte for `truncated`.
public enum WireError: Error, Hashable, Sendable {
    /// The bytes end inside a tag, a number or a group.
    case truncated(offset: Int)
    /// A varint of more than 64 bits.
    case malformedVarint(offset: Int)
    /// A length that reaches beyond the message it stands in.
    case lengthOverrun(offset: Int)
    /// A field that OTLP knows, in another wire type than OTLP gives it.
    case wrongWireType(offset: Int)
    /// Field number 0 or above 2^29 - 1, wire type 6 or 7, or a group's end without its start.
    case badTag(offset: Int)
    /// Values or groups nested deeper than `WireLimits.nestingDepth`.
    case tooDeep(offset: Int)
    /// More spans than `WireLimits.spanCount`.
    case tooManySpans(offset: Int)
    /// The message is larger than `WireLimits.messageBytes`; the offset is that limit.
    case tooLarge(offset: Int)

    public var offset: Int {
        switch self {
        case .truncated(let offset), .malformedVarint(let offset), .lengthOverrun(let offset),
            .wrongWireType(let offset), .badTag(let offset), .tooDeep(let offset),
            .tooManySpans(let offset), .tooLarge(let offset):
            offset
        }
    }
}

extension WireError: CustomStringConvertible {
    /// One line for the sender of the bytes.
    public var description: String {
        switch self {
        case .truncated: "message ends inside a field at offset \(offset)"
        case .malformedVarint: "varint of more than 64 bits at offset \(offset)"
        case .lengthOverrun: "length reaches beyond its message at offset \(offset)"
        case .wrongWireType: "wrong wire type for the field at offset \(offset)"
        case .badTag: "invalid tag at offset \(offset)"
        case .tooDeep: "nested too deeply at offset \(offset)"
        case .tooManySpans: "too many spans at offset \(offset)"
        case .tooLarge: "message larger than \(offset) bytes"
        }
    }
}

/// What a message may ask for.
public struct WireLimits: Sendable, Hashable {
    /// Levels of arrays and key-value lists inside one attribute, the attribute's own value being the
    /// first; levels of groups likewise. SDKs nest two or three; 64 bounds the stack.
    public var nestingDepth: Int
    /// Spans of one message, rejected ones counted too. Exporters send 512 to 8192; the smallest
    /// legal span has 30 bytes, so this bounds the records to four times a body of 20 MiB.
    public var spanCount: Int
    /// Bytes of one message. Records address it and what is merged behind it with 32 bits.
    public var messageBytes: Int

    public init(nestingDepth: Int = 64, spanCount: Int = 1 << 19, messageBytes: Int = Int(Int32.max)) {
        self.nestingDepth = nestingDepth
        self.spanCount = spanCount
        self.messageBytes = messageBytes
    }
}
