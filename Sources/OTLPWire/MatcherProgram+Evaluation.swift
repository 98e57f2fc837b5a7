internal import Patterns
public import TraceModel

/// A value to be matched: a scalar `AnyValue`, or one of the span's fields.
struct MatcherValue {
    var kind: AttributeKind = .empty
    /// Of a string or bytes.
    var start = 0
    var end = 0
    /// Of a bool, an int or a double.
    var bits: UInt64 = 0
}

extension MatcherProgram {
    /// Adds the terms that the checks of `range` find true of the value.
    func run(
        _ range: Range<Int>, on value: MatcherValue, in bytes: borrowing RawSpan,
        into hits: inout TermSet
    ) {
        for index in range where holds(checks[index], value, in: bytes) {
            hits.formUnion(checks[index].terms)
        }
    }

    private func holds(_ check: Check, _ value: MatcherValue, in bytes: borrowing RawSpan) -> Bool {
        switch check.operation {
        case .exists: true
        case .equals, .isIn, .hasPrefix, .hasSuffix, .contains:
            value.kind == .string ? textHolds(check, value, in: bytes) : false
        case .isBool: value.kind == .bool && value.bits == UInt64(bitPattern: check.lower)
        case .intIn:
            value.kind == .int && Int64(bitPattern: value.bits) >= check.lower
                && Int64(bitPattern: value.bits) <= check.upper
        case .doubleIn:
            value.kind == .double
                && Double(bitPattern: value.bits) >= Double(bitPattern: UInt64(bitPattern: check.lower))
                && Double(bitPattern: value.bits) <= Double(bitPattern: UInt64(bitPattern: check.upper))
        case .numberIn: numberHolds(ranges[check.set], value, in: bytes)
        case .pattern:
            value.kind == .string && patterns[check.set].matches(bytes, from: value.start, to: value.end)
        case .traceStateHas:
            traceStates[check.set].holds(
                of: AttributeNode(
                    kind: value.kind, next: 1, key: .none, content: ByteRange(from: value.start, to: value.end), bits: 0
                ),
                in: bytes)
        }
    }

    private func numberHolds(
        _ range: NumberRange, _ value: MatcherValue, in bytes: borrowing RawSpan
    ) -> Bool {
        switch value.kind {
        case .int: return range.contains(.int(Int64(bitPattern: value.bits)))
        case .double: return range.contains(.double(Double(bitPattern: value.bits)))
        case .string:
            guard let number = MatcherNumber(bytes, from: value.start, to: value.end) else { return false }
            return range.contains(number)
        default: return false
        }
    }

    private func textHolds(
        _ check: Check, _ value: MatcherValue, in bytes: borrowing RawSpan
    ) -> Bool {
        if check.operation == .isIn {
            return sets[check.set].values(bytes, from: value.start, to: value.end) != nil
        }
        let operand = operands.span.bytes
        let count = check.operandEnd - check.operandStart
        guard value.end - value.start >= count else { return false }
        switch check.operation {
        case .equals:
            guard value.end - value.start == count else { return false }
            return equal(bytes, at: value.start, operand, at: check.operandStart, count: count)
        case .hasPrefix:
            return equal(bytes, at: value.start, operand, at: check.operandStart, count: count)
        case .hasSuffix:
            return equal(bytes, at: value.end - count, operand, at: check.operandStart, count: count)
        default:
            return contains(operand, from: check.operandStart, count: count, value, in: bytes)
        }
    }

    private func contains(
        _ operand: borrowing RawSpan, from operandStart: Int, count: Int, _ value: MatcherValue,
        in bytes: borrowing RawSpan
    ) -> Bool {
        guard count > 0 else { return true }
        let first = operand.byte(at: operandStart)
        let pattern = UInt64(first) &* Self.lowBits
        var start = value.start
        let last = value.end - count
        while start <= last {
            if value.end - start >= 8 {
                // A zero byte in the difference is a first byte of the operand; of those, the
                // lowest bit set is exact, higher ones may be borrows.
                let difference = bytes.word64(at: start) ^ pattern
                let zeros = (difference &- Self.lowBits) & ~difference & (Self.lowBits << 7)
                guard zeros != 0 else {
                    start += 8
                    continue
                }
                start += zeros.trailingZeroBitCount >> 3
                guard start <= last else { return false }
            }
            if bytes.byte(at: start) == first,
                equal(bytes, at: start, operand, at: operandStart, count: count)
            {
                return true
            }
            start += 1
        }
        return false
    }

