/// One value, read by the schema with which it was written.
///
/// Values of unions and logical types are those of the branch or type itself.
public indirect enum AvroValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    /// bytes and fixed.
    case bytes([UInt8])
    case string(String)
    /// In the order of the schema's fields.
    case record([AvroValue])
    /// Index of the symbol.
    case enumeration(Int)
    case array([AvroValue])
    case map([AvroMapEntry])
}

public struct AvroMapEntry: Hashable, Sendable {
    public var key: String
    public var value: AvroValue

    public init(key: String, value: AvroValue) {
        self.key = key
        self.value = value
    }
}
