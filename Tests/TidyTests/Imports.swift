/// Imports against the manifest.
///
/// SwiftPM's own check is transitive and does not see C modules: this one reads every line.
enum Imports {
    /// The toolchain's modules, which no manifest names: those that any module may use, and those for the world's side.
    static let anywhere: Set<String> = ["Swift"]
    static let outsideTheEngine: Set<String> = ["Foundation", "FoundationEssentials", "Glibc", "Synchronization"]

    /// Module → line, counted from 1, for every import of a file.
    static func found(in code: [Substring]) -> [(module: String, line: Int)] {
        code.enumerated().compactMap { index, line in
            let words = Words.of(line)
            guard let keyword = words.firstIndex(of: "import"), isImport(words[..<keyword]) else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
            guard let module = words[(keyword + 1)...].first(where: { !kinds.contains($0) }) else { return nil }
            return (String(module), index + 1)
        }
    }

    private static func isImport(_ before: ArraySlice<Substring>) -> Bool {
        let allowed: Set<Substring> = [
            "public", "package", "internal", "fileprivate", "private", "testable", "preconcurrency", "_exported",
            "_implementationOnly", "_spi",
        ]
        // The name in `@_spi(Name)` can be any.
        let names = before.indices.filter { $0 > before.startIndex && before[$0 - 1] == "_spi" }
        return before.indices.allSatisfy { allowed.contains(before[$0]) || names.contains($0) }
    }

    static func findings(in file: SourceText, manifest: Manifest) -> [Finding] {
        guard let module = file.module, let declared = manifest.dependencies[module] else {
            return [Finding(path: file.path, line: 1, message: "belongs to no target of Package.swift")]
        }
        let isEngine = manifest.layers[module] == .engine
        let allowed = declared.union(anywhere).union(isEngine ? [] : outsideTheEngine)
        return found(in: file.code).compactMap { imported in
            guard !allowed.contains(imported.module) else { return nil }
            return Finding(
                path: file.path, line: imported.line,
                message: "\(module) imports \(imported.module), which its entry in Package.swift does not name")
        }
    }
}
