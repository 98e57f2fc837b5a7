/// The type of a column or of a part of one.
///
/// Source: Apache Iceberg table specification, "Schemas and Data Types".
public indirect enum FieldType: Hashable, Sendable {
    case boolean
    /// 32 bits.
    case int
    /// 64 bits.
    case long
    case float
    case double
    /// Days since 1970.
    case date
    /// Microseconds since midnight.
    case time
    /// Microseconds since 1970, no time zone.
    case timestamp
    /// Microseconds since 1970, UTC.
    case timestampTZ
    /// Nanoseconds since 1970 (format version 3).
    case timestampNanoseconds
    case timestampTZNanoseconds
    case string
    case uuid
    case binary
    case fixed(length: Int)
    case decimal(precision: Int, scale: Int)
    case structure([Field])
    case list(ListType)
    case map(MapType)
    /// A primitive type that this program does not know; its columns are left alone.
    case unknown(String)
}

/// A named column, or a named member of a struct.
public struct Field: Hashable, Sendable {
    /// Unique in the table for ever.
    public var id: Int32
    public var name: String
    public var type: FieldType
    public var isRequired: Bool
    public var documentation: String?

    public init(id: Int32, name: String, type: FieldType, isRequired: Bool = false, documentation: String? = nil) {
        self.id = id
        self.name = name
        self.type = type
        self.isRequired = isRequired
        self.documentation = documentation
    }
}

public struct ListType: Hashable, Sendable {
    public var elementID: Int32
    public var element: FieldType
    public var isElementRequired: Bool

    public init(elementID: Int32, element: FieldType, isElementRequired: Bool = false) {
        self.elementID = elementID
        self.element = element
        self.isElementRequired = isElementRequired
    }
}

public struct MapType: Hashable, Sendable {
    public var keyID: Int32
    public var key: FieldType
    public var valueID: Int32
    public var value: FieldType
    public var isValueRequired: Bool

    public init(keyID: Int32, key: FieldType, valueID: Int32, value: FieldType, isValueRequired: Bool = false) {
        self.keyID = keyID
        self.key = key
        self.valueID = valueID
        self.value = value
        self.isValueRequired = isValueRequired
    }
}

/// The columns of a table at some time in its life.
public struct Schema: Hashable, Sendable {
    public var id: Int32
    public var fields: [Field]
    public var identifierFieldIDs: [Int32]

    public init(id: Int32 = 0, fields: [Field], identifierFieldIDs: [Int32] = []) {
        self.id = id
        self.fields = fields
        self.identifierFieldIDs = identifierFieldIDs
    }

    /// The top-level column of this name; nil when there is none.
    public func field(named name: String) -> Field? { fields.first { $0.name == name } }

    /// A column or a member of a struct within structs; nil for ids inside lists and maps, and for unknown ones.
    public func field(id: Int32) -> Field? { Self.find(id, in: fields) }

    private static func find(_ id: Int32, in fields: [Field]) -> Field? {
        for field in fields {
            if field.id == id { return field }
            if case .structure(let members) = field.type, let found = find(id, in: members) { return found }
        }
        return nil
    }

    /// The largest id of any field, elements, keys and values included; 0 when there is none.
    public var highestFieldID: Int32 { Self.highestID(in: fields) }

    private static func highestID(in fields: [Field]) -> Int32 {
        fields.reduce(0) { max($0, $1.id, highestID(in: $1.type)) }
    }

    private static func highestID(in type: FieldType) -> Int32 {
        switch type {
        case .structure(let members): highestID(in: members)
        case .list(let list): max(list.elementID, highestID(in: list.element))
        case .map(let map): max(map.keyID, map.valueID, highestID(in: map.key), highestID(in: map.value))
        default: 0
        }
    }
}
