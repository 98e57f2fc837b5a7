import TraceModel

/// A value to be matched: a scalar `AnyValue`, or one of the span's fields.
struct MatcherValue {
    var kind: AttributeKind = .empty
    /// Of a string or bytes.
    var start = 0
    var end = 0
    /// Of a bool, an int or a double.
    var bits: UInt64 = 0
}

/// Key and value of a `KeyValue` in whatever order; of several keys the first counts.
struct MatcherAttribute {
    var keyStart = 0
    var keyEnd = 0
    var value = MatcherValue()

    init(from start: Int, to end: Int, in bytes: borrowing RawSpan) throws(WireError) {
        var hasKey = false
        var cursor = WireCursor(from: start, to: end)
        while let field = try cursor.next(in: bytes) {
            guard field.number == 1, !hasKey else { continue }
            let key = try field.rangeValue()
            keyStart = key.lowerBound
            keyEnd = key.upperBound
            hasKey = true
        }
        try value.mergeAttribute(from: start, to: end, in: bytes)
    }
}

extension MatcherValue {
    /// Reads the value among the fields of a `KeyValue`, or among those behind its key.
    @inline(__always)
    mutating func mergeAttribute(
        from start: Int, to end: Int, in bytes: borrowing RawSpan
    ) throws(WireError) {
        if readWholeText(from: start, to: end, in: bytes) { return }
        try mergeFields(from: start, to: end, in: bytes)
    }

    /// Takes a value that is one string of up to 125 bytes and nothing else, as most are.
    ///
    ///     12 v 0A n text…
    @inline(__always)
    private mutating func readWholeText(
        from start: Int, to end: Int, in bytes: borrowing RawSpan
    ) -> Bool {
        guard end &- start >= 4 else { return false }
        let head = bytes.word32(at: start)
        let count = Int(head >> 24)
        guard head & 0x80FF_80FF == 0x000A_0012, start &+ 4 &+ count == end,
            Int(head >> 8 & 0xFF) == count &+ 2
        else { return false }
        self = MatcherValue(kind: .string, start: start &+ 4, end: end)
        return true
    }

    @inline(never)
    private mutating func mergeFields(
        from start: Int, to end: Int, in bytes: borrowing RawSpan
    ) throws(WireError) {
        var cursor = WireCursor(from: start, to: end)
        while let field = try cursor.next(in: bytes) {
            if field.number == 2 { try merge(try field.rangeValue(), in: bytes) }
        }
    }

    /// The last member of the oneof wins, over all occurrences of the value.
    private mutating func merge(
        _ range: ByteRange, in bytes: borrowing RawSpan
    ) throws(WireError) {
        var cursor = WireCursor(range)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: self = MatcherValue(.string, try field.rangeValue())
            case 2: self = MatcherValue(kind: .bool, bits: try field.varintValue() == 0 ? 0 : 1)
            case 3: self = MatcherValue(kind: .int, bits: try field.varintValue())
            case 4: self = MatcherValue(kind: .double, bits: try field.fixed64Value())
            case 5: self = MatcherValue(.array, try field.rangeValue())
            case 6: self = MatcherValue(.keyValueList, try field.rangeValue())
            case 7: self = MatcherValue(.bytes, try field.rangeValue())
            default: break
            }
        }
    }

    init(_ kind: AttributeKind, _ range: ByteRange) {
        self.init(kind: kind, start: range.lowerBound, end: range.upperBound)
    }
}

extension MatcherNumber {
    /// The number that a value is, or that its text says.
    init?(_ value: MatcherValue, in bytes: borrowing RawSpan) {
        switch value.kind {
        case .int: self = .int(Int64(bitPattern: value.bits))
        case .double: self = .double(Double(bitPattern: value.bits))
        case .string: self.init(bytes, from: value.start, to: value.end)
        default: return nil
        }
    }
}
