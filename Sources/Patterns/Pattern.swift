/// A regular expression of RE2's syntax, compiled: searched for anywhere in a text, in time linear to the text.
///
/// Copies share what was compiled, and any number of threads may match with it at once. Two patterns are equal when
/// their texts are. `.` matches no byte that is not UTF-8; upper and lower case differ unless the pattern says `(?i)`.
///
/// Source: github.com/google/re2/wiki/Syntax. Named groups may also be written `(?<name>…)`, as Go and Perl do, and
/// `\C`, a single byte in the middle of a character, is refused, as in Go.
public struct Pattern: Sendable {
    /// Of the expression in UTF-8: longer ones are programs, not patterns.
    public static let textLimitBytes = 1024
    /// For what is compiled and the states that it takes on: a quarter of RE2's default, so that a thousand
    /// rules' patterns stay within 2 GiB even when hostile texts fill every cache.
    public static let memoryLimitBytes: Int64 = 2 << 20

    /// As it was given.
    public let text: String
    let compiled: CompiledPattern

    /// Compiles an expression.
    public init(_ text: String) throws(PatternError) {
        guard text.utf8.count <= Self.textLimitBytes else {
            throw PatternError(
                reason: .tooLong,
                message: "pattern of \(text.utf8.count) bytes, where \(Self.textLimitBytes) are the most")
        }
        self.text = text
        compiled = try CompiledPattern(try PatternText.forRE2(text), memoryLimitBytes: Self.memoryLimitBytes)
    }

    /// Whether the expression matches somewhere in the bytes `start ..< end`, which are taken for UTF-8.
    public func matches(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        reference.matches(bytes, from: start, to: end)
    }

    /// Whether the expression matches somewhere in the text.
    public func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return matches(bytes.span.bytes, from: 0, to: bytes.count)
    }

    /// For loops in which the pattern is known to live: no reference is counted.
    public var reference: PatternReference { compiled.reference }
}

extension Pattern: Hashable {
    public static func == (one: Pattern, other: Pattern) -> Bool { one.text == other.text }
    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Why a text is no pattern.
public struct PatternError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// More bytes than `Pattern.textLimitBytes`.
        case tooLong
        /// Compiled, it would take more than `Pattern.memoryLimitBytes`.
        case tooLarge
        /// No regular expression.
        case invalid
    }

    public var reason: Reason
    /// What is wrong, and at what: `missing ): a(b`.
    public var message: String

    public init(reason: Reason, message: String) {
        self.reason = reason
        self.message = message
    }
}

extension PatternError: CustomStringConvertible {
    public var description: String { message }
}

/// What RE2's syntax lacks of Go's, and has too much.
enum PatternText {
    /// The expression as RE2 takes it: `(?<name>` becomes `(?P<name>`.
    static func forRE2(_ text: String) throws(PatternError) -> [UInt8] {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        var isInClass = false
        while let byte = rest.popFirst() {
            result.append(byte)
            switch byte {
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { break }
                if escaped == UInt8(ascii: "C") {
                    throw PatternError(reason: .invalid, message: "invalid escape sequence: \\C")
                }
                result.append(escaped)
                if escaped == UInt8(ascii: "Q"), !isInClass { result += taken(&rest, through: "\\E") }
            case UInt8(ascii: "["):
                if isInClass {
                    // `[:alpha:]` inside of a class does not end it.
                    if rest.first == UInt8(ascii: ":") { result += taken(&rest, through: ":]") }
                    break
                }
                isInClass = true
                // A bracket right behind the opening, or behind ^, stands for itself.
                if rest.first == UInt8(ascii: "^") { result.append(rest.removeFirst()) }
                if rest.first == UInt8(ascii: "]") { result.append(rest.removeFirst()) }
            case UInt8(ascii: "]"): isInClass = false
            case UInt8(ascii: "("):
                guard !isInClass, rest.starts(with: Array("?<".utf8)), let letter = rest.dropFirst(2).first,
                    letter != UInt8(ascii: "="), letter != UInt8(ascii: "!")
                else { break }
                result += Array("?P<".utf8)
                rest = rest.dropFirst(2)
            default: break
            }
        }
        return result
    }

    /// Takes everything up to the end, and the end with it; all of the rest when it does not come.
    private static func taken(_ rest: inout ArraySlice<UInt8>, through end: String) -> [UInt8] {
        var result: [UInt8] = []
        while !rest.isEmpty, !rest.starts(with: Array(end.utf8)) { result.append(rest.removeFirst()) }
        result += rest.prefix(end.utf8.count)
        rest = rest.dropFirst(end.utf8.count)
        return result
    }
}
