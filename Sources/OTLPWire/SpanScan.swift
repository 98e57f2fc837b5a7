import TraceModel

/// Ranges of a span that only matchers read.
struct SpanTexts {
    var name = ByteRange.none
    var traceState = ByteRange.none
    var statusMessage = ByteRange.none
}

/// Reads one span into its record and sets the bits of the program's clauses that hold.
///
/// - Parameters:
///   - start: Of the body of the `Span`.
///   - record: Has the fields that all spans of the scope share; the others are as in a new record.
/// - Returns: Whether the ids can be used.
@inline(__always)
func scanSpan(
    _ message: borrowing RawSpan, from start: Int, to end: Int, _ program: MatcherProgram,
    resourceHits: TermSet, limits: WireLimits, into record: inout SpanRecord
) throws(WireError) -> Bool {
    record.span = ByteRange(from: start, to: end)
    var texts = SpanTexts()
    var isParentUsable = true
    var offset = start
    if program.isEmpty {
        readHead(message, at: &offset, end: end, &record, &texts)
        while offset < end {
            try readField(
                message, at: &offset, end: end, limits: limits, &record, &texts, &isParentUsable)
        }
    } else {
        var hits = resourceHits
        readHead(message, at: &offset, end: end, &record, &texts)
        while offset < end {
            if message.byte(at: offset) == SpanTag.attributes {
                try matchAttributes(message, at: &offset, end: end, program, &hits)
            } else {
                try readField(
                    message, at: &offset, end: end, limits: limits, &record, &texts, &isParentUsable)
            }
        }
        matchFields(message, program, record, texts, &hits)
        record.matches |= program.bits(of: hits)
    }
    return record.traceID.isValid && record.spanID.isValid && isParentUsable
}

/// Tags of `Span` of one byte: field number << 3 | wire type.
private enum SpanTag {
    static let traceID: UInt8 = 0x0A
    static let spanID: UInt8 = 0x12
    static let traceState: UInt8 = 0x1A
    static let parentSpanID: UInt8 = 0x22
    static let name: UInt8 = 0x2A
    static let kind: UInt8 = 0x30
    static let startTime: UInt8 = 0x39
    static let endTime: UInt8 = 0x41
    static let attributes: UInt8 = 0x4A
    static let status: UInt8 = 0x7A
    /// The first byte of field 16, whose tag is the first to take two.
    static let flags: UInt8 = 0x85

    /// Tag and length of a trace id, and of the span ids, as two little-endian bytes.
    static let wholeTraceID: UInt16 = 0x100A
    static let wholeSpanID: UInt16 = 0x0812
    static let wholeParentSpanID: UInt16 = 0x0822
}

/// Reads the fields that every encoder writes first and in the order of their numbers; stops at
/// the first that is not as expected, which `readField` then takes.
///
///     0A 10 trace id  12 08 span id  [22 08 parent]  2A n name  30 kind  39 start  41 end
@inline(__always)
private func readHead(
    _ message: borrowing RawSpan, at offset: inout Int, end: Int, _ record: inout SpanRecord,
    _ texts: inout SpanTexts
) {
    // 38 bytes: both ids and the parent.
    guard end &- offset >= 40, message.word16(at: offset) == SpanTag.wholeTraceID,
        message.word16(at: offset &+ 18) == SpanTag.wholeSpanID
    else { return }
    record.traceID = TraceID(
        high: message.word64(at: offset &+ 2).byteSwapped,
        low: message.word64(at: offset &+ 10).byteSwapped)
    record.spanID = SpanID(message.word64(at: offset &+ 20).byteSwapped)
    offset &+= 28
    if message.word16(at: offset) == SpanTag.wholeParentSpanID {
        record.parentSpanID = SpanID(message.word64(at: offset &+ 2).byteSwapped)
        offset &+= 10
    }
    guard end &- offset >= 2 else { return }
    let name = message.word16(at: offset)
    let nameCount = Int(name >> 8)
    // 20 bytes: kind, start and end.
    guard UInt8(truncatingIfNeeded: name) == SpanTag.name, nameCount < 0x80,
        end &- offset >= nameCount &+ 22
    else { return }
    let nameStart = offset &+ 2
    texts.name = ByteRange(from: nameStart, to: nameStart &+ nameCount)
    offset = nameStart &+ nameCount
    let kind = message.word32(at: offset)
    guard kind & 0xFF_80FF == 0x39_0030, message.byte(at: offset &+ 11) == SpanTag.endTime else {
        return
    }
    record.kind = clamped(UInt64(kind >> 8 & 0x7F), upTo: 5)
    record.startTimeUnixNano = message.word64(at: offset &+ 3)
    record.endTimeUnixNano = message.word64(at: offset &+ 12)
    offset &+= 20
}

