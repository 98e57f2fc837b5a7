internal import JSON
internal import ProtobufWriter

/// Walks one JSON value beside the message that it is read as.
struct MessageReading {
    var zeroIDs: TracesJSON.ZeroIDs?

    /// Reads an object; its fields are appended in the order of its members.
    func message(
        _ type: MessageType, _ reader: inout JSONReader, _ writer: inout MessageWriter
    ) throws(JSONError) {
        let fields = type.fields
        var seen: UInt32 = 0
        guard try reader.peek() == .object else { throw Self.expected("an object", &reader) }
        try reader.beginObject()
        if let zeroIDs, type == .span {
            // The last occurrence of a field counts: the span's own ids, if it has them, overrule these.
            writer.bytes(1, zeroIDs.traceID)
            writer.bytes(2, zeroIDs.spanID)
        }
        while let member = try reader.nextMember() {
            guard let field = fields[member.key] else {
                try reader.skip()
                continue
            }
            let isNull = try reader.peek() == .null
            // A member of a choice that is null chooses nothing.
            let bit: UInt32 = type.isChoice ? (isNull ? 0 : 1) : 1 << field.number
            guard seen & bit == 0 else {
                let message = type.isChoice ? "a value has one type, and this is a second" : "appears twice"
                throw JSONError("member \"\(member.key)\": \(message)", at: member.place)
            }
            seen |= bit
            try self.field(field, isAlwaysWritten: type.isChoice, &reader, &writer)
        }
    }

    /// Reads the value of a field: nothing when it is null, one value, or an array of them.
    func field(
        _ field: Field, isAlwaysWritten: Bool = false, _ reader: inout JSONReader, _ writer: inout MessageWriter
    ) throws(JSONError) {
        guard try reader.peek() != .null else {
            try reader.null()
            return
        }
        guard field.isRepeated else {
            try value(field, isAlwaysWritten: isAlwaysWritten, &reader, &writer)
            return
        }
        guard try reader.peek() == .array else { throw Self.expected("an array", &reader) }
        try reader.beginArray()
        while try reader.nextElement() {
            if case .message(.anyValue) = field.form, try reader.peek() == .null {
                // A list of values may hold the value that is none.
                try reader.null()
                writer.bytes(field.number, [])
                continue
            }
            try value(field, isAlwaysWritten: true, &reader, &writer)
        }
    }

    private func value(
        _ field: Field, isAlwaysWritten: Bool, _ reader: inout JSONReader, _ writer: inout MessageWriter
    ) throws(JSONError) {
        let number = field.number
        switch field.form {
        case .string:
            guard try reader.peek() == .string else { throw Self.expected("a string", &reader) }
            let text = try reader.string()
            if isAlwaysWritten || !text.isEmpty { writer.string(number, text) }
        case .hexadecimal:
            let bytes = try ScalarReading.hexadecimal(&reader)
            if zeroIDs != nil, bytes.allSatisfy({ $0 == 0 }) { return }
            if isAlwaysWritten || !bytes.isEmpty { writer.bytes(number, bytes) }
        case .base64:
            let bytes = try ScalarReading.base64(&reader)
            if isAlwaysWritten || !bytes.isEmpty { writer.bytes(number, bytes) }
        case .bool:
            guard try reader.peek() == .bool else { throw Self.expected("true or false", &reader) }
            let flag = try reader.bool()
            if isAlwaysWritten || flag { writer.bool(number, flag) }
        case .double:
            let double = try ScalarReading.double(&reader)
            if isAlwaysWritten || double.bitPattern != 0 { writer.double(number, double) }
        case .int64:
            let whole = try ScalarReading.integer(&reader, of: Int64.self)
            if isAlwaysWritten || whole != 0 { writer.int(number, whole) }
        case .uint32:
            let whole = try ScalarReading.integer(&reader, of: UInt32.self)
            if isAlwaysWritten || whole != 0 { writer.varint(number, UInt64(whole)) }
        case .fixed32:
            let whole = try ScalarReading.integer(&reader, of: UInt32.self)
            if isAlwaysWritten || whole != 0 { writer.fixed32(number, whole) }
        case .fixed64:
            let whole = try ScalarReading.integer(&reader, of: UInt64.self)
            if isAlwaysWritten || whole != 0 { writer.fixed64(number, whole) }
        case .enumeration(let names):
            let code = try ScalarReading.enumeration(&reader, names: names)
            if isAlwaysWritten || code != 0 { writer.int(number, Int64(code)) }
        case .message(let type):
            let start = writer.beginMessage(number)
            try message(type, &reader, &writer)
            writer.endMessage(start)
        }
    }

    static func expected(_ what: String, _ reader: inout JSONReader) -> JSONError {
        let place = reader.place
        let found =
            switch try? reader.peek() {
            case .null: "null"
            case .bool: "true or false"
            case .number: "a number"
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            case nil: "no value"
            }
        return JSONError("expected \(what), found \(found)", at: place)
    }
}
