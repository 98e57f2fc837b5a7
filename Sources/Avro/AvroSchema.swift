public import JSON

/// The schema of Avro data.
///
/// Named types are resolved where they are used; a type that contains itself is refused (no file of Iceberg has one).
///
/// Source: Apache Avro 1.12 specification, "Schema Declaration"; Iceberg's `field-id`, `element-id`,
/// "Appendix A: Avro".
public indirect enum AvroSchema: Hashable, Sendable {
    case null
    case boolean
    case int
    case long
    case float
    case double
    case bytes
    case string
    case record(AvroRecord)
    case enumeration(name: String, symbols: [String])
    case array(AvroArray)
    case map(values: AvroSchema)
    case union([AvroSchema])
    case fixed(name: String, length: Int)
    /// A type with Avro's `logicalType`, for writing; the reader sees through it.
    case logical(AvroSchema, type: String)

    /// The schema of a value that may be null, null first.
    public static func optional(_ schema: AvroSchema) -> AvroSchema { .union([.null, schema]) }
}

public struct AvroRecord: Hashable, Sendable {
    public var name: String
    public var fields: [AvroField]

    public init(name: String, fields: [AvroField]) {
        self.name = name
        self.fields = fields
    }
}

public struct AvroField: Hashable, Sendable {
    public var name: String
    public var schema: AvroSchema
    /// Iceberg's id of the field.
    public var id: Int32?

    public init(_ name: String, _ schema: AvroSchema, id: Int32? = nil) {
        self.name = name
        self.schema = schema
        self.id = id
    }
}

public struct AvroArray: Hashable, Sendable {
    public var items: AvroSchema
    /// Iceberg's id of the elements.
    public var elementID: Int32?
    /// Whether it holds the entries of a map as records of key and value (Iceberg, maps with keys that are no strings).
    public var isMap: Bool

    public init(items: AvroSchema, elementID: Int32? = nil, isMap: Bool = false) {
        self.items = items
        self.elementID = elementID
        self.isMap = isMap
    }
}

extension AvroSchema {
    /// Types within one another; JSON allows two levels of text for each.
    static let depthLimit = 32
    /// Types in one schema: a named type that is used often is counted each time.
    static let nodeLimit = 10_000

    /// Reads a schema from its JSON.
    public init(json: [UInt8]) throws(AvroError) {
        let node: JSONNode
        do {
            node = try JSONNode(parsing: json, limits: JSONLimits(bytes: 4 << 20, depth: 128, nodes: 100_000))
        } catch {
            throw AvroError("schema: \(error)")
        }
        self = try AvroSchema(node)
    }

    public init(_ node: JSONNode) throws(AvroError) {
        var parser = SchemaParser()
        do {
            self = try parser.schema(node, namespace: "", depth: 0)
        } catch {
            throw AvroError("schema: \(error)")
        }
    }

    /// Without the logical types around it.
    public var physical: AvroSchema {
        if case .logical(let schema, _) = self { schema.physical } else { self }
    }

    /// The JSON of the schema: each named type in full at its first use, later by name.
    public var json: JSONValue {
        var names: Set<String> = []
        return json(&names)
    }

    private func json(_ names: inout Set<String>) -> JSONValue {
        switch self {
        case .null: return "null"
        case .boolean: return "boolean"
        case .int: return "int"
        case .long: return "long"
        case .float: return "float"
        case .double: return "double"
        case .bytes: return "bytes"
        case .string: return "string"
        case .record(let record):
            guard names.insert(record.name).inserted else { return .string(record.name) }
            return [
                "type": "record", "name": .string(record.name),
                "fields": .array(record.fields.map { Self.json($0, &names) }),
            ]
        case .enumeration(let name, let symbols):
            guard names.insert(name).inserted else { return .string(name) }
            return ["type": "enum", "name": .string(name), "symbols": .array(symbols.map { .string($0) })]
        case .array(let array):
            var object: JSONObject = ["type": "array", "items": array.items.json(&names)]
            if let id = array.elementID { object["element-id"] = .integer(Int64(id)) }
            if array.isMap { object["logicalType"] = "map" }
            return .object(object)
        case .map(let values): return ["type": "map", "values": values.json(&names)]
        case .union(let branches): return .array(branches.map { $0.json(&names) })
        case .fixed(let name, let length):
            guard names.insert(name).inserted else { return .string(name) }
            return ["type": "fixed", "name": .string(name), "size": .integer(Int64(length))]
        case .logical(let schema, let type):
            var object = schema.json(&names).object ?? ["type": schema.json(&names)]
            object["logicalType"] = .string(type)
            return .object(object)
        }
    }

    private static func json(_ field: AvroField, _ names: inout Set<String>) -> JSONValue {
        var object: JSONObject = ["name": .string(field.name), "type": field.schema.json(&names)]
        if case .union(let branches) = field.schema, branches.first == .null { object["default"] = .null }
        if let id = field.id { object["field-id"] = .integer(Int64(id)) }
        return .object(object)
    }
}

/// Reads schemas, remembering the named types.
private struct SchemaParser {
    private var named: [String: AvroSchema] = [:]
    private var open: Set<String> = []
    private var nodes = 0