/// Reads the next field, whatever it is, and every further attribute when it is one.
@inline(__always)
private func readField(
    _ message: borrowing RawSpan, at offset: inout Int, end: Int, limits: WireLimits,
    _ record: inout SpanRecord, _ texts: inout SpanTexts, _ isParentUsable: inout Bool
) throws(WireError) {
    switch message.byte(at: offset) {
    case SpanTag.attributes:
        repeat {
            offset &+= 1
            offset = try delimitedEnd(message, at: &offset, end: end)
        } while offset < end && message.byte(at: offset) == SpanTag.attributes
    case SpanTag.flags where end &- offset >= 6 && message.byte(at: offset &+ 1) == 0x01:
        record.flags = message.word32(at: offset &+ 2)
        offset &+= 6
    default:
        try readRareField(
            message, at: &offset, end: end, limits: limits, &record, &texts, &isParentUsable)
    }
}

/// Reads one field of any number in any form.
@inline(never)
private func readRareField(
    _ message: borrowing RawSpan, at offset: inout Int, end: Int, limits: WireLimits,
    _ record: inout SpanRecord, _ texts: inout SpanTexts, _ isParentUsable: inout Bool
) throws(WireError) {
    var cursor = WireCursor(from: offset, to: end, limits: limits)
    guard let field = try cursor.next(in: message) else { return }
    offset = cursor.offset
    switch field.number {
    case 1: record.traceID = traceID(message, try field.rangeValue())
    case 2:
        let range = try field.rangeValue()
        record.spanID = SpanID(range.count == 8 ? message.word64(at: range.lowerBound).byteSwapped : 0)
    case 3:
        texts.traceState = try field.rangeValue()
        record.randomness = TraceState.randomness(
            message, from: texts.traceState.lowerBound, to: texts.traceState.upperBound)
    case 4:
        let range = try field.rangeValue()
        isParentUsable = range.count == 8 || range.isEmpty
        record.parentSpanID = SpanID(
            range.count == 8 ? message.word64(at: range.lowerBound).byteSwapped : 0)
    case 5: texts.name = try field.rangeValue()
    case 6: record.kind = clamped(try field.varintValue(), upTo: 5)
    case 7: record.startTimeUnixNano = try field.fixed64Value()
    case 8: record.endTimeUnixNano = try field.fixed64Value()
    case 9, 11, 13: _ = try field.rangeValue()  // attributes, events, links
    case 10, 12, 14: _ = try field.varintValue()  // how many of them were dropped
    case 15: try readStatus(message, try field.rangeValue(), limits: limits, &record, &texts)
    case 16: record.flags = try field.fixed32Value()
    default: break
    }
}

/// Repeated statuses merge: what a later one does not say, stays.
private func readStatus(
    _ message: borrowing RawSpan, _ range: ByteRange, limits: WireLimits,
    _ record: inout SpanRecord, _ texts: inout SpanTexts
) throws(WireError) {
    var cursor = WireCursor(range, limits: limits)
    while let field = try cursor.next(in: message) {
        switch field.number {
        case 2: texts.statusMessage = try field.rangeValue()
        case 3: record.statusCode = clamped(try field.varintValue(), upTo: 2)
        default: break
        }
    }
}

private func traceID(_ message: borrowing RawSpan, _ range: ByteRange) -> TraceID {
    guard range.count == 16 else { return TraceID(high: 0, low: 0) }
    return TraceID(
        high: message.word64(at: range.lowerBound).byteSwapped,
        low: message.word64(at: range.lowerBound + 8).byteSwapped)
}

/// An enum's value, of which protobuf keeps 32 bits; 255 for those that OTLP does not know.
@inline(__always)
private func clamped(_ value: UInt64, upTo last: UInt32) -> UInt8 {
    let number = UInt32(truncatingIfNeeded: value)
    return number <= last ? UInt8(truncatingIfNeeded: number) : 255
}

