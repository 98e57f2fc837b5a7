/// Reads Avro's binary encoding from front to back; never past the end, never without a limit.
///
/// Source: Apache Avro 1.12 specification, "Binary Encoding".
public struct AvroCursor {
    private let source: [UInt8]
    private var offset = 0
    /// Elements of arrays and maps that may still be read: elements can take no byte at all.
    private var elementBudget: Int

    public init(_ bytes: [UInt8], elementLimit: Int = AvroLimits().elements) {
        source = bytes
        elementBudget = elementLimit
    }

    public var isAtEnd: Bool { offset == source.count }
    var remaining: Int { source.count - offset }

    public mutating func boolean() throws(AvroError) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw error("boolean is neither 0 nor 1")
        }
    }

    /// Variable-length zig-zag, at most ten bytes.
    public mutating func long() throws(AvroError) -> Int64 {
        var word: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            guard shift < 63 || byte <= 1 else { throw error("number has more than 64 bits") }
            word |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: word >> 1) ^ -Int64(bitPattern: word & 1)
    }

    public mutating func int() throws(AvroError) -> Int32 {
        guard let number = Int32(exactly: try long()) else { throw error("number has more than 32 bits") }
        return number
    }

    public mutating func float() throws(AvroError) -> Float {
        Float(bitPattern: UInt32(truncatingIfNeeded: try littleEndian(byteCount: 4)))
    }

    public mutating func double() throws(AvroError) -> Double { Double(bitPattern: try littleEndian(byteCount: 8)) }

    public mutating func bytes() throws(AvroError) -> [UInt8] { Array(source[try take(length())]) }

    /// Steps over bytes or a string.
    public mutating func skipBytes() throws(AvroError) { _ = try take(length()) }

    public mutating func fixed(_ length: Int) throws(AvroError) -> [UInt8] { Array(source[try take(length)]) }

    public mutating func string() throws(AvroError) -> String {
        let range = try take(length())
        guard let text = String(validating: source[range], as: UTF8.self) else { throw error("string is not UTF-8") }
        return text
    }

    /// Index of the branch whose value comes next.
    public mutating func branch(of count: Int) throws(AvroError) -> Int {
        let index = try long()
        guard index >= 0, index < count else { throw error("union has no branch \(index)") }
        return Int(index)
    }

    /// Number of elements that come next in an array or map; 0 when it is over.
    public mutating func elements() throws(AvroError) -> Int {
        var count = try long()
        if count < 0 {
            guard count != .min else { throw error("array is too long") }
            count = -count
            _ = try length()
        }
        guard count <= elementBudget else { throw error("more array elements than the limit allows") }
        elementBudget -= Int(count)
        return Int(count)
    }

    public mutating func skip(_ schema: AvroSchema) throws(AvroError) {
        switch schema {
        case .null: break
        case .boolean: _ = try boolean()
        case .int, .long, .enumeration: _ = try long()
        case .float: _ = try take(4)
        case .double: _ = try take(8)
        case .bytes, .string: try skipBytes()
        case .fixed(_, let length): _ = try take(length)
        case .record(let record): for field in record.fields { try skip(field.schema) }
        case .array(let array): try forEachElement { (cursor) throws(AvroError) in try cursor.skip(array.items) }
        case .map(let values):
            try forEachElement { (cursor) throws(AvroError) in
                try cursor.skip(.string)
                try cursor.skip(values)
            }
        case .union(let branches): try skip(branches[try branch(of: branches.count)])
        case .logical(let schema, _): try skip(schema)
        }
    }

    /// The next value; recursion is bounded by the schema's depth.
    public mutating func value(_ schema: AvroSchema) throws(AvroError) -> AvroValue {
        switch schema {
        case .null: return .null
        case .boolean: return .boolean(try boolean())
        case .int: return .int(try int())
        case .long: return .long(try long())
        case .float: return .float(try float())
        case .double: return .double(try double())
        case .bytes: return .bytes(try bytes())
        case .string: return .string(try string())
        case .fixed(_, let length): return .bytes(try fixed(length))
        case .enumeration(_, let symbols): return .enumeration(try branch(of: symbols.count))
        case .record(let record):
            var values: [AvroValue] = []
            for field in record.fields { values.append(try value(field.schema)) }
            return .record(values)
        case .array(let array):
            var values: [AvroValue] = []
            try forEachElement { (cursor) throws(AvroError) in values.append(try cursor.value(array.items)) }
            return .array(values)
        case .map(let schema):
            var entries: [AvroMapEntry] = []
            try forEachElement { (cursor) throws(AvroError) in
                let key = try cursor.string()
                entries.append(AvroMapEntry(key: key, value: try cursor.value(schema)))
            }
            return .map(entries)
        case .union(let branches): return try value(branches[try branch(of: branches.count)])
        case .logical(let schema, _): return try value(schema)
        }
    }

    /// Calls `body` once for each element of the array or map that comes next.
    public mutating func forEachElement(
        _ body: (inout AvroCursor) throws(AvroError) -> Void
    ) throws(AvroError) {
        while true {
            let count = try elements()
            if count == 0 { return }
            for _ in 0..<count { try body(&self) }
        }
    }

    private mutating func byte() throws(AvroError) -> UInt8 {
        guard offset < source.count else { throw error("data ends too early") }
        offset += 1
        return source[offset - 1]
    }

    private mutating func littleEndian(byteCount: Int) throws(AvroError) -> UInt64 {
        var word: UInt64 = 0
        for (index, byte) in source[try take(byteCount)].enumerated() { word |= UInt64(byte) << UInt64(8 * index) }
        return word
    }

    private mutating func length() throws(AvroError) -> Int {
        let length = try long()
        guard length >= 0, length <= Int64(remaining) else { throw error("length \(length) is past the end") }
        return Int(length)
    }

    mutating func take(_ length: Int) throws(AvroError) -> Range<Int> {
        guard length <= remaining else { throw error("data ends too early") }
        offset += length
        return offset - length..<offset
    }

    func error(_ message: String) -> AvroError { AvroError("\(message), at byte \(offset)") }
}
