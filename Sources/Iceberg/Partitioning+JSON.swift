public import JSON

/// Source: Apache Iceberg table specification, "Appendix C: JSON serialization".
extension PartitionSpec {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        id = try members.optional("spec-id")?.int32() ?? 0
        fields = try Self.fields(try members.required("fields"))
    }

    /// The list alone, as it stands in the header of a manifest.
    static func fields(_ node: JSONNode) throws(JSONError) -> [PartitionField] {
        var fields: [PartitionField] = []
        for (index, field) in try node.array().enumerated() {
            let members = try field.object()
            fields.append(
                PartitionField(
                    sourceID: try members.required("source-id").int32(),
                    fieldID: try members.optional("field-id")?.int32() ?? 1000 + Int32(index),
                    name: try members.required("name").string(),
                    transform: Transform(text: try members.required("transform").string())))
        }
        return fields
    }

    public var json: JSONValue { ["spec-id": .integer(Int64(id)), "fields": fieldsJSON] }

    var fieldsJSON: JSONValue {
        .array(
            fields.map {
                [
                    "source-id": .integer(Int64($0.sourceID)), "field-id": .integer(Int64($0.fieldID)),
                    "transform": .string($0.transform.text), "name": .string($0.name),
                ]
            })
    }
}

extension Transform {
    init(text: String) {
        switch text {
        case "identity": self = .identity
        case "year": self = .year
        case "month": self = .month
        case "day": self = .day
        case "hour": self = .hour
        case "void": self = .void
        default:
            if let arguments = FieldType.arguments(of: text, "bucket", "[", "]"), arguments.count == 1 {
                self = .bucket(count: arguments[0])
            } else if let arguments = FieldType.arguments(of: text, "truncate", "[", "]"), arguments.count == 1 {
                self = .truncate(width: arguments[0])
            } else {
                self = .unknown(text)
            }
        }
    }

    /// As the specification spells it.
    public var text: String {
        switch self {
        case .identity: "identity"
        case .year: "year"
        case .month: "month"
        case .day: "day"
        case .hour: "hour"
        case .void: "void"
        case .bucket(let count): "bucket[\(count)]"
        case .truncate(let width): "truncate[\(width)]"
        case .unknown(let text): text
        }
    }
}

extension SortOrder {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        id = try members.required("order-id").int32()
        fields = []
        for field in try members.required("fields").array() {
            let members = try field.object()
            let direction = try members.required("direction")
            let nullOrder = try members.required("null-order")
            guard let directionValue = SortField.Direction(rawValue: try direction.string()) else {
                throw direction.mismatch("asc or desc")
            }
            guard let nullOrderValue = SortField.NullOrder(rawValue: try nullOrder.string()) else {
                throw nullOrder.mismatch("nulls-first or nulls-last")
            }
            fields.append(
                SortField(
                    sourceID: try members.required("source-id").int32(),
                    transform: Transform(text: try members.required("transform").string()),
                    direction: directionValue, nullOrder: nullOrderValue))
        }
    }

    public var json: JSONValue {
        [
            "order-id": .integer(Int64(id)),
            "fields": .array(
                fields.map {
                    [
                        "source-id": .integer(Int64($0.sourceID)), "transform": .string($0.transform.text),
                        "direction": .string($0.direction.rawValue), "null-order": .string($0.nullOrder.rawValue),
                    ]
                }),
        ]
    }
}
