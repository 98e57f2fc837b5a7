public import TraceModel

/// What an attribute's value is; the members of `AnyValue` in common.proto.
public enum AttributeKind: UInt8, Sendable, Hashable {
    /// No value, or an `AnyValue` without a member.
    case empty
    case string
    case bool
    case int
    case double
    case bytes
    case array
    case keyValueList
}

/// One value on an `AttributeTape`.
public struct AttributeNode: Sendable, Hashable {
    public var kind: AttributeKind
    /// Index of the node behind this value and everything inside of it.
    public var next: UInt32
    /// UTF-8 as sent, unchecked; `.none` for elements of an array.
    public var key: ByteRange
    /// Of a string (UTF-8 as sent, unchecked) or bytes value.
    public var content: ByteRange
    /// Of a bool (0 or 1), an int (two's complement) or a double (its bit pattern).
    public var bits: UInt64

    public var boolValue: Bool { bits != 0 }
    public var intValue: Int64 { Int64(bitPattern: bits) }
    public var doubleValue: Double { Double(bitPattern: bits) }
}

/// Attributes of spans, resources and the like, flat: each value is followed by those inside of it.
///
///     {"a": [1, "x"], "b": true}
///     ┌───────────────┬────────┬────────┬─────────┐
///     │ a array next 3│ int 1  │ "x"    │ b true  │
///     └───────────────┴────────┴────────┴─────────┘
///
/// Reused from span to span, it allocates only while it grows. Repeated values are merged by the
/// rules of protobuf: the last member of a oneof wins, lists in the same member are joined. Of
/// several keys of one attribute the first counts, as in a scan.
public struct AttributeTape: Sendable {
    public private(set) var nodes: [AttributeNode]

    public init(capacity: Int = 64) {
        nodes = []
        nodes.reserveCapacity(capacity)
    }

    public mutating func removeAll() {
        nodes.removeAll(keepingCapacity: true)
    }

    /// Appends one attribute.
    ///
    /// - Parameter range: The body of a `KeyValue` message.
    public mutating func append(
        keyValue range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits = WireLimits()
    ) throws(WireError) {
        try append(keyValue: range, depth: 1, in: bytes, limits: limits)
    }

    /// Appends one value without a key, as log bodies and array elements are.
    ///
    /// - Parameter range: The body of an `AnyValue` message.
    public mutating func append(
        anyValue range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits = WireLimits()
    ) throws(WireError) {
        try append(anyValue: range, depth: 1, in: bytes, limits: limits)
    }

    private mutating func append(
        keyValue range: ByteRange, depth: Int, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        if appendPlain(range, in: bytes) { return }
        let index = appendEmpty()
        var hasKey = false
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1:  // key
                let key = try field.rangeValue()
                if !hasKey { nodes[index].key = key }
                hasKey = true
            case 2:  // value
                let value = try field.rangeValue()
                try merge(anyValue: value, into: index, depth: depth, in: bytes, limits: limits)
            default: break
            }
        }
        nodes[index].next = UInt32(nodes.count)
    }

    /// Appends an attribute of the shape that senders give to all but lists: the key, then a value of one member, with
    /// lengths below 16 KiB. Answers false, with nothing done, for any other; errors are for the long way to find.
    private mutating func appendPlain(_ range: ByteRange, in bytes: borrowing RawSpan) -> Bool {
        let end = range.upperBound
        var offset = range.lowerBound
        guard let keyEnd = shortFieldEnd(bytes, tag: 0x0A, at: &offset, end: end) else { return false }
        var node = AttributeNode(
            kind: .empty, next: UInt32(nodes.count &+ 1), key: ByteRange(from: offset, to: keyEnd), content: .none,
            bits: 0)
        offset = keyEnd
        guard let valueEnd = shortFieldEnd(bytes, tag: 0x12, at: &offset, end: end), valueEnd == end, offset < end
        else { return false }
        let tag = bytes.byte(at: offset)
        switch tag {
        case 0x0A, 0x3A:  // string_value, bytes_value
            guard let contentEnd = shortFieldEnd(bytes, tag: tag, at: &offset, end: end), contentEnd == end
            else { return false }
            node.kind = tag == 0x0A ? .string : .bytes
            node.content = ByteRange(from: offset, to: end)
        case 0x10, 0x18:  // bool_value, int_value
            offset &+= 1
            guard let value = try? varint(bytes, at: &offset, end: end), offset == end else { return false }
            node.kind = tag == 0x10 ? .bool : .int
            node.bits = tag == 0x10 ? (value == 0 ? 0 : 1) : value
        case 0x21:  // double_value
            guard end &- offset == 9 else { return false }
            node.kind = .double
            node.bits = bytes.word64(at: offset &+ 1)
        default:
            return false
        }
        nodes.append(node)
        return true
    }

    private mutating func append(
        anyValue range: ByteRange, depth: Int, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        let index = appendEmpty()
        try merge(anyValue: range, into: index, depth: depth, in: bytes, limits: limits)
        nodes[index].next = UInt32(nodes.count)
    }

    private mutating func appendEmpty() -> Int {
        nodes.append(AttributeNode(kind: .empty, next: 0, key: .none, content: .none, bits: 0))
        return nodes.count - 1
    }

    /// Merges one occurrence of a value into the node that is being built, the last top one of the tape.
    private mutating func merge(
        anyValue range: ByteRange, into index: Int, depth: Int, in bytes: borrowing RawSpan,
        limits: WireLimits
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: replace(index, by: .string, content: try field.rangeValue())
            case 2: replace(index, by: .bool, bits: try field.varintValue() == 0 ? 0 : 1)
            case 3: replace(index, by: .int, bits: try field.varintValue())
            case 4: replace(index, by: .double, bits: try field.fixed64Value())
            case 5, 6:  // array_value, kvlist_value
                let kind: AttributeKind = field.number == 5 ? .array : .keyValueList
                let list = try field.rangeValue()
                guard depth < limits.nestingDepth else { throw .tooDeep(offset: field.offset) }
                if nodes[index].kind != kind { replace(index, by: kind) }
                try append(list: list, of: kind, depth: depth + 1, in: bytes, limits: limits)
            case 7: replace(index, by: .bytes, content: try field.rangeValue())
            default: break
            }
        }
    }

    private mutating func append(
        list range: ByteRange, of kind: AttributeKind, depth: Int, in bytes: borrowing RawSpan,
        limits: WireLimits
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            guard field.number == 1 else { continue }  // values
            let element = try field.rangeValue()
            if kind == .array {
                try append(anyValue: element, depth: depth, in: bytes, limits: limits)
            } else {
                try append(keyValue: element, depth: depth, in: bytes, limits: limits)
            }
        }
    }

    /// Another member of the oneof: what was there, and everything inside of it, is gone.
    private mutating func replace(
        _ index: Int, by kind: AttributeKind, content: ByteRange = .none, bits: UInt64 = 0
    ) {
        nodes.removeLast(nodes.count - index - 1)
        nodes[index].kind = kind
        nodes[index].content = content
        nodes[index].bits = bits
    }
}
