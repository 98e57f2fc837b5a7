/// A Swift file as the checkers see it.
struct SourceText {
    /// Path below the top of the checkout.
    var path: String
    /// Lines as written.
    var lines: [Substring]
    /// The same lines with comments and the text of string literals blanked; code inside interpolations stays.
    var code: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = CodeOnly.text(of: text).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// `Sources/<module>/…` gives the module.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    var fileName: String { String(path.split(separator: "/").last ?? "") }
}

/// What a checker has to say about one line.
struct Finding: Hashable, CustomStringConvertible {
    var path: String
    /// Counted from 1.
    var line: Int
    var message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// Blanks what is not code, so that a checker does not stumble over the words of a comment.
///
/// Source: The Swift Programming Language, "Lexical Structure": comments nest; a string literal ends at as many
/// quotation marks and number signs as it began with; `\(` opens an interpolation that holds code again. Regular
/// expression literals are not known here; this project has none.
struct CodeOnly {
    private let characters: [Character]
    private var index = 0
    private var result: [Character] = []

    static func text(of source: String) -> String {
        var scanner = CodeOnly(characters: Array(source))
        scanner.code(untilClosingParenthesis: false)
        return String(scanner.result)
    }

    private init(characters: [Character]) {
        self.characters = characters
        result.reserveCapacity(characters.count)
    }

    private func starts(_ word: String) -> Bool {
        characters[index...].starts(with: word)
    }

    private mutating func blank(_ count: Int) {
        for _ in 0..<count where index < characters.count {
            result.append(characters[index] == "\n" ? "\n" : " ")
            index += 1
        }
    }

    private mutating func code(untilClosingParenthesis: Bool) {
        var depth = 0
        while index < characters.count {
            let character = characters[index]
            if starts("//") {
                while index < characters.count, characters[index] != "\n" { blank(1) }
            } else if starts("/*") {
                blockComment()
            } else if character == "\"" || (character == "#" && opensRawString()) {
                string()
            } else {
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
                if untilClosingParenthesis, depth < 0 { return }
                result.append(character)
                index += 1
            }
        }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if starts("/*") {
                depth += 1
                blank(2)
            } else if starts("*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && index < characters.count
    }

    private func opensRawString() -> Bool {
        characters[index...].first { $0 != "#" } == "\""
    }

    private mutating func string() {
        let signs = characters[index...].prefix { $0 == "#" }.count
        let tail = String(repeating: "#", count: signs)
        blank(signs)
        let quotes = starts("\"\"\"") ? "\"\"\"" : "\""
        // A quotation mark at both ends stays: the checkers see that a literal is there.
        result.append("\"")
        index += 1
        blank(quotes.count - 1)
        let end = quotes + tail
        let escape = "\\" + tail
        while index < characters.count, !starts(end) {
            if starts(escape + "(") {
                blank(escape.count + 1)
                code(untilClosingParenthesis: true)
                blank(1)
            } else if starts(escape) {
                blank(escape.count + 1)
            } else {
                blank(1)
            }
        }
        guard index < characters.count else { return }
        blank(end.count - 1)
        result.append("\"")
        index += 1
    }
}
