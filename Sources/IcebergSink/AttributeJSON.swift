import OTLPWire
import TraceModel

/// Writes a list or key-value list as the `AnyValue` of OTLP/JSON: no spaces, members in the order sent, and every
/// value with its type.
///
///     {"arrayValue":{"values":[{"intValue":"5"},{"doubleValue":5.0},{"stringValue":"5"}]}}
///
/// Its depth is bounded by the decoder's nesting limit. Reused from value to value.
///
/// Source: OpenTelemetry protocol, "JSON Protobuf Encoding"; protobuf's ProtoJSON (64-bit integers and bytes).
struct AttributeJSON {
    /// The text of the value encoded last, UTF-8.
    private(set) var text: [UInt8] = []
    private var isValid = true

    /// - Returns: Whether every text in it was UTF-8 as sent.
    mutating func encode(_ index: Int, of nodes: [AttributeNode], in source: borrowing Span<UInt8>) -> Bool {
        text.removeAll(keepingCapacity: true)
        isValid = true
        append(index, of: nodes, in: source)
        return isValid
    }

    private mutating func append(_ index: Int, of nodes: [AttributeNode], in source: borrowing Span<UInt8>) {
        let node = nodes[index]
        switch node.kind {
        case .empty:
            put("{}")
        case .string:
            put("{\"stringValue\":")
            quote(node.content, in: source)
            put("}")
        case .bool:
            put(node.boolValue ? "{\"boolValue\":true}" : "{\"boolValue\":false}")
        case .int:
            put("{\"intValue\":\"\(node.intValue)\"}")
        case .double:
            put("{\"doubleValue\":\(Self.text(of: node.doubleValue))}")
        case .bytes:
            put("{\"bytesValue\":\"")
            appendBase64(node.content, in: source)
            put("\"}")
        case .array:
            put("{\"arrayValue\":{\"values\":[")
            appendElements(of: index, nodes, in: source, areKeyed: false)
            put("]}}")
        case .keyValueList:
            put("{\"kvlistValue\":{\"values\":[")
            appendElements(of: index, nodes, in: source, areKeyed: true)
            put("]}}")
        }
    }

    private mutating func appendElements(
        of index: Int, _ nodes: [AttributeNode], in source: borrowing Span<UInt8>, areKeyed: Bool
    ) {
        let end = Int(nodes[index].next)
        var element = index + 1
        while element < end {
            if element > index + 1 { put(",") }
            if areKeyed {
                put("{\"key\":")
                quote(nodes[element].key, in: source)
                put(",\"value\":")
                append(element, of: nodes, in: source)
                put("}")
            } else {
                append(element, of: nodes, in: source)
            }
            element = Int(nodes[element].next)
        }
    }

    /// The shortest text that reads back as the same number; ProtoJSON writes what JSON has no number for as text.
    static func text(of number: Double) -> String {
        if number.isNaN { return "\"NaN\"" }
        if number.isInfinite { return number < 0 ? "\"-Infinity\"" : "\"Infinity\"" }
        return "\(number)"
    }

    private mutating func put(_ literal: String) {
        text.append(contentsOf: literal.utf8)
    }

    private mutating func quote(_ range: ByteRange, in source: borrowing Span<UInt8>) {
        let (repaired, wasValid) = source.text(range)
        isValid = isValid && wasValid
        put("\"")
        for byte in repaired.utf8 {
            switch byte {
            case UInt8(ascii: "\""): put("\\\"")
            case UInt8(ascii: "\\"): put("\\\\")
            case 0x0A: put("\\n")
            case 0x0D: put("\\r")
            case 0x09: put("\\t")
            case 0..<0x20:
                put(byte < 0x10 ? "\\u000" : "\\u00")
                put(String(byte, radix: 16))
            default: text.append(byte)
            }
        }
        put("\"")
    }

    private static let base64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private mutating func appendBase64(_ range: ByteRange, in source: borrowing Span<UInt8>) {
        let bytes = source.array(range)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for offset in 0..<3 {
                group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0)
            }
            for digit in 0..<4 {
                let index = Int(group >> (18 - 6 * UInt32(digit))) & 63
                text.append(digit <= count ? Self.base64[index] : UInt8(ascii: "="))
            }
        }
    }
}

// For the rare paths: copies.
extension Span<UInt8> {
    func array(_ range: ByteRange) -> [UInt8] {
        var array: [UInt8] = []
        array.reserveCapacity(Int(range.count))
        for offset in range.lowerBound..<range.upperBound { array.append(self[offset]) }
        return array
    }

    /// The text with U+FFFD for each part that is not UTF-8, and whether there was none.
    func text(_ range: ByteRange) -> (text: String, isValid: Bool) {
        let bytes = array(range)
        let text = String(decoding: bytes, as: UTF8.self)
        return (text, text.utf8.elementsEqual(bytes))
    }
}
