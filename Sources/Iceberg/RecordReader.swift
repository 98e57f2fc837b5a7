internal import Avro

/// Reads the fields of Avro records by Iceberg's field ids, whatever order and optionality the writer chose.
struct RecordReader {
    let record: AvroRecord

    init(_ schema: AvroSchema, _ what: String) throws(AvroError) {
        guard case .record(let record) = schema.physical else { throw AvroError("\(what) is not a record") }
        self.record = record
    }

    /// The record that the field with this id holds, optional or not.
    func inner(_ id: Int32, _ what: String) throws(AvroError) -> RecordReader {
        guard let field = record.fields.first(where: { $0.id == id }) else { throw AvroError("\(what) is missing") }
        return try RecordReader(field.schema.required, what)
    }

    /// Calls `body` for each field that has an id and is not null; it returns whether it has read the value.
    func read(
        _ cursor: inout AvroCursor,
        _ body: (inout AvroCursor, Int32, AvroSchema) throws(AvroError) -> Bool
    ) throws(AvroError) {
        for field in record.fields {
            guard let schema = try cursor.present(field.schema) else { continue }
            guard let id = field.id, try body(&cursor, id, schema) else {
                try cursor.skip(schema)
                continue
            }
        }
    }
}

extension AvroSchema {
    /// The branch beside null of an optional type, without its logical type.
    var required: AvroSchema {
        guard case .union(let branches) = physical, let branch = branches.first(where: { $0 != .null }) else {
            return physical
        }
        return branch.physical
    }
}

extension AvroCursor {
    /// The type of the value that comes next, nil when it is null; stands before the value afterwards.
    mutating func present(_ schema: AvroSchema) throws(AvroError) -> AvroSchema? {
        var schema = schema.physical
        if case .union(let branches) = schema { schema = branches[try branch(of: branches.count)].physical }
        return schema == .null ? nil : schema
    }

    /// int or long.
    mutating func whole(_ schema: AvroSchema) throws(AvroError) -> Int64 {
        guard schema == .int || schema == .long else { throw AvroError("expected a whole number") }
        return try long()
    }

    mutating func whole32(_ schema: AvroSchema) throws(AvroError) -> Int32 {
        guard let small = Int32(exactly: try whole(schema)) else { throw AvroError("number has more than 32 bits") }
        return small
    }

    mutating func text(_ schema: AvroSchema) throws(AvroError) -> String {
        guard schema == .string else { throw AvroError("expected a string") }
        return try string()
    }

    mutating func binary(_ schema: AvroSchema) throws(AvroError) -> [UInt8] {
        switch schema {
        case .bytes: return try bytes()
        case .fixed(_, let length): return try fixed(length)
        default: throw AvroError("expected bytes")
        }
    }

    mutating func literal(_ schema: AvroSchema) throws(AvroError) -> Literal {
        switch schema {
        case .boolean: return .boolean(try boolean())
        case .int: return .int(try int())
        case .long: return .long(try long())
        case .float: return .float(try float())
        case .double: return .double(try double())
        case .string: return .string(try string())
        case .bytes, .fixed: return .bytes(try binary(schema))
        default: throw AvroError("partition value of a type that is not primitive")
        }
    }

    /// Numbers of a list.
    mutating func wholes(_ schema: AvroSchema) throws(AvroError) -> [Int64] {
        guard case .array(let array) = schema else { throw AvroError("expected a list") }
        var numbers: [Int64] = []
        try forEachElement { (cursor) throws(AvroError) in
            guard let item = try cursor.present(array.items) else { return }
            numbers.append(try cursor.whole(item))
        }
        return numbers
    }

    /// A map from column ids, which Avro has as a list of records of key and value.
    ///
    /// - Parameter wanted: Columns to keep; nil keeps all.
    mutating func byColumn<Value>(
        _ schema: AvroSchema, wanted: Set<Int32>?,
        _ read: (inout AvroCursor, AvroSchema) throws(AvroError) -> Value
    ) throws(AvroError) -> [Int32: Value] {
        guard case .array(let array) = schema, case .record(let entry) = array.items.required,
            entry.fields.count == 2
        else { throw AvroError("expected a map from column ids") }
        let key = entry.fields[0].schema.physical
        let value = entry.fields[1].schema.physical
        var values: [Int32: Value] = [:]
        // What every writer is seen to write, and most of a manifest: 46 columns are 276 entries for each file.
        if case .record = array.items.physical, key == .int, value == .long || value == .bytes {
            let isBytes = value == .bytes
            try forEachElement { (cursor) throws(AvroError) in
                let column = try cursor.int()
                if wanted?.contains(column) ?? true {
                    values[column] = try read(&cursor, value)
                } else if isBytes {
                    try cursor.skipBytes()
                } else {
                    _ = try cursor.long()
                }
            }
            return values
        }
        try forEachElement { (cursor) throws(AvroError) in
            guard try cursor.present(array.items) != nil else { return }
            guard let keySchema = try cursor.present(key) else { throw AvroError("column id is null") }
            let column = try cursor.whole32(keySchema)
            guard let valueSchema = try cursor.present(value) else { return }
            if wanted?.contains(column) ?? true {
                values[column] = try read(&cursor, valueSchema)
            } else {
                try cursor.skip(valueSchema)
            }
        }
        return values
    }
}
