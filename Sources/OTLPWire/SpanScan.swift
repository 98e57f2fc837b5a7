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
///   - hits: Those of the span's resource.
///   - record: Has the fields that all spans of the scope share; the others are as in a new record.
/// - Returns: Whether the ids can be used.
@inline(__always)
func scanSpan(
    _ message: borrowing RawSpan, from start: Int, to end: Int, _ program: MatcherProgram,
    _ hits: inout MatcherHits, limits: WireLimits, into record: inout SpanRecord
) throws(WireError) -> Bool {
    record.span = ByteRange(from: start, to: end)
    // Bytes that end with the span: "is there enough" and the check of a load's bounds are one then.
    let bytes = message.extracting(0..<end)
    var texts = SpanTexts()
    var isParentUsable = true
    var offset = start
    readHead(bytes, at: &offset, &record, &texts)
    if program.spanKeys.isEmpty {
        while true {
            skipAttributes(bytes, at: &offset)
            guard offset < bytes.byteCount else { break }
            try readField(bytes, at: &offset, limits: limits, &record, &texts, &isParentUsable)
        }
    } else {
        while offset < bytes.byteCount {
            if bytes.byte(at: offset) == SpanTag.attributes {
                offset = try matchAttributes(ofSpan: bytes, from: offset, program, &hits)
            } else if bytes.byte(at: offset) == SpanTag.startOfLongAttributes {
                offset = try matchField(
                    bytes, at: offset, number: 9, program, program.spanKeys, limits: limits, &hits)
            } else {
                try readField(bytes, at: &offset, limits: limits, &record, &texts, &isParentUsable)
            }
        }
    }
    if hits.isSpanOpen { finish(&record, bytes, program, texts, &hits) }
    return record.traceID.isValid && record.spanID.isValid && isParentUsable
}

/// Runs the checks on the span's fields, and says which clauses hold.
@inline(never)
private func finish(
    _ record: inout SpanRecord, _ message: borrowing RawSpan, _ program: MatcherProgram,
    _ texts: SpanTexts, _ hits: inout MatcherHits
) {
    for index in program.fieldChecks.indices {
        let value = value(of: program.fieldChecks[index].field, record, texts)
        program.run(program.fieldChecks[index].range, on: value, in: message, into: &hits)
    }
    if program.isAnyClauseOpen(hits.terms) { record.matches |= program.bits(of: hits.terms) }
    if hits.force.isAnyRuleOpen { record.forceRule = hits.force.endSpan(program.forceRules) }
    hits.endSpan()
}

/// Tags of `Span` of one byte: field number << 3 | wire type.
enum SpanTag {
    static let traceID: UInt8 = 0x0A
    static let spanID: UInt8 = 0x12
    static let traceState: UInt8 = 0x1A
    static let parentSpanID: UInt8 = 0x22
    static let name: UInt8 = 0x2A
    static let kind: UInt8 = 0x30
    static let startTime: UInt8 = 0x39
    static let endTime: UInt8 = 0x41
    static let attributes: UInt8 = 0x4A
    /// The tag of the attributes may be written in several bytes; fields 25, 41 … start alike, and have no meaning.
    static let startOfLongAttributes: UInt8 = 0xCA
    static let status: UInt8 = 0x7A
    /// Field 16, fixed32: the first tag to take two bytes, 85 01.
    static let flags: UInt16 = 0x0185

    /// Tag and length of a trace id, and of the span ids, as two little-endian bytes.
    static let wholeTraceID: UInt16 = 0x100A
    static let wholeSpanID: UInt16 = 0x0812
    static let wholeParentSpanID: UInt16 = 0x0822
}

