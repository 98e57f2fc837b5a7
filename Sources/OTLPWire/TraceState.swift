import TraceModel

/// What consistent sampling reads in a W3C `tracestate`.
enum TraceState {
    /// The 56 bits of `ot=rv:…`, or `SpanRecord.noRandomness`.
    ///
    ///     vendor=opaque,ot=th:c;rv:9b8233f7e3a151
    ///
    /// The value is exactly 14 lower-case hexadecimal digits; anything else is as if absent.
    ///
    /// Source: OpenTelemetry, "TraceState: Probability Sampling", explicit randomness.
    @inline(never)
    static func randomness(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> UInt64 {
        var member = start
        while member < end {
            var memberEnd = member
            while memberEnd < end, bytes.byte(at: memberEnd) != UInt8(ascii: ",") { memberEnd += 1 }
            while member < memberEnd, isBlank(bytes.byte(at: member)) { member += 1 }
            var valueEnd = memberEnd
            while valueEnd > member, isBlank(bytes.byte(at: valueEnd - 1)) { valueEnd -= 1 }
            if valueEnd - member >= 3, bytes.byte(at: member) == UInt8(ascii: "o"),
                bytes.byte(at: member + 1) == UInt8(ascii: "t"),
                bytes.byte(at: member + 2) == UInt8(ascii: "=")
            {
                // The first member of a key counts: later ones are invalid by W3C Trace Context.
                return randomness(bytes, inMember: member + 3, to: valueEnd)
            }
            member = memberEnd + 1
        }
        return SpanRecord.noRandomness
    }

    private static func randomness(
        _ bytes: borrowing RawSpan, inMember start: Int, to end: Int
    ) -> UInt64 {
        var part = start
        while part < end {
            var partEnd = part
            while partEnd < end, bytes.byte(at: partEnd) != UInt8(ascii: ";") { partEnd += 1 }
            if partEnd - part == 17, bytes.byte(at: part) == UInt8(ascii: "r"),
                bytes.byte(at: part + 1) == UInt8(ascii: "v"),
                bytes.byte(at: part + 2) == UInt8(ascii: ":")
            {
                return hexadecimal(bytes, from: part + 3, to: partEnd)
            }
            part = partEnd + 1
        }
        return SpanRecord.noRandomness
    }

    private static func hexadecimal(
        _ bytes: borrowing RawSpan, from start: Int, to end: Int
    ) -> UInt64 {
        var value: UInt64 = 0
        for offset in start..<end {
            let digit = bytes.byte(at: offset)
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return SpanRecord.noRandomness
            }
        }
        return value
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
