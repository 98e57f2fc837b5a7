public import Configuration

/// What makes a text unusable as YAML.
public struct YAMLError: Error, Sendable, CustomStringConvertible {
    /// Never empty.
    public var problems: [Problem]

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Limits against texts that are made to do harm, and far above any configuration.
public struct YAMLLimits: Sendable {
    /// Longest text.
    public var byteCount = 8 << 20
    /// Lists and maps inside one another.
    public var depth = 64
    /// Nodes of the tree after aliases and merges are followed: a chain of aliases of aliases stops here.
    public var nodeCount = 200_000

    public init() {}
}

/// Reads one YAML document, which JSON is too, into a tree with places.
///
/// YAML 1.2's core schema over libyaml's YAML 1.1 grammar: `yes` and `on` are text. Anchors, aliases and
/// merge keys (`<<`) work. Refused: keys that are given twice or are not scalars, unknown tags, a second document.
public enum YAMLText {
    /// - Parameter name: The file's name in messages.
    /// - Returns: nil when the text holds no document.
    public static func parse(
        _ text: [UInt8], name: String, limits: YAMLLimits = YAMLLimits()
    ) throws(YAMLError) -> Node? {
        try parse(text, limits: limits) { line, column in .file(name, line: line, column: column) }
    }

    /// - Parameter place: Makes the place of a line and column, both from 1.
    public static func parse(
        _ text: [UInt8], limits: YAMLLimits = YAMLLimits(), place: @escaping (_ line: Int, _ column: Int) -> Place
    ) throws(YAMLError) -> Node? {
        guard text.count <= limits.byteCount else {
            let problem = Problem(
                .error, at: place(1, 1), key: "",
                "the text has \(text.count) bytes; at most \(limits.byteCount) are read")
            throw YAMLError(problems: [problem])
        }
        // libyaml keeps the input's address, so everything happens while the bytes stand still.
        let result = text.withUnsafeBufferPointer { bytes in
            let parser = EventParser(bytes, place: place)
            var composer = Composer(parser: parser, limits: limits, place: place)
            return composer.document()
        }
        return try result.get()
    }
}
