public import Configuration

extension YAMLText {
    /// A tree in one line of flow style, which reads back as the same tree.
    public static func flow(_ node: Node) -> String {
        switch node.value {
        case .scalar(let scalar): node.isNull ? "null" : self.scalar(scalar.text, mustBeText: scalar.isQuoted)
        case .list(let nodes): "[" + nodes.map(flow).joined(separator: ", ") + "]"
        case .map(let entries):
            "{" + entries.map { "\(scalar($0.key)): \(flow($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    /// A scalar, in quotes when plain style would not do.
    ///
    /// - Parameter mustBeText: Also in quotes when it would read as a number, boolean or null.
    public static func scalar(_ text: String, mustBeText: Bool = true) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy(isPlainByte)
        let isOther = ScalarText.number(text) != nil || words.contains(text.lowercased())
        if isPlain && !(mustBeText && isOther) && !text.hasPrefix("-") { return text }
        // A number's sign is the one dash that may stand first.
        if isPlain && !mustBeText && isOther { return text }
        return "\"" + text.unicodeScalars.map(escaped).joined() + "\""
    }

    private static let words: Set<String> = ["true", "false", "null", "~", "yes", "no", "on", "off"]

    private static func isPlainByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_./-+".utf8.contains(byte)
        }
    }

    private static func escaped(_ character: Unicode.Scalar) -> String {
        switch character {
        case "\"": return "\\\""
        case "\\": return "\\\\"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}", "\u{FEFF}":
            let digits = String(character.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: return String(character)
        }
    }
}
