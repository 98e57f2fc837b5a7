internal import Patterns
internal import TraceModel

extension MatcherProgram {
    /// Adds the terms that the checks of `range` find true of the value: the one place that evaluates.
    func run(
        _ range: Range<Int>, on value: MatcherValue, in bytes: borrowing RawSpan,
        into hits: inout MatcherHits
    ) {
        for index in range {
            switch checks[index].operation {
            case .texts, .numbers, .patterns, .traceStates:
                runGroup(checks[index], on: value, in: bytes, into: &hits)
            default:
                if holds(checks[index], value, in: bytes) { hits.insert(checks[index].effects, self) }
            }
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
        case .texts, .numbers, .patterns, .traceStates: preconditionFailure("groups are run, and hold in part")
        }
    }

    // MARK: Groups

    @inline(never)
    private func runGroup(
        _ check: Check, on value: MatcherValue, in bytes: borrowing RawSpan, into hits: inout MatcherHits
    ) {
        if check.operation == .numbers {
            guard let number = MatcherNumber(value, in: bytes) else { return }
            for index in check.start..<check.end where numberTests[index].range.contains(number) {
                hits.insert(numberTests[index].effects, self)
            }
            return
        }
        guard value.kind == .string else { return }
        switch check.operation {
        case .texts:
            guard let found = texts[check.table].values(bytes, from: value.start, to: value.end) else { return }
            for index in found { hits.insert(textEffects[index], self) }
        case .patterns: runPatterns(check, on: value, in: bytes, into: &hits)
        default: runTraceStates(check, on: value, in: bytes, into: &hits)
        }
    }

    /// Patterns live in `patternSets`, and so does the program in whoever scans with it: nothing is retained here.
    private func runPatterns(
        _ check: Check, on value: MatcherValue, in bytes: borrowing RawSpan, into hits: inout MatcherHits
    ) {
        if let filter = patternFilters[check.table],
            !filter.mayMatch(bytes, from: value.start, to: value.end)
        {
            return
        }
        for index in check.start..<check.end {
            let test = patternTests[index]
            if test.pattern.matches(bytes, from: value.start, to: value.end) { hits.insert(test.effects, self) }
        }
    }

    private func runTraceStates(
        _ check: Check, on value: MatcherValue, in bytes: borrowing RawSpan, into hits: inout MatcherHits
    ) {
        let range = ByteRange(from: value.start, to: value.end)
        guard value.end > value.start, let members = TraceStateMembers(bytes, range) else { return }
        for index in check.start..<check.end {
            let test = traceStateTests[index]
            let found = members.valueRange(
                of: operands.span.bytes, from: test.start, count: test.end - test.start, in: bytes)
            guard let found else { continue }
            let values = texts[test.table].values(bytes, from: found.lowerBound, to: found.upperBound)
            if values != nil { hits.insert(test.effects, self) }
        }
    }

    // MARK: Texts

    private func textHolds(
        _ check: Check, _ value: MatcherValue, in bytes: borrowing RawSpan
    ) -> Bool {
        if check.operation == .isIn {
            return texts[check.table].values(bytes, from: value.start, to: value.end) != nil
        }
        let operand = operands.span.bytes
        let count = check.end - check.start
        guard value.end - value.start >= count else { return false }
        switch check.operation {
        case .equals:
            guard value.end - value.start == count else { return false }
            return equal(bytes, at: value.start, operand, at: check.start, count: count)
        case .hasPrefix:
            return equal(bytes, at: value.start, operand, at: check.start, count: count)
        case .hasSuffix:
            return equal(bytes, at: value.end - count, operand, at: check.start, count: count)
        default:
            return contains(operand, from: check.start, count: count, value, in: bytes)
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
}

extension MatcherProgram.Clause {
    @inline(__always)
    func holds(_ hits: TermSet) -> Bool {
        hits.isSuperset(of: required) && hits.isDisjoint(with: forbidden)
    }
}
