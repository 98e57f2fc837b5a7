/// Reads a JSON text from front to back, one value at a time, without building a tree.
///
///     var reader = try JSONReader(bytes)
///     try reader.beginObject()
///     while let key = try reader.nextKey() {
///         switch key {
///         case "name": name = try reader.string()
///         default: try reader.skip()
///         }
///     }
///     try reader.end()
///
/// Strict: RFC 8259 and nothing besides; text must be UTF-8 without a byte order mark and without lone surrogates.
/// After an error the reader is of no further use. Repeated keys are the caller's matter here; `JSONNode` refuses them.
public struct JSONReader {
    /// What the next value is, before it is read.
    public enum Kind: Hashable, Sendable {
        case null, bool, number, string, array, object
    }

    /// An object or array that has been entered.
    struct Container {
        var isObject: Bool
        var hasElement = false
    }

    let bytes: [UInt8]
    let limits: JSONLimits
    var offset = 0
    var open: [Container] = []
    private var line = 1
    private var lineStart = 0

    public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        guard bytes.count <= limits.bytes else {
            throw JSONError("text of \(bytes.count) bytes is longer than the limit of \(limits.bytes)")
        }
        self.bytes = bytes
        self.limits = limits
        skipSpace()
    }

    /// Where the next value starts.
    public var place: JSONPlace { place(at: offset) }

    /// Kind of the value that comes next.
    public func peek() throws(JSONError) -> Kind {
        guard offset < bytes.count else { throw error("unexpected end of text") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw error("expected a value")
        }
    }

    public mutating func beginObject() throws(JSONError) { try enter(UInt8(ascii: "{"), "an object") }
    public mutating func beginArray() throws(JSONError) { try enter(UInt8(ascii: "["), "an array") }

    /// The next member's key, its value comes next; nil at the end of the object, which is then left.
    public mutating func nextKey() throws(JSONError) -> String? { try nextMember()?.key }

    /// Like `nextKey`, with the place of the key.
    public mutating func nextMember() throws(JSONError) -> (key: String, place: JSONPlace)? {
        guard try advance(to: UInt8(ascii: "}")) else { return nil }
        let place = place
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw error("expected a key in quotes") }
        let key = try string()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: ":") else {
            throw error("expected a colon after a key")
        }
        offset += 1
        skipSpace()
        return (key, place)
    }

    /// Whether another element comes next; false at the end of the array, which is then left.
    public mutating func nextElement() throws(JSONError) -> Bool { try advance(to: UInt8(ascii: "]")) }

    public mutating func null() throws(JSONError) { try word("null") }

    public mutating func bool() throws(JSONError) -> Bool {
        guard try peek() == .bool else { throw error("expected true or false") }
        let isTrue = bytes[offset] == UInt8(ascii: "t")
        try word(isTrue ? "true" : "false")
        return isTrue
    }

    /// Reads and forgets the next value, which must be well-formed all the same.
    public mutating func skip() throws(JSONError) {
        let depth = open.count
        try skipScalarOrEnter()
        while let container = open.last, open.count > depth {
            let hasNext = container.isObject ? try nextKey() != nil : try nextElement()
            if hasNext { try skipScalarOrEnter() }
        }
    }

    private mutating func skipScalarOrEnter() throws(JSONError) {
        switch try peek() {
        case .null: try null()
        case .bool: _ = try bool()
        case .number: _ = try number()
        case .string: try skipString()
        case .array: try beginArray()
        case .object: try beginObject()
        }
    }

    /// Requires that nothing but white space is left.
    public func end() throws(JSONError) {
        guard open.isEmpty, offset == bytes.count else { throw error("unexpected text after the value") }
    }

    private mutating func enter(_ bracket: UInt8, _ name: String) throws(JSONError) {
        guard offset < bytes.count, bytes[offset] == bracket else { throw error("expected \(name)") }
        guard open.count < limits.depth else { throw error("nested deeper than \(limits.depth) levels") }
        open.append(Container(isObject: bracket == UInt8(ascii: "{")))
        offset += 1
        skipSpace()
    }

    /// Steps over the comma before the next element, or over the closing bracket.
    private mutating func advance(to bracket: UInt8) throws(JSONError) -> Bool {
        guard let container = open.last, container.isObject == (bracket == UInt8(ascii: "}")) else {
            throw error("no container of this kind is open")
        }
        guard offset < bytes.count else { throw error("unexpected end of text") }
        if bytes[offset] == bracket {
            open.removeLast()
            offset += 1
            skipSpace()
            return false
        }
        if container.hasElement {
            guard bytes[offset] == UInt8(ascii: ",") else { throw error("expected a comma or the closing bracket") }
            offset += 1
            skipSpace()
            guard offset < bytes.count, bytes[offset] != bracket else { throw error("unexpected comma") }
        }
        open[open.count - 1].hasElement = true
        return true
    }

    private mutating func word(_ word: String) throws(JSONError) {
        let length = word.utf8.count
        guard offset + length <= bytes.count, bytes[offset..<offset + length].elementsEqual(word.utf8) else {
            throw error("expected \(word)")
        }
        offset += length
        skipSpace()
    }

    mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): offset += 1
            case UInt8(ascii: "\n"):
                // A line feed can only stand between tokens, so lines are counted here alone.
                offset += 1
                line += 1
                lineStart = offset
            default: return
            }
        }
    }

    private func place(at offset: Int) -> JSONPlace { JSONPlace(line: line, column: offset - lineStart + 1) }
    func error(_ message: String) -> JSONError { JSONError(message, at: place) }
    func error(_ message: String, at offset: Int) -> JSONError { JSONError(message, at: place(at: offset)) }
}
