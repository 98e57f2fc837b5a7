/// Where something stands in a JSON text.
public struct JSONPlace: Hashable, Sendable, CustomStringConvertible {
    /// From 1.
    public var line: Int
    /// From 1, in bytes of UTF-8.
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    public var description: String { "\(line):\(column)" }
}

/// A text that is not JSON, or JSON that is not what its reader asked for.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nil when there is no text: a value that cannot be written.
    public var place: JSONPlace?
    /// Lower case, no full stop: what is wrong.
    public var message: String

    public init(_ message: String, at place: JSONPlace? = nil) {
        self.message = message
        self.place = place
    }

    public var description: String {
        guard let place else { return message }
        return "\(place): \(message)"
    }
}

/// How much a JSON text may ask of its reader.
public struct JSONLimits: Hashable, Sendable {
    /// Length of the whole text, bytes.
    public var bytes: Int
    /// Arrays and objects inside one another; at most 512, because trees are read and written recursively.
    public var depth: Int
    /// Values of all kinds in a tree: one costs about 100 bytes of memory, and two bytes of text can make one.
    public var nodes: Int

    public init(bytes: Int = 64 << 20, depth: Int = 64, nodes: Int = 4_000_000) {
        self.bytes = bytes
        self.depth = min(depth, 512)
        self.nodes = nodes
    }
}
