internal import Configuration

/// What one source gives: values by key, and what was wrong with the names.
struct Layer {
    var values: [String: Node] = [:]
    var problems = Problems()

    /// The keys that a source is read by.
    struct Vocabulary {
        var declarations: [Declaration]
        var unbuilt: [UnbuiltKey]

        static let current = Vocabulary(declarations: Declaration.all, unbuilt: UnbuiltKey.all)

        /// The key that a name stands for, its alias followed; nil when it is none.
        func declaration(_ name: String) -> Declaration? {
            declarations.first { $0.key == name || $0.aliasKey == name }
        }

        /// A name below a key that takes properties: the key, and the property with dots for `_`.
        func property(_ name: String) -> (Declaration, String)? {
            for declaration in declarations where name.hasPrefix(declaration.key + ".") {
                guard case .properties = declaration.form else { continue }
                return (declaration, String(name.dropFirst(declaration.key.count + 1)).replacing("_", with: "."))
            }
            return nil
        }

        func unbuilt(_ name: String) -> UnbuiltKey? { unbuilt.first { $0.covers(name) } }

        func isSection(_ name: String) -> Bool {
            declarations.contains { $0.key.hasPrefix(name + ".") }
                || unbuilt.contains { $0.key.hasPrefix(name + ".") }
        }

        /// Names that a person may have meant.
        var names: [String] { declarations.map(\.key) + unbuilt.map(\.key) }
    }

    /// Takes a value under a dotted name: a key, or a section with keys below it.
    mutating func take(_ node: Node, as name: String, keyPlace: Place, _ vocabulary: Vocabulary) {
        if let declaration = vocabulary.declaration(name) {
            guard !node.isNull else { return }
            if let other = values[declaration.key] {
                problems.error(
                    at: keyPlace, key: name, "the same as \(declaration.key), which is given at \(other.place)")
            } else {
                values[declaration.key] = node
            }
        } else if let (declaration, property) = vocabulary.property(name) {
            takeProperty(node, property, of: declaration, keyPlace: keyPlace)
        } else if vocabulary.isSection(name) {
            takeSection(node, as: name, keyPlace: keyPlace, vocabulary)
        } else if let unbuilt = vocabulary.unbuilt(name) {
            problems.error(at: keyPlace, key: name, unbuilt.reason)
        } else {
            problems.error(at: keyPlace, key: name, "unknown key" + hint(name, vocabulary))
        }
    }

    /// One of somebody else's names, given by itself.
    private mutating func takeProperty(_ node: Node, _ name: String, of declaration: Declaration, keyPlace: Place) {
        var entries: [Node.Entry] = []
        if let known = values[declaration.key], case .map(let before) = known.value { entries = before }
        entries.append(Node.Entry(key: name, keyPlace: keyPlace, value: node))
        values[declaration.key] = Node(.map(entries), at: keyPlace)
    }

    private mutating func takeSection(
        _ node: Node, as name: String, keyPlace: Place, _ vocabulary: Vocabulary
    ) {
        guard !node.isNull else { return }
        do throws(ReadError) {
            for entry in try node.map() {
                take(entry.value, as: name + "." + entry.key, keyPlace: entry.keyPlace, vocabulary)
            }
        } catch {
            problems.error(at: node.place, key: name, error.message)
        }
    }

    private func hint(_ name: String, _ vocabulary: Vocabulary) -> String {
        // A right last part in the wrong section, such as otlp.health_port, is nearer than any typing mistake.
        if let last = name.split(separator: ".").last,
            let elsewhere = vocabulary.declarations.first(where: { $0.key.hasSuffix("." + last) })
        {
            return "; did you mean \(elsewhere.key)?"
        }
        return NearestName.hint(name, among: vocabulary.names)
    }
}

extension Declaration {
    /// The alias with its section.
    var aliasKey: String? {
        guard let alias, let dot = key.lastIndex(of: ".") else { return nil }
        return String(key[...dot]) + alias
    }
}
