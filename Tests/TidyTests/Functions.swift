/// Where functions begin, and how long they are.
///
/// Not a parser: a function is a line whose first words lead to `func`, `init` or `deinit`; its body is the first brace
/// outside parentheses, unless a line ends before that in a way that no signature goes on from.
struct Functions {
    /// Counted from 1: the line of the keyword.
    var line: Int
    /// From the keyword to the closing brace, both included.
    var lineCount: Int

    static func found(in code: [Substring]) -> [Functions] {
        code.indices.compactMap { index in
            guard isDeclaration(code[index]), let last = lastLine(of: index, in: code) else { return nil }
            return Functions(line: index + 1, lineCount: last - index + 1)
        }
    }

    private static func isDeclaration(_ line: Substring) -> Bool {
        let modifiers: Set<Substring> = [
            "public", "internal", "package", "private", "fileprivate", "open", "static", "class", "final", "override",
            "mutating", "nonmutating", "borrowing", "consuming", "convenience", "required", "nonisolated", "isolated",
            "discardableResult", "inlinable", "inline", "always", "never", "usableFromInline", "Test", "Suite",
        ]
        for word in Words.of(line) {
            if word == "func" || word == "init" || word == "deinit" { return true }
            guard modifiers.contains(word) else { return false }
        }
        return false
    }

    /// Index of the line that closes the body; nil when there is none.
    private static func lastLine(of first: Int, in code: [Substring]) -> Int? {
        var parentheses = 0
        var braces = 0
        for index in first..<code.count {
            for character in code[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{" where braces > 0 || parentheses == 0: braces += 1
                case "}" where braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                case "}" where parentheses == 0: return nil  // the end of a protocol
                default: break
                }
            }
            if braces == 0, parentheses == 0, !signatureGoesOn(after: index, in: code) { return nil }
        }
        return nil
    }

    private static func signatureGoesOn(after index: Int, in code: [Substring]) -> Bool {
        let line = Checkers.trimmed(code[index])
        if line.hasSuffix("->") || line.hasSuffix(",") || line.hasSuffix("where") { return true }
        guard index + 1 < code.count else { return false }
        let next = Checkers.trimmed(code[index + 1])
        return ["{", "->", "throws", "rethrows", "where", ")"].contains { next.hasPrefix($0) }
    }
}
