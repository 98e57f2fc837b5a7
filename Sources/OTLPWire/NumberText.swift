extension MatcherNumber {
    /// Reads the number that the bytes `start ..< end` are as a whole, by the rules of `init(text:)`.
    init?(_ bytes: borrowing RawSpan, from start: Int, to end: Int) {
        guard let text = NumberText(bytes, from: start, to: end) else { return nil }
        if let whole = text.whole {
            self = .int(whole)
        } else {
            guard let double = text.double(bytes, from: start, to: end), double.isFinite else { return nil }
            self = .double(double)
        }
    }
}

/// The parts of a number's text: ± digits × 10^exponent.
private struct NumberText {
    private var isNegative = false
    /// The first 19 digits that are not leading zeros.
    private var digits: UInt64 = 0
    private var digitCount = 0
    /// Whether there were more.
    private var isCut = false
    private var exponent = 0
    private var isWhole = true

    /// nil when the bytes are no number.
    init?(_ bytes: borrowing RawSpan, from start: Int, to end: Int) {
        guard end - start <= MatcherNumber.textLimitBytes else { return nil }
        var offset = start
        if offset < end, bytes.byte(at: offset) == UInt8(ascii: "-") {
            isNegative = true
            offset += 1
        }
        let first = offset
        readDigits(bytes, at: &offset, to: end, isFraction: false)
        guard offset > first else { return nil }
        if offset - first > 1, bytes.byte(at: first) == UInt8(ascii: "0") { return nil }
        if offset < end, bytes.byte(at: offset) == UInt8(ascii: ".") {
            isWhole = false
            offset += 1
            let fraction = offset
            readDigits(bytes, at: &offset, to: end, isFraction: true)
            guard offset > fraction else { return nil }
        }
        if offset < end, bytes.byte(at: offset) | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            offset += 1
            guard readExponent(bytes, at: &offset, to: end) else { return nil }
        }
        guard offset == end else { return nil }
    }

    private mutating func readDigits(
        _ bytes: borrowing RawSpan, at offset: inout Int, to end: Int, isFraction: Bool
    ) {
        while offset < end, let digit = Self.digit(bytes.byte(at: offset)) {
            offset += 1
            if digitCount < 19 {
                digits = digits * 10 + UInt64(digit)
                if digits > 0 { digitCount += 1 }
                if isFraction { exponent -= 1 }
            } else {
                isCut = true
                if !isFraction { exponent += 1 }
            }
        }
    }

    /// False when no digit follows.
    private mutating func readExponent(
        _ bytes: borrowing RawSpan, at offset: inout Int, to end: Int
    ) -> Bool {
        var isReduced = false
        if offset < end, bytes.byte(at: offset) == UInt8(ascii: "-") || bytes.byte(at: offset) == UInt8(ascii: "+") {
            isReduced = bytes.byte(at: offset) == UInt8(ascii: "-")
            offset += 1
        }
        let first = offset
        var power = 0
        while offset < end, let digit = Self.digit(bytes.byte(at: offset)) {
            offset += 1
            // No text is long enough to make up for ten thousand places.
            power = min(power * 10 + Int(digit), 10_000)
        }
        exponent += isReduced ? -power : power
        return offset > first
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }

    /// The number when it has neither fraction nor exponent and fits; nil otherwise.
    var whole: Int64? {
        guard isWhole, !isCut else { return nil }
        if isNegative { return digits <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- digits) : nil }
        return Int64(exactly: digits)
    }

    /// The double nearest to the number.
    func double(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Double? {
        // Both factors are doubles without error, so the one rounding is the right one.
        if !isCut, digits <= 1 << 53, Self.powers.indices.contains(abs(exponent)) {
            let power = Self.powers[abs(exponent)]
            let value = exponent < 0 ? Double(digits) / power : Double(digits) * power
            return isNegative ? -value : value
        }
        // A text of such length is rare; the library's reading of it may allocate.
        var text = ""
        for offset in start..<end { text.unicodeScalars.append(Unicode.Scalar(bytes.byte(at: offset))) }
        return Double(text)
    }

    /// Powers of ten that are doubles.
    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}
