import TraceModel

extension MatcherProgram {
    /// Runs the checks on the attributes of a resource.
    ///
    /// - Parameter range: The body of a `Resource`.
    func match(
        resource range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits, into hits: inout MatcherHits
    ) throws(WireError) {
        hits.startResource()
        if !resourceKeys.isEmpty {
            let resource = bytes.extracting(0..<range.upperBound)
            var offset = range.lowerBound
            while offset < range.upperBound {
                if resource.byte(at: offset) == attributesOfResource {
                    offset = try matchAttributes(ofResource: resource, from: offset, self, &hits)
                } else {
                    offset = try matchField(
                        resource, at: offset, number: 1, self, resourceKeys, limits: limits, &hits)
                }
            }
        }
        hits.endResource(self)
    }
}

/// `Resource.attributes`: field 1, length-delimited.
private let attributesOfResource: UInt8 = 0x0A

/// Runs the checks on the attributes that follow one another in a resource and answers where they end.
@inline(never)
private func matchAttributes(
    ofResource message: borrowing RawSpan, from offset: Int, _ program: MatcherProgram, _ hits: inout MatcherHits
) throws(WireError) -> Int {
    try matchAttributes(
        message, from: offset, tag: attributesOfResource, program, program.resourceKeys, &hits)
}

/// Runs the checks on the attributes that follow one another in a span and answers where they end.
@inline(never)
func matchAttributes(
    ofSpan message: borrowing RawSpan, from offset: Int, _ program: MatcherProgram, _ hits: inout MatcherHits
) throws(WireError) -> Int {
    try matchAttributes(message, from: offset, tag: SpanTag.attributes, program, program.spanKeys, &hits)
}

/// Runs the checks on the attributes that follow one another from `offset` on and answers where
/// they end.
///
///     tag n ┌ 0A k key… 12 v value… ┐      k in one byte, n in one or two
///           └────────────────────── n ┘
///
/// Nearly every attribute starts like this, and nearly none is asked for: length and first bytes
/// of its key tell, from the one load that finds the next. The first key of an attribute counts,
/// here and wherever keys are read: protobuf lets the last of several win, but no encoder writes
/// two, and looking for a second took 200 instructions a span.
@inline(__always)
private func matchAttributes(
    _ message: borrowing RawSpan, from offset: Int, tag: UInt8, _ program: MatcherProgram,
    _ keys: ByteStringTable, _ hits: inout MatcherHits
) throws(WireError) -> Int {
    let filter = keys.filter
    let usual = 0x000A_0000 | UInt64(tag)
    let longer = 0x00_0A00_8000 | UInt64(tag)
    var start = offset
    while message.holds(8, at: start) {
        let head = message.heldWord64(at: start)
        var next = start &+ 2 &+ Int(truncatingIfNeeded: head >> 8 & 0x7F)
        var key = head >> 24
        if head & 0x80FF_80FF != usual {
            // Another field, or one of those that `matchUnusualAttribute` takes, or a longer length.
            guard head & 0x80_FF80_80FF == longer else {
                guard UInt8(truncatingIfNeeded: head) == tag else { return start }
                start = try matchUnusualAttribute(message, at: start, program, keys, &hits)
                continue
            }
            next &+= 1 &+ Int(truncatingIfNeeded: head >> 9 & 0x3F80)
            key = head >> 32
        }
        guard next <= message.byteCount else { throw .lengthOverrun(offset: start &+ 1) }
        if filter &>> ByteStringTable.filterBit(key) & 1 != 0 {
            program.match(attribute: start, to: next, keys, in: message, into: &hits)
        }
        start = next
    }
    while start < message.byteCount, message.byte(at: start) == tag {
        start = try matchUnusualAttribute(message, at: start, program, keys, &hits)
    }
    return start
}

/// Runs the checks on the attribute at `start`, whatever its shape, and answers where it ends.
@inline(never)
private func matchUnusualAttribute(
    _ message: borrowing RawSpan, at start: Int, _ program: MatcherProgram,
    _ keys: ByteStringTable, _ hits: inout MatcherHits
) throws(WireError) -> Int {
    var offset = start &+ 1
    let attributeEnd = try delimitedEnd(message, at: &offset, end: message.byteCount)
    program.match(ByteRange(from: offset, to: attributeEnd), keys, in: message, into: &hits)
    return attributeEnd
}

/// Runs the checks on the next field if it is an attribute, however its tag is written, and answers where it ends.
@inline(never)
func matchField(
    _ message: borrowing RawSpan, at offset: Int, number: UInt32, _ program: MatcherProgram,
    _ keys: ByteStringTable, limits: WireLimits, _ hits: inout MatcherHits
) throws(WireError) -> Int {
    var cursor = WireCursor(from: offset, to: message.byteCount, limits: limits)
    if let field = try cursor.next(in: message), field.number == number {
        program.match(try field.rangeValue(), keys, in: message, into: &hits)
    }
    return cursor.offset
}

extension MatcherProgram {
    /// Runs the checks on an attribute, the body of a `KeyValue` of whatever shape.
    ///
    /// One that is not well-formed matches nothing; whether the message is refused for it is the
    /// validation's matter, not that of the program at work.
    fileprivate func match(
        _ range: ByteRange, _ keys: ByteStringTable, in message: borrowing RawSpan, into hits: inout MatcherHits
    ) {
        guard let attribute = try? MatcherAttribute(from: range.lowerBound, to: range.upperBound, in: message),
            let range = keys.values(message, from: attribute.keyStart, to: attribute.keyEnd)
        else { return }
        run(range, on: attribute.value, in: message, into: &hits)
    }

    /// Runs the checks on an attribute that starts with its key, as `matchAttributes` draws it.
    ///
    /// - Parameter start: Of its tag.
    @inline(never)
    fileprivate func match(
        attribute start: Int, to end: Int, _ keys: ByteStringTable, in message: borrowing RawSpan,
        into hits: inout MatcherHits
    ) {
        let keyStart = start &+ (message.byte(at: start &+ 1) < 0x80 ? 4 : 5)
        let keyEnd = keyStart &+ Int(message.byte(at: keyStart &- 1))
        guard keyEnd <= end, let range = keys.values(message, from: keyStart, to: keyEnd) else {
            return
        }
        var value = MatcherValue()
        do {
            try value.mergeAttribute(from: keyEnd, to: end, in: message)
        } catch {
            // Malformed values match nothing, as in `match(_:_:in:into:)`.
            return
        }
        run(range, on: value, in: message, into: &hits)
    }
}
