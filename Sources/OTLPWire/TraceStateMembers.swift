import TraceModel

/// The members of a W3C `tracestate` that is valid as a whole.
///
///     vendor=opaque , tenant@system=value,,ot=th:8
///
/// Blanks may stand around members, and members may be empty; everything else is as strict as the
/// grammar: keys of lower-case letters, digits and `_-*/`, starting with a letter (that of a tenant
/// also with a digit), values of printable ASCII without comma and equals sign, no key twice, at most
/// 32 members.
///
/// Source: W3C Trace Context, Recommendation of 2021, section 3.3.1.
struct TraceStateMembers {
    struct Member {
        var key = ByteRange.none
        var value = ByteRange.none
    }

    static let limit = 32

    private var members = InlineArray<32, Member>(repeating: Member())
    private var count = 0

    /// nil when the bytes of the range are no valid `tracestate`.
    init?(_ bytes: borrowing RawSpan, _ range: ByteRange) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes.byte(at: end) != UInt8(ascii: ",") { end += 1 }
            guard append(bytes, from: start, to: end) else { return nil }
            start = end + 1
        }
    }

    /// The value of a key, or nil when there is none.
    func value(of key: [UInt8], in bytes: borrowing RawSpan) -> [UInt8]? {
        guard let range = valueRange(of: key.span.bytes, from: 0, count: key.count, in: bytes) else { return nil }
        var value: [UInt8] = []
        for offset in range.lowerBound..<range.upperBound { value.append(bytes.byte(at: offset)) }
        return value
    }

    /// Where the value of a key stands, or nil when there is none.
    func valueRange(
        of key: borrowing RawSpan, from keyStart: Int, count keyCount: Int, in bytes: borrowing RawSpan
    ) -> ByteRange? {
        for index in 0..<count where Int(members[index].key.count) == keyCount {
            let member = members[index].key
            if equal(bytes, at: member.lowerBound, key, at: keyStart, count: keyCount) {
                return members[index].value
            }
        }
        return nil
    }

    /// False when the bytes are no member, or one too many.
    private mutating func append(_ bytes: borrowing RawSpan, from first: Int, to last: Int) -> Bool {
        var start = first
        var end = last
        while start < end, Self.isBlank(bytes.byte(at: start)) { start += 1 }
        while end > start, Self.isBlank(bytes.byte(at: end - 1)) { end -= 1 }
        guard start < end else { return true }
        var separator = start
        while separator < end, bytes.byte(at: separator) != UInt8(ascii: "=") { separator += 1 }
        guard separator < end, count < Self.limit, Self.isKey(bytes, from: start, to: separator),
            Self.isValue(bytes, from: separator + 1, to: end)
        else { return false }
        guard valueRange(of: bytes, from: start, count: separator - start, in: bytes) == nil else { return false }
        members[count] = Member(
            key: ByteRange(from: start, to: separator), value: ByteRange(from: separator + 1, to: end))
        count += 1
        return true
    }

    private static func isKey(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        var at = start
        while at < end, bytes.byte(at: at) != UInt8(ascii: "@") { at += 1 }
        if at == end { return isKeyPart(bytes, from: start, to: end, limit: 256, mayStartWithDigit: false) }
        return isKeyPart(bytes, from: start, to: at, limit: 241, mayStartWithDigit: true)
            && isKeyPart(bytes, from: at + 1, to: end, limit: 14, mayStartWithDigit: false)
    }

    private static func isKeyPart(
        _ bytes: borrowing RawSpan, from start: Int, to end: Int, limit: Int, mayStartWithDigit: Bool
    ) -> Bool {
        guard (1...limit).contains(end - start) else { return false }
        let first = bytes.byte(at: start)
        guard isLetter(first) || mayStartWithDigit && isDigit(first) else { return false }
        for offset in start..<end {
            let byte = bytes.byte(at: offset)
            let isMark =
                byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "*")
                || byte == UInt8(ascii: "/")
            guard isLetter(byte) || isDigit(byte) || isMark else { return false }
        }
        return true
    }

    /// Blanks at the end were taken for those around the member; a tab inside is none of the characters allowed.
    private static func isValue(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        guard (1...256).contains(end - start) else { return false }
        for offset in start..<end {
            let byte = bytes.byte(at: offset)
            guard (0x20...0x7E).contains(byte), byte != UInt8(ascii: ","), byte != UInt8(ascii: "=") else {
                return false
            }
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