/// Reads the fields that every encoder writes first and in the order of their numbers; stops at
/// the first that is not as expected, which `readField` then takes.
///
///     0A 10 trace id  12 08 span id  [22 08 parent]  2A n name  30 kind  39 start  41 end
///
/// Extracting a stretch of constant length checks its bounds once: the loads from it need no check.
@inline(__always)
private func readHead(
    _ message: borrowing RawSpan, at offset: inout Int, _ record: inout SpanRecord,
    _ texts: inout SpanTexts
) {
    // 38 bytes are both ids and the parent; behind them tag and length of the name.
    guard message.byteCount &- offset >= 40 else { return }
    let ids = message.extracting(offset..<(offset &+ 40))
    guard ids.word16(at: 0) == SpanTag.wholeTraceID, ids.word16(at: 18) == SpanTag.wholeSpanID else {
        return
    }
    record.traceID = TraceID(
        high: ids.word64(at: 2).byteSwapped, low: ids.word64(at: 10).byteSwapped)
    record.spanID = SpanID(ids.word64(at: 20).byteSwapped)
    var name = ids.word16(at: 28)
    offset &+= 28
    if name == SpanTag.wholeParentSpanID {
        record.parentSpanID = SpanID(ids.word64(at: 30).byteSwapped)
        name = ids.word16(at: 38)
        offset &+= 10
    }
    let nameStart = offset &+ 2
    let nameEnd = nameStart &+ Int(name >> 8)
    // 20 bytes are kind, start and end.
    guard UInt8(truncatingIfNeeded: name) == SpanTag.name, name < 0x8000,
        message.byteCount &- nameEnd >= 20
    else { return }
    texts.name = ByteRange(from: nameStart, to: nameEnd)
    offset = nameEnd
    let times = message.extracting(nameEnd..<(nameEnd &+ 20))
    let kind = times.word32(at: 0)
    guard kind & 0xFF_80FF == 0x39_0030, times.byte(at: 11) == SpanTag.endTime else { return }
    record.kind = clamped(UInt64(kind >> 8 & 0x7F), upTo: 5)
    record.startTimeUnixNano = times.word64(at: 3)
    record.endTimeUnixNano = times.word64(at: 12)
    offset = nameEnd &+ 20
}

/// Reads the next field, whatever it is; the flags, which most spans end with, at once.
@inline(__always)
private func readField(
    _ message: borrowing RawSpan, at offset: inout Int, limits: WireLimits,
    _ record: inout SpanRecord, _ texts: inout SpanTexts, _ isParentUsable: inout Bool
) throws(WireError) {
    if message.byteCount &- offset >= 6, message.word16(at: offset) == SpanTag.flags {
        record.flags = message.word32(at: offset &+ 2)
        offset &+= 6
        return
    }
    offset = try readRareField(message, at: offset, limits: limits, &record, &texts, &isParentUsable)
}

/// Moves behind the attributes from `offset` on whose lengths take one or two bytes and hold.
@inline(__always)
private func skipAttributes(_ message: borrowing RawSpan, at offset: inout Int) {
    var start = offset
    while message.holds(8, at: start) {
        let head = message.heldWord64(at: start)
        var next = start &+ 2 &+ Int(truncatingIfNeeded: head >> 8 & 0x7F)
        if head & 0x80FF != 0x004A {
            // Another field, or a longer length.
            guard head & 0x8080FF == 0x00804A else { break }
            next &+= 1 &+ Int(truncatingIfNeeded: head >> 9 & 0x3F80)
        }
        guard next <= message.byteCount else { break }
        start = next
    }
    offset = start
}

/// Reads one field of any number in any form and answers where it ends.
@inline(never)
private func readRareField(
    _ message: borrowing RawSpan, at offset: Int, limits: WireLimits, _ record: inout SpanRecord,
    _ texts: inout SpanTexts, _ isParentUsable: inout Bool
) throws(WireError) -> Int {
    var cursor = WireCursor(from: offset, to: message.byteCount, limits: limits)
    guard let field = try cursor.next(in: message) else { return cursor.offset }
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
    return cursor.offset
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

// MARK: Fields

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
    case .durationMilliseconds:
        MatcherValue(
            kind: .int,
            bits: UInt64(
                bitPattern: Int64(bitPattern: record.endTimeUnixNano &- record.startTimeUnixNano) / 1_000_000))
    case .flags: MatcherValue(kind: .int, bits: UInt64(record.flags))
    case .isRoot: MatcherValue(kind: .bool, bits: record.isRoot ? 1 : 0)
    }
}
