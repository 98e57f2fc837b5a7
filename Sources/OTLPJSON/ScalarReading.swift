internal import JSON

/// Scalars as proto3's JSON mapping writes them.
enum ScalarReading {
    /// A whole number, as a number or in quotes.
    static func integer<Whole: FixedWidthInteger>(
        _ reader: inout JSONReader, of type: Whole.Type
    ) throws(JSONError) -> Whole {
        let place = reader.place
        switch try reader.peek() {
        case .number:
            if let whole = whole(try reader.number(), of: type) { return whole }
            throw JSONError("expected a whole number of \(words(type))", at: place)
        case .string:
            let text = try reader.string()
            if isPlain(text), let whole = Whole(text) { return whole }
            throw JSONError("\"\(excerpt(text))\" is no whole number of \(words(type))", at: place)
        default: throw MessageReading.expected("a whole number, also in quotes", &reader)
        }
    }

    private static func whole<Whole: FixedWidthInteger>(_ number: JSONValue, of type: Whole.Type) -> Whole? {
        switch number {
        case .integer(let whole): Whole(exactly: whole)
        case .unsigned(let whole): Whole(exactly: whole)
        case .double(let double): Whole(exactly: double)
        default: nil
        }
    }

    /// Digits with or without a minus sign: what Swift reads besides, a plus sign, is not JSON's.
    private static func isPlain(_ text: String) -> Bool { text.utf8.first != UInt8(ascii: "+") }

    private static func words<Whole: FixedWidthInteger>(_ type: Whole.Type) -> String {
        "\(Whole.bitWidth) bits\(Whole.isSigned ? "" : ", not negative")"
    }

    /// A number, a number in quotes, or one of the three names.
    static func double(_ reader: inout JSONReader) throws(JSONError) -> Double {
        let place = reader.place
        switch try reader.peek() {
        case .number: return try reader.number().double ?? 0
        case .string:
            let text = try reader.string()
            switch text {
            case "NaN": return .nan
            case "Infinity": return .infinity
            case "-Infinity": return -.infinity
            default:
                // The JSON grammar of numbers, not Swift's: no hexadecimal, no "inf", no blanks.
                if let number = try? JSONValue(parsing: text), let double = number.double, !text.contains(" ") {
                    return double
                }
                throw JSONError("\"\(excerpt(text))\" is no number, nor NaN, Infinity, -Infinity", at: place)
            }
        default: throw MessageReading.expected("a number, also in quotes", &reader)
        }
    }

    /// An int32, or the name of one.
    static func enumeration(
        _ reader: inout JSONReader, names: [String: Int32]
    ) throws(JSONError) -> Int32 {
        let place = reader.place
        switch try reader.peek() {
        case .number:
            if let code = whole(try reader.number(), of: Int32.self) { return code }
            throw JSONError("expected a whole number of 32 bits", at: place)
        case .string:
            let text = try reader.string()
            if let code = names[text] { return code }
            let known = names.sorted { $0.value < $1.value }.map(\.key).joined(separator: ", ")
            throw JSONError("unknown name \"\(excerpt(text))\"; known are \(known)", at: place)
        default: throw MessageReading.expected("a number or a name", &reader)
        }
    }

    static func hexadecimal(_ reader: inout JSONReader) throws(JSONError) -> [UInt8] {
        let place = reader.place
        guard try reader.peek() == .string else { throw MessageReading.expected("an id in quotes", &reader) }
        let text = try reader.string()
        let digits = text.utf8
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = nibble(digit) else {
                throw JSONError("\"\(excerpt(text))\" is no id: ids are hexadecimal in OTLP/JSON", at: place)
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil else {
            throw JSONError("\"\(excerpt(text))\" is no id: it has an odd number of digits", at: place)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Base64 in either alphabet, with its padding or without any.
    static func base64(_ reader: inout JSONReader) throws(JSONError) -> [UInt8] {
        let place = reader.place
        guard try reader.peek() == .string else { throw MessageReading.expected("base64 in quotes", &reader) }
        let text = try reader.string()
        guard let bytes = decodedBase64(Array(text.utf8)) else {
            throw JSONError("\"\(excerpt(text))\" is no base64", at: place)
        }
        return bytes
    }

    private static func decodedBase64(_ text: [UInt8]) -> [UInt8]? {
        var count = text.count
        while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
        // Padding fills up the last four characters, or is left out.
        guard count == text.count || text.count % 4 == 0, count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 3 / 4)
        var word: UInt32 = 0
        var bitCount = 0
        for character in text[..<count] {
            guard let value = sextet(character) else { return nil }
            word = word << 6 | UInt32(value)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(bitCount)))
        }
        return bytes
    }

    private static func sextet(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }

    /// As much of a text as a message should hold.
    private static func excerpt(_ text: String) -> String {
        text.utf8.count <= 64 ? text : "\(text.prefix(16))…"
    }
}