    mutating func schema(_ node: JSONNode, namespace: String, depth: Int) throws(JSONError) -> AvroSchema {
        guard depth < AvroSchema.depthLimit else {
            throw JSONError("types nested deeper than \(AvroSchema.depthLimit) levels", at: node.place)
        }
        try charge(1, at: node.place)
        switch node.content {
        case .string(let name): return try type(named: name, namespace: namespace, at: node.place)
        case .array(let branches):
            var schemas: [AvroSchema] = []
            for branch in branches { schemas.append(try schema(branch, namespace: namespace, depth: depth + 1)) }
            guard !schemas.isEmpty else { throw JSONError("union without types", at: node.place) }
            return .union(schemas)
        case .object(let members): return try complex(members, namespace: namespace, depth: depth)
        default: throw node.mismatch("a type")
        }
    }

    private mutating func charge(_ count: Int, at place: JSONPlace) throws(JSONError) {
        nodes += count
        guard nodes <= AvroSchema.nodeLimit else {
            throw JSONError("more than \(AvroSchema.nodeLimit) types", at: place)
        }
    }

    private mutating func type(
        named name: String, namespace: String, at place: JSONPlace
    ) throws(JSONError) -> AvroSchema {
        switch name {
        case "null": return .null
        case "boolean": return .boolean
        case "int": return .int
        case "long": return .long
        case "float": return .float
        case "double": return .double
        case "bytes": return .bytes
        case "string": return .string
        default: break
        }
        let full = name.contains(".") || namespace.isEmpty ? name : namespace + "." + name
        guard !open.contains(full) else { throw JSONError("type \(full) contains itself", at: place) }
        guard let schema = named[full] ?? named[name] else { throw JSONError("unknown type \(name)", at: place) }
        try charge(schema.nodeCount, at: place)
        return schema
    }

    private mutating func complex(
        _ members: JSONMembers, namespace: String, depth: Int
    ) throws(JSONError) -> AvroSchema {
        let typeNode = try members.required("type")
        guard case .string(let type) = typeNode.content else {
            // {"type": {...}}: a type in one more pair of braces.
            return try logical(schema(typeNode, namespace: namespace, depth: depth + 1), members)
        }
        switch type {
        case "record", "error":
            return try record(members, namespace: namespace, depth: depth)
        case "enum":
            var symbols: [String] = []
            for symbol in try members.required("symbols").array() { symbols.append(try symbol.string()) }
            let name = try fullName(members, namespace: namespace)
            return try define(name, .enumeration(name: name, symbols: symbols), at: members.place)
        case "fixed":
            let size = try members.required("size")
            guard let length = Int(exactly: try size.int64()), length >= 0 else { throw size.mismatch("a length") }
            let name = try fullName(members, namespace: namespace)
            return try logical(define(name, .fixed(name: name, length: length), at: members.place), members)
        case "array":
            let items = try schema(try members.required("items"), namespace: namespace, depth: depth + 1)
            let isMap = try members.optional("logicalType")?.string() == "map"
            return .array(AvroArray(items: items, elementID: try members.optional("element-id")?.int32(), isMap: isMap))
        case "map":
            return .map(values: try schema(try members.required("values"), namespace: namespace, depth: depth + 1))
        default:
            return try logical(self.type(named: type, namespace: namespace, at: typeNode.place), members)
        }
    }

    private func logical(_ schema: AvroSchema, _ members: JSONMembers) throws(JSONError) -> AvroSchema {
        guard case .string(let type)? = members.optional("logicalType")?.content else { return schema }
        return .logical(schema, type: type)
    }

    private mutating func record(
        _ members: JSONMembers, namespace: String, depth: Int
    ) throws(JSONError) -> AvroSchema {
        let name = try fullName(members, namespace: namespace)
        let inner = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? namespace
        guard open.insert(name).inserted else { throw JSONError("type \(name) is defined twice", at: members.place) }
        var fields: [AvroField] = []
        for node in try members.required("fields").array() {
            let field = try node.object()
            let schema = try schema(try field.required("type"), namespace: inner, depth: depth + 1)
            fields.append(
                AvroField(
                    try field.required("name").string(), schema, id: try field.optional("field-id")?.int32()))
        }
        open.remove(name)
        return try define(name, .record(AvroRecord(name: name, fields: fields)), at: members.place)
    }

    private func fullName(_ members: JSONMembers, namespace: String) throws(JSONError) -> String {
        let name = try members.required("name").string()
        let space = try members.optional("namespace")?.string() ?? namespace
        return name.contains(".") || space.isEmpty ? name : space + "." + name
    }

    private mutating func define(
        _ name: String, _ schema: AvroSchema, at place: JSONPlace
    ) throws(JSONError) -> AvroSchema {
        guard named.updateValue(schema, forKey: name) == nil else {
            throw JSONError("type \(name) is defined twice", at: place)
        }
        return schema
    }
}

extension AvroSchema {
    /// Types that this one consists of.
    fileprivate var nodeCount: Int {
        switch self {
        case .record(let record): record.fields.reduce(1) { $0 + $1.schema.nodeCount }
        case .array(let array): 1 + array.items.nodeCount
        case .map(let values): 1 + values.nodeCount
        case .union(let branches): branches.reduce(1) { $0 + $1.nodeCount }
        case .logical(let schema, _): 1 + schema.nodeCount
        default: 1
        }
    }
}
