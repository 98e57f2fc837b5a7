extension JSONReader {
    /// The next value, which must be a string.
    public mutating func string() throws(JSONError) -> String {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw error("expected a string") }
        let start = offset + 1
        let plain = try endOfPlainText(from: start)
        var position = plain.end
        let text: String
        if bytes[position] == UInt8(ascii: "\"") {
            // ASCII is UTF-8: most texts are not looked at a second time.
            text =
                plain.isASCII
                ? String(decoding: bytes[start..<position], as: UTF8.self)
                : try self.text(of: bytes[start..<position], at: start)
        } else {
            var unescaped = Array(bytes[start..<position])
            while bytes[position] != UInt8(ascii: "\"") {
                try appendEscape(at: &position, to: &unescaped)
                let end = try endOfPlainText(from: position).end
                unescaped.append(contentsOf: bytes[position..<end])
                position = end
            }
            text = try self.text(of: unescaped[...], at: start)
        }
        offset = position + 1
        skipSpace()
        return text
    }

    /// Like `string`, without making one where it is plain ASCII.
    mutating func skipString() throws(JSONError) {
        let (end, isASCII) = try endOfPlainText(from: offset + 1)
        guard isASCII, bytes[end] == UInt8(ascii: "\"") else {
            _ = try string()
            return
        }
        offset = end + 1
        skipSpace()
    }

    /// The next value, which must be a number: `integer`, `unsigned` or `double`.
    public mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        let isNegative = byte(at: start) == UInt8(ascii: "-")
        let firstDigit = isNegative ? start + 1 : start
        let endOfWhole = endOfDigits(from: firstDigit)
        guard endOfWhole > firstDigit else { throw error("expected a number") }
        guard endOfWhole == firstDigit + 1 || bytes[firstDigit] != UInt8(ascii: "0") else {
            throw error("number starts with a zero")
        }
        let end = try endOfExponent(from: try endOfFraction(from: endOfWhole))
        let value: JSONValue
        if end == endOfWhole, let whole = whole(firstDigit..<endOfWhole, isNegative: isNegative) {
            value = whole
        } else {
            let text = String(decoding: bytes[start..<end], as: UTF8.self)
            guard let double = Double(text), double.isFinite else { throw error("number is out of range") }
            value = .double(double)
        }
        offset = end
        skipSpace()
        return value
    }

    private func endOfFraction(from position: Int) throws(JSONError) -> Int {
        guard byte(at: position) == UInt8(ascii: ".") else { return position }
        let end = endOfDigits(from: position + 1)
        guard end > position + 1 else { throw error("expected a digit after the decimal point") }
        return end
    }

    private func endOfExponent(from position: Int) throws(JSONError) -> Int {
        guard let letter = byte(at: position), letter | 0x20 == UInt8(ascii: "e") else { return position }
        var digits = position + 1
        if let sign = byte(at: digits), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { digits += 1 }
        let end = endOfDigits(from: digits)
        guard end > digits else { throw error("expected a digit in the exponent") }
        return end
    }

    /// Nil when it does not fit 64 bits.
    private func whole(_ digits: Range<Int>, isNegative: Bool) -> JSONValue? {
        var magnitude: UInt64 = 0
        for index in digits {
            let (product, overflows) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carries) = product.addingReportingOverflow(UInt64(bytes[index] - UInt8(ascii: "0")))
            guard !overflows, !carries else { return nil }
            magnitude = sum
        }
        guard isNegative else { return JSONValue(magnitude) }
        guard magnitude <= UInt64(1) << 63 else { return nil }
        return .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
    }

    private func byte(at position: Int) -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private func endOfDigits(from position: Int) -> Int {
        var position = position
        while position < bytes.count, bytes[position] >= UInt8(ascii: "0"), bytes[position] <= UInt8(ascii: "9") {
            position += 1
        }
        return position
    }

    /// Place of the next quote or backslash, which is there, and whether all before it is ASCII.
    private func endOfPlainText(from start: Int) throws(JSONError) -> (end: Int, isASCII: Bool) {
        var position = start
        var seen: UInt8 = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return (position, seen < 0x80) }
            guard byte >= 0x20 else { throw error("control character in a string", at: position) }
            seen |= byte
            position += 1
        }
        throw error("string without its closing quote")
    }

    private func text(of bytes: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw error("string is not UTF-8", at: start) }
        return text
    }

    /// Appends what the escape sequence at `position` stands for and steps over it.
    private func appendEscape(at position: inout Int, to text: inout [UInt8]) throws(JSONError) {
        let start = position
        guard let letter = byte(at: position + 1) else { throw error("string without its closing quote") }
        position += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try scalar(at: &position, start)).utf8))
        default: throw error("unknown escape in a string", at: start)
        }
    }

    /// The scalar of `\uXXXX` or of a pair of surrogates; `position` stands after the first `u`.
    private func scalar(at position: inout Int, _ start: Int) throws(JSONError) -> Character {
        var code = UInt32(try codeUnit(at: &position))
        let isHigh = code >= 0xD800 && code < 0xDC00
        if isHigh, byte(at: position) == UInt8(ascii: "\\"), byte(at: position + 1) == UInt8(ascii: "u") {
            position += 2
            let low = UInt32(try codeUnit(at: &position))
            guard low >= 0xDC00, low < 0xE000 else { throw error("lone surrogate in a string", at: start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("lone surrogate in a string", at: start) }
        return Character(scalar)
    }

    private func codeUnit(at position: inout Int) throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = byte(at: position), let digit = Self.hexadecimalDigit(byte) else {
                throw error("expected four hexadecimal digits", at: position)
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
