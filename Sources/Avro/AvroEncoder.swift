/// Writes Avro's binary encoding.
///
/// Source: Apache Avro 1.12 specification, "Binary Encoding".
public struct AvroEncoder {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func boolean(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    public mutating func long(_ number: Int64) {
        var word = UInt64(bitPattern: number << 1 ^ number >> 63)
        while word >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: word) | 0x80)
            word >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: word))
    }

    public mutating func int(_ number: Int32) { long(Int64(number)) }
    public mutating func float(_ number: Float) { littleEndian(UInt64(number.bitPattern), byteCount: 4) }
    public mutating func double(_ number: Double) { littleEndian(number.bitPattern, byteCount: 8) }

    public mutating func bytes(_ value: [UInt8]) {
        long(Int64(value.count))
        bytes.append(contentsOf: value)
    }

    public mutating func string(_ text: String) {
        long(Int64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// Bytes as they are: a fixed value, or what was encoded elsewhere.
    public mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

    /// One value; throws when it does not fit the schema.
    public mutating func value(_ value: AvroValue, as schema: AvroSchema) throws(AvroError) {
        switch (schema, value) {
        case (.logical(let schema, _), _): try self.value(value, as: schema)
        case (.union(let branches), _): try union(value, branches)
        case (.null, .null): break
        case (.boolean, .boolean(let flag)): boolean(flag)
        case (.int, .int(let number)): int(number)
        case (.long, .long(let number)): long(number)
        case (.float, .float(let number)): float(number)
        case (.double, .double(let number)): double(number)
        case (.bytes, .bytes(let value)): bytes(value)
        case (.string, .string(let text)): string(text)
        case (.fixed(_, let length), .bytes(let value)) where value.count == length: raw(value)
        case (.enumeration(_, let symbols), .enumeration(let index)) where symbols.indices.contains(index):
            long(Int64(index))
        case (.record(let record), .record(let values)) where record.fields.count == values.count:
            for (field, value) in zip(record.fields, values) { try self.value(value, as: field.schema) }
        case (.array(let array), .array(let values)):
            if !values.isEmpty { long(Int64(values.count)) }
            for value in values { try self.value(value, as: array.items) }
            long(0)
        case (.map(let schema), .map(let entries)):
            if !entries.isEmpty { long(Int64(entries.count)) }
            for entry in entries {
                string(entry.key)
                try self.value(entry.value, as: schema)
            }
            long(0)
        default: throw AvroError("value does not fit its schema")
        }
    }

    private mutating func union(_ value: AvroValue, _ branches: [AvroSchema]) throws(AvroError) {
        for (index, branch) in branches.enumerated() {
            var attempt = AvroEncoder()
            guard (try? attempt.value(value, as: branch)) != nil else { continue }
            long(Int64(index))
            raw(attempt.bytes)
            return
        }
        throw AvroError("value fits no branch of its union")
    }

    private mutating func littleEndian(_ word: UInt64, byteCount: Int) {
        for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index))) }
    }
}