// MARK: Matching

/// Runs the checks on the attributes that follow one another from `offset` on.
///
///     4A n ┌ 0A k key… 12 v ┌ value… ┐┐      n, k and v of one byte, the key of four bytes at least
///          └────────────────┴─────── n ┘
///
/// Nearly every attribute has this shape, and nearly none is asked for: two loads tell both.
@inline(never)
private func matchAttributes(
    _ message: borrowing RawSpan, at offset: inout Int, end: Int, _ program: MatcherProgram,
    _ hits: inout TermSet
) throws(WireError) {
    let filter = program.spanKeys.filter
    while offset < end, message.byte(at: offset) == SpanTag.attributes {
        if end &- offset >= 12 {
            let head = message.word64(at: offset)
            let next = offset &+ 2 &+ Int(truncatingIfNeeded: head >> 8 & 0x7F)
            let keyCount = head >> 24 & 0x7F
            let keyEnd = offset &+ 4 &+ Int(truncatingIfNeeded: keyCount)
            if head & 0x80FF_80FF == 0x000A_004A, keyCount >= 4, keyEnd &+ 2 <= next, next <= end {
                let tail = message.word32(at: keyEnd &- 2)
                if tail >> 16 & 0xFF == 0x12,
                    keyEnd &+ 2 &+ Int(truncatingIfNeeded: tail >> 24) == next
                {
                    let hash = ByteStringTable.hash(
                        count: keyCount, first: head >> 32, last: UInt64(tail >> 8 & 0xFF))
                    if filter >> (hash >> 58) & 1 != 0 {
                        program.match(
                            key: offset &+ 4, to: keyEnd, hash: hash, value: keyEnd &+ 2, to: next,
                            in: message, into: &hits)
                    }
                    offset = next
                    continue
                }
            }
        }
        offset &+= 1
        let attributeEnd = try delimitedEnd(message, at: &offset, end: end)
        if filter != 0 {
            program.match(
                attribute: offset, to: attributeEnd, keys: program.spanKeys, in: message,
                into: &hits)
        }
        offset = attributeEnd
    }
}

extension MatcherProgram {
    /// Runs the checks on an attribute whose key, of four bytes at least, and value have been found.
    @inline(never)
    fileprivate func match(
        key keyStart: Int, to keyEnd: Int, hash: UInt64, value valueStart: Int, to valueEnd: Int,
        in message: borrowing RawSpan, into hits: inout TermSet
    ) {
        guard let range = spanKeys.values(message, from: keyStart, to: keyEnd, hash: hash) else {
            return
        }
        var value = MatcherValue()
        do {
            try value.merge(ByteRange(from: valueStart, to: valueEnd), in: message)
        } catch {
            // Malformed values match nothing, as in `match(attribute:)`.
            return
        }
        run(range, on: value, in: message, into: &hits)
    }
}

/// Runs the checks on the span's fields.
@inline(__always)
private func matchFields(
    _ message: borrowing RawSpan, _ program: MatcherProgram, _ record: SpanRecord,
    _ texts: SpanTexts, _ hits: inout TermSet
) {
    for index in program.fieldChecks.indices {
        let value = value(of: program.fieldChecks[index].field, record, texts)
        program.run(program.fieldChecks[index].range, on: value, in: message, into: &hits)
    }
}

private func value(
    of field: MatcherField, _ record: SpanRecord, _ texts: SpanTexts
) -> MatcherValue {
    switch field {
    case .name: MatcherValue(.string, texts.name)
    case .statusMessage: MatcherValue(.string, texts.statusMessage)
    case .traceState: MatcherValue(.string, texts.traceState)
    case .statusCode: MatcherValue(kind: .int, bits: UInt64(record.statusCode))
    case .kind: MatcherValue(kind: .int, bits: UInt64(record.kind))
    case .durationNanoseconds:
        // Wraps to the signed difference; times are less than 2^63 ns apart until the year 2262.
        MatcherValue(kind: .int, bits: record.endTimeUnixNano &- record.startTimeUnixNano)
    case .flags: MatcherValue(kind: .int, bits: UInt64(record.flags))
    case .isRoot: MatcherValue(kind: .bool, bits: record.isRoot ? 1 : 0)
    }
}
