/// What the rows of Package.swift say, read from its text: the build directory belongs to the running test.
struct Manifest {
    /// The four parts of the architecture, as the comments between the rows name them.
    enum Layer: String, CaseIterable {
        case engine = "// Engine"
        case base = "// Base"
        case clients = "// Clients"
        case edges = "// Edges"
    }

    /// Name → what the target may import of this package.
    var dependencies: [String: Set<String>] = [:]
    /// Modules of the rows only.
    var layers: [String: Layer] = [:]

    init(text: String) {
        var layer: Layer?
        // An entry is everything from its opening parenthesis to the matching one, on however many lines.
        var rest = text[...]
        let openings = ["Module(", ".target(", ".executableTarget(", ".systemLibrary(", "tests("]
        while let start = rest.firstIndex(where: { !$0.isWhitespace }) {
            rest = rest[start...]
            if rest.hasPrefix("//") {
                layer = Layer.allCases.first { rest.hasPrefix($0.rawValue) } ?? layer
                rest = rest.drop { $0 != "\n" }
            } else if let opening = openings.first(where: rest.hasPrefix) {
                let (entry, after) = Self.parenthesised(rest.dropFirst(opening.count))
                add(entry, layer: opening == "Module(" ? layer : nil)
                rest = after
            } else {
                // One word and what follows it, so that `tests(` is not found at the end of another word.
                let word = rest.prefix { $0.isLetter }
                rest = rest.dropFirst(max(1, word.count))
            }
        }
    }

    private mutating func add(_ entry: Substring, layer: Layer?) {
        // The first literal is the name, the others its dependencies; entries made from variables have none. What
        // comes after `resources:` or `embeds:` names files.
        var entry = entry
        for files in ["resources:", "embeds:", "pkgConfig:"] {
            if let range = entry.firstRange(of: files) { entry = entry[..<range.lowerBound] }
        }
        let literals = entry.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
        guard let name = literals.first else { return }
        dependencies[name] = Set(literals.dropFirst())
        layers[name] = layer
    }

    /// The text up to the parenthesis that closes, and what follows it.
    private static func parenthesised(_ text: Substring) -> (inside: Substring, after: Substring) {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return (text[..<index], text[text.index(after: index)...]) }
        }
        return (text, "")
    }
}
