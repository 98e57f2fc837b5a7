public import Iceberg

/// The table of kept spans: its columns, partitions, order and properties.
///
/// Documentation/Formats.md is the contract; the order and the names here are the ones there.
public enum SpanTable {
    /// Columns with the ids of a new table: 1 … 40 in order, then the nested ones.
    public static let schema: Schema = {
        var numbering = FieldNumbering(next: 1)
        return Schema(fields: numbering.number(declared))
    }()

    /// `day(start_time)`.
    public static let partitionSpec = partitionSpec(id: 0, for: schema)

    /// Trace id, start, then the identity of the row.
    public static let sortOrder = sortOrder(id: 1, for: schema)

    /// What engines that rewrite the table should go on doing.
    public static let properties = [
        "write.parquet.compression-codec": "zstd",
        "write.parquet.bloom-filter-enabled.column.trace_id": "true",
    ]

    /// A text for `source_index` and the like is never needed: these columns make up the identity of a row.
    public static let identityColumns = [
        "source_topic", "source_generation", "source_partition", "source_offset", "source_index",
    ]

    /// Written for a resource without the attribute `service.name`.
    ///
    /// Source: OpenTelemetry semantic conventions, "Service".
    public static let unknownService = "unknown_service"

    static func partitionSpec(id: Int32, for schema: Schema, lastFieldID: Int32 = 999) -> PartitionSpec {
        let source = schema.field(named: "start_time")?.id ?? 0
        return PartitionSpec(
            id: id,
            fields: [
                PartitionField(
                    sourceID: source, fieldID: lastFieldID + 1, name: "start_time_day", transform: .day)
            ])
    }

    static func sortOrder(id: Int32, for schema: Schema) -> SortOrder {
        let names = ["trace_id", "start_time_unix_nano"] + identityColumns
        return SortOrder(
            id: id, fields: names.compactMap { schema.field(named: $0) }.map { SortField(sourceID: $0.id) })
    }

    // MARK: - Declaration; ids are given by `FieldNumbering`

    private static let declared: [Field] =
        [
            required("trace_id", .string), required("span_id", .string), optional("parent_span_id", .string),
            optional("timestamp_ms", .long), optional("duration_ms", .long),
            optional("status_code", .int), optional("span_kind", .int),
            optional("service_name", .string), optional("operation_name", .string),
            optional("start_time", .timestampTZ),
            optional("start_time_unix_nano", .long), optional("end_time_unix_nano", .long),
            optional("status_message", .string), optional("trace_state", .string), optional("flags", .long),
            optional("attributes", attributes), optional("dropped_attributes_count", .long),
            optional("events", list(of: event)), optional("dropped_events_count", .long),
            optional("links", list(of: link)), optional("dropped_links_count", .long),
            optional("resource_attributes", attributes),
            optional("resource_dropped_attributes_count", .long), optional("resource_schema_url", .string),
            optional("scope_name", .string), optional("scope_version", .string),
            optional("scope_attributes", attributes), optional("scope_dropped_attributes_count", .long),
            optional("scope_schema_url", .string),
            optional("decision_reason", .string), optional("decision_policy", .string),
            optional("adjusted_count", .double), optional("decided_at", .timestampTZ),
            required("source_topic", .string), required("source_generation", .long),
            required("source_partition", .int), required("source_offset", .long),
            required("source_index", .int),
            optional("otlp_original", .binary), optional("otlp_original_cause", .string),
        ]

    /// At most one member is not null: the value has the type it was sent with.
    private static let value: [Field] = [
        optional("string_value", .string), optional("int_value", .long), optional("double_value", .double),
        optional("bool_value", .boolean), optional("bytes_value", .binary), optional("json_value", .string),
    ]

    private static let attributes = FieldType.map(
        MapType(keyID: 0, key: .string, valueID: 0, value: .structure(value), isValueRequired: true))

    private static let event: [Field] = [
        required("time_unix_nano", .long), required("name", .string), required("attributes", attributes),
        required("dropped_attributes_count", .long),
    ]

    private static let link: [Field] = [
        required("trace_id", .string), required("span_id", .string), optional("trace_state", .string),
        required("attributes", attributes), required("dropped_attributes_count", .long),
        required("flags", .long),
    ]

    private static func list(of members: [Field]) -> FieldType {
        .list(ListType(elementID: 0, element: .structure(members), isElementRequired: true))
    }

    private static func required(_ name: String, _ type: FieldType) -> Field {
        Field(id: 0, name: name, type: type, isRequired: true)
    }

    private static func optional(_ name: String, _ type: FieldType) -> Field {
        Field(id: 0, name: name, type: type)
    }
}

/// Gives ids to fields as Iceberg's own libraries do: all fields of a level, then what is inside of each.
struct FieldNumbering {
    var next: Int32

    mutating func number(_ fields: [Field]) -> [Field] {
        var numbered = fields
        for index in numbered.indices { numbered[index].id = take() }
        for index in numbered.indices { numbered[index].type = number(numbered[index].type) }
        return numbered
    }

    mutating func number(_ field: Field) -> Field { number([field])[0] }

    private mutating func number(_ type: FieldType) -> FieldType {
        switch type {
        case .structure(let members):
            return .structure(number(members))
        case .list(var list):
            list.elementID = take()
            list.element = number(list.element)
            return .list(list)
        case .map(var map):
            map.keyID = take()
            map.valueID = take()
            map.key = number(map.key)
            map.value = number(map.value)
            return .map(map)
        default:
            return type
        }
    }

    private mutating func take() -> Int32 {
        defer { next += 1 }
        return next
    }
}

/// A table that cannot be the one of kept spans.
public struct SpanTableError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Lower case, no full stop.
    public var message: String

    public var description: String { message }
}
