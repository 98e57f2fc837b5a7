internal import Configuration

extension LoadedSettings {
    /// The effective configuration as YAML that can be loaded again, each value with where it comes from;
    /// secrets are not in it.
    public var printed: String { Self.printed(settings, places, Declaration.all) }

    static func printed(_ settings: Settings, _ places: [String: Place], _ declarations: [Declaration]) -> String {
        var lines = SectionLines()
        let isAlone = settings.sampling.standsAlone
        for declaration in declarations where !(isAlone && declaration.isOfPolicies) {
            guard places[declaration.key] != nil || !declaration.isSecret else { continue }
            guard let value = declaration.form.text(in: settings) else { continue }
            let shown = declaration.isSecret && places[declaration.key] != nil ? "<redacted>" : value
            let place = places[declaration.key]?.description ?? "default"
            lines.add(declaration.key, "\(shown)  # \(place)")
        }
        lines.addPlain("# Policies in effect, in the order in which they are credited:")
        for words in settings.sampling.words { lines.addPlain("#   \(words)") }
        return lines.text
    }
}

/// Lines of nested YAML maps, made of dotted keys in order.
struct SectionLines {
    private var lines: [String] = []
    private var section: [Substring] = []

    var text: String { lines.joined(separator: "\n") + "\n" }

    /// A value under its key, the headings of its sections before it; with `mark` in front, such as a comment sign.
    mutating func add(_ key: String, _ value: String, mark: String = "") {
        let name = open(key)
        lines.append(indentation + "\(mark)\(name): \(value)")
    }

    /// A comment line above the key that follows.
    mutating func comment(_ text: String, for key: String) {
        _ = open(key)
        lines.append(indentation + "# \(text)")
    }

    mutating func addPlain(_ line: String) {
        lines.append(line)
    }

    private var indentation: String { String(repeating: "  ", count: section.count) }

    /// Opens the sections of a key that are not open; answers the key's last part.
    private mutating func open(_ key: String) -> Substring {
        let parts = key.split(separator: ".")
        let sections = Array(parts.dropLast())
        if sections != section {
            let common = zip(sections, section).prefix { $0 == $1 }.count
            for depth in common..<max(common, sections.count) {
                lines.append(String(repeating: "  ", count: depth) + "\(sections[depth]):")
            }
            section = sections
        }
        return parts[parts.count - 1]
    }
}
