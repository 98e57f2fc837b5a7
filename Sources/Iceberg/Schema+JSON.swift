public import JSON

/// Source: Apache Iceberg table specification, "Appendix C: JSON serialization".
extension Schema {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        id = try members.optional("schema-id")?.int32() ?? 0
        fields = try FieldType.fields(members, depth: 0)
        identifierFieldIDs = []
        for id in try members.optional("identifier-field-ids")?.array() ?? [] {
            identifierFieldIDs.append(try id.int32())
        }
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "type": "struct", "schema-id": .integer(Int64(id)), "fields": .array(fields.map(\.json)),
        ]
        if !identifierFieldIDs.isEmpty {
            object["identifier-field-ids"] = .array(identifierFieldIDs.map { .integer(Int64($0)) })
        }
        return .object(object)
    }
}

extension Field {
    init(_ node: JSONNode, depth: Int) throws(JSONError) {
        let members = try node.object()
        id = try members.required("id").int32()
        name = try members.required("name").string()
        isRequired = try members.required("required").bool()
        type = try FieldType(try members.required("type"), depth: depth)
        documentation = try members.optional("doc")?.string()
    }

    var json: JSONValue {
        var object: JSONObject = [
            "id": .integer(Int64(id)), "name": .string(name), "required": .bool(isRequired), "type": type.json,
        ]
        if let documentation { object["doc"] = .string(documentation) }
        return .object(object)
    }
}

extension FieldType {
    /// Structs, lists and maps within one another.
    static let depthLimit = 32

    static func fields(_ members: JSONMembers, depth: Int) throws(JSONError) -> [Field] {
        var fields: [Field] = []
        for field in try members.required("fields").array() { fields.append(try Field(field, depth: depth)) }
        return fields
    }

    init(_ node: JSONNode, depth: Int) throws(JSONError) {
        guard depth < Self.depthLimit else {
            throw JSONError("types nested deeper than \(Self.depthLimit) levels", at: node.place)
        }
        if case .string(let name) = node.content {
            self = try FieldType(primitive: name, at: node.place)
            return
        }
        let members = try node.object()
        let kind = try members.required("type")
        switch try kind.string() {
        case "struct": self = .structure(try Self.fields(members, depth: depth + 1))
        case "list":
            self = .list(
                ListType(
                    elementID: try members.required("element-id").int32(),
                    element: try FieldType(try members.required("element"), depth: depth + 1),
                    isElementRequired: try members.required("element-required").bool()))
        case "map":
            self = .map(
                MapType(
                    keyID: try members.required("key-id").int32(),
                    key: try FieldType(try members.required("key"), depth: depth + 1),
                    valueID: try members.required("value-id").int32(),
                    value: try FieldType(try members.required("value"), depth: depth + 1),
                    isValueRequired: try members.required("value-required").bool()))
        default: throw kind.mismatch("struct, list or map")
        }
    }

    private init(primitive name: String, at place: JSONPlace) throws(JSONError) {
        if let simple = Self.simple[name] {
            self = simple
        } else if let arguments = Self.arguments(of: name, "fixed", "[", "]"), arguments.count == 1 {
            self = .fixed(length: arguments[0])
        } else if let arguments = Self.arguments(of: name, "decimal", "(", ")"), arguments.count == 2 {
            self = .decimal(precision: arguments[0], scale: arguments[1])
        } else {
            self = .unknown(name)
        }
    }

    private static let simple: [String: FieldType] = [
        "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double, "date": .date,
        "time": .time, "timestamp": .timestamp, "timestamptz": .timestampTZ, "timestamp_ns": .timestampNanoseconds,
        "timestamptz_ns": .timestampTZNanoseconds, "string": .string, "uuid": .uuid, "binary": .binary,
    ]

    /// Whole numbers between brackets after a name, as in `decimal(9, 2)`; nil when the text is something else.
    static func arguments(of text: String, _ name: String, _ open: Character, _ close: Character) -> [Int]? {
        guard text.hasPrefix(name), text.last == close else { return nil }
        let inner = text.dropFirst(name.count).dropLast()
        guard inner.first == open else { return nil }
        var numbers: [Int] = []
        for part in inner.dropFirst().split(separator: ",") {
            guard let number = Int(part.filter { $0 != " " }), number >= 0 else { return nil }
            numbers.append(number)
        }
        return numbers
    }

    var json: JSONValue {
        switch self {
        case .structure(let fields): return ["type": "struct", "fields": .array(fields.map(\.json))]
        case .list(let list):
            return [
                "type": "list", "element-id": .integer(Int64(list.elementID)), "element": list.element.json,
                "element-required": .bool(list.isElementRequired),
            ]
        case .map(let map):
            return [
                "type": "map", "key-id": .integer(Int64(map.keyID)), "key": map.key.json,
                "value-id": .integer(Int64(map.valueID)), "value": map.value.json,
                "value-required": .bool(map.isValueRequired),
            ]
        default: return .string(name)
        }
    }

    /// As the specification spells it; of structs, lists and maps the kind only.
    public var name: String {
        switch self {
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestampTZ: "timestamptz"
        case .timestampNanoseconds: "timestamp_ns"
        case .timestampTZNanoseconds: "timestamptz_ns"
        case .string: "string"
        case .uuid: "uuid"
        case .binary: "binary"
        case .fixed(let length): "fixed[\(length)]"
        case .decimal(let precision, let scale): "decimal(\(precision), \(scale))"
        case .structure: "struct"
        case .list: "list"
        case .map: "map"
        case .unknown(let name): name
        }
    }
}
