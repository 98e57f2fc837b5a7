/// Writes a JSON text piece by piece: compact, keys in the order in which they are given.
///
///     var writer = JSONWriter()
///     writer.beginObject()
///     writer.key("rows")
///     writer.integer(3)
///     writer.endObject()
///
/// Commas and colons come by themselves. Escaped is only what must be: quotes, backslashes and control characters.
public struct JSONWriter {
    /// The text so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false
    private var openContainers = 0

    public init() {}

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    public mutating func key(_ key: String) {
        separate()
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    public mutating func null() { append("null") }
    public mutating func bool(_ flag: Bool) { append(flag ? "true" : "false") }
    public mutating func integer(_ number: some BinaryInteger) { append(String(number)) }

    public mutating func string(_ text: String) {
        separate()
        appendQuoted(text)
        needsComma = true
    }

    /// Shortest text that reads back as the same double; not-a-number and infinities are refused.
    public mutating func double(_ number: Double) throws(JSONError) {
        guard number.isFinite else { throw JSONError("\(number) cannot be written as JSON") }
        append(number.description)
    }

    public mutating func value(_ value: JSONValue) throws(JSONError) {
        switch value {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .integer(let number): integer(number)
        case .unsigned(let number): integer(number)
        case .double(let number): try double(number)
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { try self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.key)
                try self.value(member.value)
            }
            endObject()
        }
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func append(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        openContainers += 1
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        precondition(openContainers > 0, "a container is closed that was not opened")
        openContainers -= 1
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x08: bytes.append(contentsOf: "\\b".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0C: bytes.append(contentsOf: "\\f".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes.append(contentsOf: (digits.count == 1 ? "\\u000" : "\\u00").utf8)
                bytes.append(contentsOf: digits.utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONValue {
    /// The compact text, keys in their order; refuses doubles that are not finite.
    public func bytes() throws(JSONError) -> [UInt8] {
        var writer = JSONWriter()
        try writer.value(self)
        return writer.bytes
    }

    /// The same as text.
    public func serialized() throws(JSONError) -> String { String(decoding: try bytes(), as: UTF8.self) }
}
