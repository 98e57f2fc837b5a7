import TraceGenerator
import TraceModel

/// A decoder as simple as can be, without a thought for speed: the oracle of the scan.
///
/// Any malformed byte makes it throw; where and why is not its matter.
struct NaiveDecoder {
    struct Malformed: Error {}

    struct Field {
        var number: Int
        var wireType: Int
        var number64: UInt64 = 0
        var body: [UInt8] = []
    }

    struct Span: Equatable {
        var traceID: [UInt8] = []
        var spanID: [UInt8] = []
        var parentSpanID: [UInt8] = []
        var start: UInt64 = 0
        var end: UInt64 = 0
        var kind: UInt32 = 0
        var statusCode: UInt32 = 0
        var flags: UInt32 = 0
        /// The pieces of the resource, one after the other.
        var resource: [UInt8] = []
        var scope: [UInt8] = []
        var resourceSchemaURL: [UInt8] = []
        var scopeSchemaURL: [UInt8] = []
        var index = 0

        var isUsable: Bool {
            traceID.count == 16 && spanID.count == 8 && (parentSpanID.isEmpty || parentSpanID.count == 8)
                && traceID.contains { $0 != 0 } && spanID.contains { $0 != 0 }
        }
    }

    let depthLimit: Int
    private var spanCount = 0

    init(depthLimit: Int = 64) {
        self.depthLimit = depthLimit
    }

    // MARK: Fields

    func fields(_ bytes: [UInt8]) throws -> [Field] {
        var rest = bytes[...]
        var fields: [Field] = []
        while !rest.isEmpty { fields.append(try field(&rest, depth: 0)) }
        return fields
    }

    private func varint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        for position in 0..<10 {
            guard let byte = rest.popFirst() else { throw Malformed() }
            if position == 9, byte > 1 { throw Malformed() }
            value |= UInt64(byte % 128) << UInt64(7 * position)
            if byte < 128 { return value }
        }
        throw Malformed()
    }

    private func take(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) throws -> [UInt8] {
        guard count <= UInt64(rest.count) else { throw Malformed() }
        let taken = Array(rest.prefix(Int(count)))
        rest = rest.dropFirst(Int(count))
        return taken
    }

    private func field(_ rest: inout ArraySlice<UInt8>, depth: Int) throws -> Field {
        let tag = try varint(&rest)
        guard tag >= 8, tag < 1 << 32 else { throw Malformed() }
        var field = Field(number: Int(tag / 8), wireType: Int(tag % 8))
        switch field.wireType {
        case 0: field.number64 = try varint(&rest)
        case 1, 5:
            let bytes = try take(field.wireType == 1 ? 8 : 4, &rest)
            field.number64 = bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        case 2: field.body = try take(try varint(&rest), &rest)
        case 3:
            guard depth < depthLimit else { throw Malformed() }
            while true {
                let inner = try self.field(&rest, depth: depth + 1)
                guard inner.wireType == 4 else { continue }
                guard inner.number == field.number else { throw Malformed() }
                break
            }
        case 4 where depth > 0: break
        default: throw Malformed()
        }
        return field
    }

    private func expect(_ field: Field, _ wireType: Int) throws {
        guard field.wireType == wireType else { throw Malformed() }
    }

    // MARK: Messages

    mutating func request(_ bytes: [UInt8]) throws -> [Span] {
        spanCount = 0
        var spans: [Span] = []
        for field in try fields(bytes) where field.number == 1 {
            try expect(field, 2)
            spans += try resourceSpans(field.body)
        }
        return spans
    }

    private mutating func resourceSpans(_ bytes: [UInt8]) throws -> [Span] {
        var spans: [Span] = []
        var resource: [UInt8] = []
        var schemaURL: [UInt8] = []
        for field in try fields(bytes) where (1...3).contains(field.number) {
            try expect(field, 2)
            switch field.number {
            case 1:
                try check(field.body, [1: "A", 2: "v"])
                resource += field.body
            case 2: spans += try scopeSpans(field.body)
            default: schemaURL = field.body
            }
        }
        for index in spans.indices {
            spans[index].resource = resource
            spans[index].resourceSchemaURL = schemaURL
        }
        return spans
    }

    private mutating func scopeSpans(_ bytes: [UInt8]) throws -> [Span] {
        var spans: [Span] = []
        var scope: [UInt8] = []
        var schemaURL: [UInt8] = []
        for field in try fields(bytes) where (1...3).contains(field.number) {
            try expect(field, 2)
            switch field.number {
            case 1:
                try check(field.body, [1: "b", 2: "b", 3: "A", 4: "v"])
                scope += field.body
            case 2: spans.append(try span(field.body))
            default: schemaURL = field.body
            }
        }
        for index in spans.indices {
            spans[index].scope = scope
            spans[index].scopeSchemaURL = schemaURL
        }
        return spans
    }

    private mutating func span(_ bytes: [UInt8]) throws -> Span {
        try check(
            bytes,
            [
                1: "b", 2: "b", 3: "b", 4: "b", 5: "b", 6: "v", 7: "d", 8: "d", 9: "A", 10: "v",
                11: "E", 12: "v", 13: "L", 14: "v", 15: "S", 16: "f",
            ])
        var span = Span()
        span.index = spanCount
        spanCount += 1
        for field in try fields(bytes) {
            switch field.number {
            case 1: span.traceID = field.body
            case 2: span.spanID = field.body
            case 4: span.parentSpanID = field.body
            case 6: span.kind = UInt32(truncatingIfNeeded: field.number64)
            case 7: span.start = field.number64
            case 8: span.end = field.number64
            case 15:
                for inner in try fields(field.body) where inner.number == 3 {
                    span.statusCode = UInt32(truncatingIfNeeded: inner.number64)
                }
            case 16: span.flags = UInt32(truncatingIfNeeded: field.number64)
            default: break
            }
        }
        return span
    }

    /// Checks known fields against their kinds: v varint, d fixed64, f fixed32, b bytes or text,
    /// A attribute, E event, L link, S status.
    private func check(_ bytes: [UInt8], _ kinds: [Int: Character]) throws {
        for field in try fields(bytes) {
            switch kinds[field.number] {
            case "v": try expect(field, 0)
            case "d": try expect(field, 1)
            case "f": try expect(field, 5)
            case nil: continue
            default: try expect(field, 2)
            }
            switch kinds[field.number] {
            case "A": try attribute(field.body, depth: 1)
            case "E": try check(field.body, [1: "d", 2: "b", 3: "A", 4: "v"])
            case "L": try check(field.body, [1: "b", 2: "b", 3: "b", 4: "A", 5: "v", 6: "f"])
            case "S": try check(field.body, [2: "b", 3: "v"])
            default: break
            }
        }
    }

    private func attribute(_ bytes: [UInt8], depth: Int) throws {
        for field in try fields(bytes) where field.number == 1 || field.number == 2 {
            try expect(field, 2)
            if field.number == 2 { try value(field.body, depth: depth) }
        }
    }

    private func value(_ bytes: [UInt8], depth: Int) throws {
        try check(bytes, [1: "b", 2: "v", 3: "v", 4: "d", 5: "b", 6: "b", 7: "b"])
        for field in try fields(bytes) where field.number == 5 || field.number == 6 {
            guard depth < depthLimit else { throw Malformed() }
            for element in try fields(field.body) where element.number == 1 {
                try expect(element, 2)
                if field.number == 5 {
                    try value(element.body, depth: depth + 1)
                } else {
                    try attribute(element.body, depth: depth + 1)
                }
            }
        }
    }
}
