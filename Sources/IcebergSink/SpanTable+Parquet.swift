import Iceberg
import Parquet

// The table's columns as Parquet columns: names and types from the declaration, ids from the table.
extension SpanTable {
    /// The columns this program writes, in its own order, with the ids that the table gives them.
    static func parquetColumns(for table: Schema) throws(SpanTableError) -> [ParquetField] {
        try parquetFields(schema.fields, ids: table.fields, path: "", isRepeated: false)
    }

    private static func parquetFields(
        _ ours: [Field], ids theirs: [Field], path: String, isRepeated: Bool
    ) throws(SpanTableError) -> [ParquetField] {
        var fields: [ParquetField] = []
        for field in ours {
            guard let bound = theirs.first(where: { $0.name == field.name }) else {
                throw SpanTableError(message: "the table has no column \(path)\(field.name)")
            }
            let name = path + field.name
            fields.append(
                ParquetField(
                    field.name, try parquetType(field.type, ids: bound.type, path: name),
                    fieldID: bound.id, isRequired: field.isRequired,
                    storage: isRepeated ? storage(ofNested: field) : storage(of: field)))
        }
        return fields
    }

    private static func parquetType(
        _ ours: FieldType, ids theirs: FieldType, path: String
    ) throws(SpanTableError) -> ParquetType {
        switch (ours, theirs) {
        case (.list(let list), .list(let bound)):
            let element = try parquetType(list.element, ids: bound.element, path: path)
            return .list(
                element: ParquetField(
                    "element", element, fieldID: bound.elementID, isRequired: list.isElementRequired))
        case (.map(let map), .map(let bound)):
            let key = ParquetField(
                "key", .text, fieldID: bound.keyID, isRequired: true, storage: .dictionary)
            let value = ParquetField(
                "value", try parquetType(map.value, ids: bound.value, path: path), fieldID: bound.valueID,
                isRequired: map.isValueRequired)
            return .map(key: key, value: value)
        case (.structure(let members), .structure(let bound)):
            return .structure(try parquetFields(members, ids: bound, path: path + ".", isRepeated: true))
        default:
            guard let primitive = primitive(ours), ours == theirs else {
                throw SpanTableError(message: "column \(path) of the table is \(theirs), not \(ours)")
            }
            return primitive
        }
    }

    private static func primitive(_ type: FieldType) -> ParquetType? {
        switch type {
        case .boolean: .bool
        case .int: .int32
        case .long: .int64
        case .double: .double
        case .timestampTZ: .timestamp
        case .string: .text
        case .binary: .bytes
        default: nil
        }
    }

    /// Columns whose values are all different: a dictionary would only be thrown away again.
    private static let distinct: Set<String> = ["span_id", "parent_span_id"]

    /// Top-level columns have bounds, for the manifest and for the pruning of row groups.
    private static func storage(of field: Field) -> ParquetStorage {
        switch field.type {
        case .int, .long, .timestampTZ: [.delta, .statistics]
        case .binary: []
        case .string where field.name == "trace_id": [.dictionary, .statistics, .bloom]
        case .string where distinct.contains(field.name): .statistics
        case .list, .map, .structure: []
        default: [.dictionary, .statistics]
        }
    }

    private static func storage(ofNested field: Field) -> ParquetStorage {
        switch field.type {
        case .string where field.name.hasSuffix("_id"): []
        case .string: .dictionary
        case .long: .delta
        default: []
        }
    }
}
