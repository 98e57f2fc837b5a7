/// A value of a configuration text, with the place it was written at.
///
/// Scalars keep their text: whether `5` is a number is decided by the key that reads it, so that a
/// password of digits stays a password.
public struct Node: Sendable {
    public enum Value: Sendable {
        case scalar(Scalar)
        case list([Node])
        case map([Entry])
    }

    public struct Scalar: Hashable, Sendable {
        public var text: String
        /// Quoted (or tagged as text): never null, a number or a boolean.
        public var isQuoted: Bool

        public init(_ text: String, isQuoted: Bool = false) {
            self.text = text
            self.isQuoted = isQuoted
        }
    }

    /// A member of a map. Order is that of the text; keys are unique (the parser refuses others).
    public struct Entry: Sendable {
        public var key: String
        public var keyPlace: Place
        public var value: Node

        public init(key: String, keyPlace: Place, value: Node) {
            self.key = key
            self.keyPlace = keyPlace
            self.value = value
        }
    }

    public var value: Value
    public var place: Place

    public init(_ value: Value, at place: Place) {
        self.value = value
        self.place = place
    }

    public init(text: String, isQuoted: Bool = false, at place: Place) {
        self.init(.scalar(Scalar(text, isQuoted: isQuoted)), at: place)
    }

    /// YAML's core schema: an unquoted empty text, `~`, `null`, `Null` or `NULL`.
    public var isNull: Bool {
        guard case .scalar(let scalar) = value, !scalar.isQuoted else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
    }

    /// What the value is, for "expected a list, found …".
    public var words: String {
        switch value {
        case .list: "a list"
        case .map: "a map"
        case .scalar(let scalar):
            isNull ? "nothing" : "\"\(scalar.text.prefix(Self.shownCharacterLimit))\""
        }
    }

    /// Longest part of a wrong value that a message repeats.
    public static let shownCharacterLimit = 60
}

// MARK: - Typed reading

/// Why a value could not be read; `message` says what was expected.
public struct ReadError: Error, Hashable, Sendable {
    public var message: String

    public init(_ message: String) {
        self.message = message
    }
}

extension Node {
    /// The text of any scalar, whatever it looks like.
    public func text() throws(ReadError) -> String {
        guard case .scalar(let scalar) = value else { throw ReadError("expected text, found \(words)") }
        return scalar.text
    }

    /// A whole number in decimal, `0x` or `0o` notation.
    public func integer() throws(ReadError) -> Int64 {
        guard case .scalar(let scalar) = value, !scalar.isQuoted else {
            throw ReadError("expected a whole number, found \(words)\(quotedHint)")
        }
        if let number = ScalarText.integer(scalar.text) { return number }
        if let number = ScalarText.integer(scalar.text.replacing("_", with: "")) {
            throw ReadError("expected a whole number, found \(words); did you mean \(number)?")
        }
        throw ReadError("expected a whole number, found \(words)")
    }

    /// A finite number.
    public func number() throws(ReadError) -> Double {
        guard case .scalar(let scalar) = value, !scalar.isQuoted else {
            throw ReadError("expected a number, found \(words)\(quotedHint)")
        }
        guard let number = ScalarText.number(scalar.text) else {
            throw ReadError("expected a number, found \(words)")
        }
        return number
    }

    /// `true` or `false`; the yes and on of YAML 1.1 are refused with the word to write.
    public func boolean() throws(ReadError) -> Bool {
        guard case .scalar(let scalar) = value, !scalar.isQuoted else {
            throw ReadError("expected true or false, found \(words)\(quotedHint)")
        }
        switch scalar.text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: break
        }
        switch scalar.text.lowercased() {
        case "yes", "on", "y", "1": throw ReadError("expected true or false, found \(words); did you mean true?")
        case "no", "off", "n", "0": throw ReadError("expected true or false, found \(words); did you mean false?")
        default: throw ReadError("expected true or false, found \(words)")
        }
    }

    public func list() throws(ReadError) -> [Node] {
        guard case .list(let nodes) = value else { throw ReadError("expected a list, found \(words)") }
        return nodes
    }

    public func map() throws(ReadError) -> [Entry] {
        guard case .map(let entries) = value else { throw ReadError("expected a map, found \(words)") }
        return entries
    }

    private var quotedHint: String {
        guard case .scalar = value else { return "" }
        return " in quotes"
    }
}

/// Scalars of YAML's core schema (YAML 1.2.2, section 10.3.2).
public enum ScalarText {
    /// `[-+]?[0-9]+`, `0x…`, `0o…`; nil for anything else and beyond 64 bits.
    public static func integer(_ text: String) -> Int64? {
        if text.hasPrefix("0x") { return digits(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return digits(text.dropFirst(2), radix: 8) }
        let sign = text.first == "-" || text.first == "+"
        guard digits(text.dropFirst(sign ? 1 : 0), radix: 10) != nil || text == "-9223372036854775808" else {
            return nil
        }
        return Int64(text)
    }

    /// An integer or a decimal fraction with an optional exponent; infinities and NaN are no numbers here.
    public static func number(_ text: String) -> Double? {
        if let integer = integer(text) { return Double(integer) }
        let isPlain = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "+-.eE".utf8.contains(byte)
        }
        guard isPlain, let number = Double(text), number.isFinite else { return nil }
        return number
    }

    private static func digits(_ text: Substring, radix: Int) -> Int64? {
        // Int64(_:radix:) would take a second sign.
        guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else {
            return nil
        }
        return Int64(text, radix: radix)
    }
}