    /// The lowest bit of each byte.
    private static var lowBits: UInt64 { 0x0101_0101_0101_0101 }

    // MARK: One span

    /// Runs the program on one span whose bytes are at hand, as a scan does.
    ///
    /// For traces that are older than the program. A span that is malformed, which validated ones are not, matches
    /// nothing.
    ///
    /// - Parameters:
    ///   - span: The body of a `Span`.
    ///   - resource: The body of its `Resource`; empty when absent.
    ///   - floor: Force rules of lower ranks do not count.
    public func match(
        span: ByteRange, resource: ByteRange, in bytes: borrowing RawSpan, forceRulesFrom floor: UInt16 = 0
    ) -> (matches: UInt64, forceRule: UInt16) {
        let limits = WireLimits()
        do throws(WireError) {
            var record = SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
            let hits = try match(resource: resource, in: bytes, limits: limits)
            record.matches = resourceBits(of: hits)
            record.resource = resource
            _ = try scanSpan(
                bytes, from: span.lowerBound, to: span.upperBound, self, resourceHits: hits, limits: limits,
                into: &record)
            return (record.matches, try forceRule(record, in: bytes, from: floor))
        } catch {
            return (0, SpanRecord.noForceRule)
        }
    }

    func forceRule(
        _ record: SpanRecord, in bytes: borrowing RawSpan, from floor: UInt16
    ) throws(WireError) -> UInt16 {
        var result = SpanRecord.noForceRule
        var contents = SpanContents()
        var resource = ResourceContents()
        try contents.decode(record.span, in: bytes)
        try resource.decode(record.resource, in: bytes)
        for rule in forceRules where rule.rank >= floor && rule.rank < result {
            if rule.clause.holds(on: contents, resource: resource, in: bytes) { result = rule.rank }
        }
        return result
    }

    // MARK: Clauses

    /// Whether a clause that needs the span can hold at all, given the terms that hold.
    @inline(__always)
    func isAnyClauseOpen(_ hits: TermSet) -> Bool {
        !(hits & triggers).isEmpty || !untriggered.isEmpty
    }

    /// Bits of the clauses that need the span, given the terms that hold on it and its resource.
    @inline(never)
    func bits(of hits: TermSet) -> UInt64 {
        var bits: UInt64 = 0
        let firing = hits & triggers
        for word in 0..<4 {
            var rest = firing.words[word]
            while rest != 0 {
                let term = word * 64 + rest.trailingZeroBitCount
                rest &= rest - 1
                for index in triggered[term] where clauses[index].holds(hits) {
                    bits |= clauses[index].bits
                }
            }
        }
        for clause in untriggered where clause.holds(hits) { bits |= clause.bits }
        return bits
    }

    /// Bits of the clauses over the resource alone.
    func resourceBits(of hits: TermSet) -> UInt64 {
        var bits: UInt64 = 0
        for clause in resourceClauses where clause.holds(hits) { bits |= clause.bits }
        return bits
    }

    // MARK: Attributes

    /// Runs the checks on the attributes of a resource.
    ///
    /// - Parameter range: The body of a `Resource`.
    func match(
        resource range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) -> TermSet {
        var hits = TermSet()
        guard !resourceKeys.isEmpty else { return hits }
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            guard field.number == 1 else { continue }  // attributes
            let attribute = try field.rangeValue()
            match(
                attribute: attribute.lowerBound, to: attribute.upperBound, keys: resourceKeys,
                in: bytes, into: &hits)
        }
        return hits
    }

    /// Runs the checks on one attribute. One that is not well-formed matches nothing; whether the
    /// message is refused for it is the validation's matter, not that of the program at work.
    ///
    /// - Parameter start: Of the body of the `KeyValue`.
    @inline(never)
    func match(
        attribute start: Int, to end: Int, keys: ByteStringTable, in bytes: borrowing RawSpan,
        into hits: inout TermSet
    ) {
        guard let attribute = try? MatcherAttribute(from: start, to: end, in: bytes) else { return }
        guard
            let range = keys.values(bytes, from: attribute.keyStart, to: attribute.keyEnd)
        else { return }
        run(range, on: attribute.value, in: bytes, into: &hits)
    }
}

extension MatcherProgram.Clause {
    @inline(__always)
    func holds(_ hits: TermSet) -> Bool {
        hits.isSuperset(of: required) && hits.isDisjoint(with: forbidden)
    }
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
