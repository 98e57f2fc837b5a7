import Avro
import JSON
import Testing

@Suite struct AvroTests {
    static let sync = [UInt8](0..<16)

    @Test(arguments: [
        (Int64(0), [UInt8]([0])), (Int64(-1), [1]), (Int64(1), [2]), (Int64(-64), [0x7F]), (Int64(64), [0x80, 1]),
        (Int64.max, [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        (Int64.min, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
    ])
    func `whole numbers are zig-zag of variable length`(number: Int64, bytes: [UInt8]) throws {
        var encoder = AvroEncoder()
        encoder.long(number)
        #expect(encoder.bytes == bytes)
        var cursor = AvroCursor(bytes)
        #expect(try cursor.long() == number)
        #expect(cursor.isAtEnd)
    }

    @Test func `numbers of more than 64 or 32 bits are refused`() {
        var long = AvroCursor([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2])
        #expect(throws: AvroError.self) { try long.long() }
        var endless = AvroCursor([UInt8](repeating: 0xFF, count: 20))
        #expect(throws: AvroError.self) { try endless.long() }
        var encoder = AvroEncoder()
        encoder.long(Int64(Int32.max) + 1)
        var int = AvroCursor(encoder.bytes)
        #expect(throws: AvroError.self) { try int.int() }
    }

    @Test(arguments: [AvroCodec.null, .deflate, .zstandard])
    func `files of random schemas and values come back the same`(codec: AvroCodec) throws {
        var random = SeededRandom(seed: 4)
        for round in 0..<60 {
            var names = 0
            let schema = AvroSchema.record(Self.randomRecord(depth: 3, &names, &random))
            let values = (0..<Int.random(in: 0...30, using: &random)).map { _ in Self.randomValue(schema, &random) }
            var writer = try AvroFileWriter(schema: schema, metadata: ["a": "b"], codec: codec, sync: Self.sync)
            for value in values { try writer.append(value) }
            var reader = try AvroFileReader(writer.finish())
            #expect(reader.schema == schema, "seed 4, round \(round)")
            #expect(reader.text("a") == "b")
            #expect(try reader.values() == values, "seed 4, round \(round)")
        }
    }

    @Test func `skipping steps over exactly what reading reads`() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<300 {
            var names = 0
            let schema = AvroSchema.record(Self.randomRecord(depth: 3, &names, &random))
            var encoder = AvroEncoder()
            try encoder.value(Self.randomValue(schema, &random), as: schema)
            var cursor = AvroCursor(encoder.bytes)
            try cursor.skip(schema)
            #expect(cursor.isAtEnd)
        }
    }

    @Test func `blocks of arrays may say their size, and come in several`() throws {
        // -2 elements in 2 bytes, 1 element, end.
        var cursor = AvroCursor([3, 4, 2, 4, 2, 6, 0])
        #expect(try cursor.value(.array(AvroArray(items: .long))) == .array([.long(1), .long(2), .long(3)]))
    }

    @Test func `schemas with named types, namespaces and logical types are understood`() throws {
        let json = """
            {"type":"record","name":"outer","namespace":"x.y","fields":[
              {"name":"a","type":["null",{"type":"fixed","name":"id","size":2}],"default":null,"field-id":7},
              {"name":"b","type":"id"},
              {"name":"c","type":{"type":"int","logicalType":"date"}},
              {"name":"d","type":{"type":{"type":"array","items":"x.y.id","element-id":9}}},
              {"name":"e","type":{"type":"enum","name":"e","symbols":["P","Q"]}}]}
            """
        let schema = try AvroSchema(json: Array(json.utf8))
        guard case .record(let record) = schema else {
            Issue.record("no record")
            return
        }
        #expect(record.fields[0].id == 7)
        #expect(record.fields[1].schema == .fixed(name: "x.y.id", length: 2))
        #expect(record.fields[2].schema.physical == .int)
        #expect(record.fields[3].schema == .array(AvroArray(items: record.fields[1].schema, elementID: 9)))
        #expect(try AvroSchema(json: schema.json.bytes()) == schema)
    }

    @Test(arguments: [
        "", "1", "\"nothing\"", "[]", "{\"type\":\"record\",\"name\":\"r\"}",
        "{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"r\"}]}",
        "[{\"type\":\"fixed\",\"name\":\"f\",\"size\":1},{\"type\":\"fixed\",\"name\":\"f\",\"size\":1}]",
    ])
    func `schemas that are none are refused`(json: String) {
        #expect(throws: AvroError.self) { try AvroSchema(json: Array(json.utf8)) }
    }

    @Test func `a schema that doubles with each name is refused before it is built`() {
        var types = "{\"type\":\"fixed\",\"name\":\"t0\",\"size\":1}"
        for level in 1...40 {
            types += ",{\"type\":\"record\",\"name\":\"t\(level)\",\"fields\":["
            types += "{\"name\":\"a\",\"type\":\"t\(level - 1)\"},{\"name\":\"b\",\"type\":\"t\(level - 1)\"}]}"
        }
        #expect(throws: AvroError.self) { try AvroSchema(json: Array("[\(types)]".utf8)) }
    }

    @Test func `limits hold for blocks, files, objects and elements`() throws {
        let schema = AvroSchema.record(AvroRecord(name: "r", fields: [AvroField("a", .bytes)]))
        var writer = try AvroFileWriter(schema: schema, sync: Self.sync)
        for _ in 0..<10 { try writer.append(.record([.bytes([UInt8](repeating: 0, count: 100_000))])) }
        let file = try writer.finish()
        #expect(file.count < 50_000)
        for limits in [
            AvroLimits(blockBytes: 99_999), AvroLimits(totalBytes: 900_000), AvroLimits(objects: 9),
        ] {
            var reader = try AvroFileReader(file, limits: limits)
            #expect(throws: AvroError.self) { try reader.values() }
        }
        // An array of a thousand million nulls takes six bytes.
        var encoder = AvroEncoder()
        encoder.long(1_000_000_000)
        encoder.long(0)
        let array = AvroSchema.array(AvroArray(items: .null))
        var reading = AvroCursor(encoder.bytes)
        #expect(throws: AvroError.self) { try reading.value(array) }
        var skipping = AvroCursor(encoder.bytes)
        #expect(throws: AvroError.self) { try skipping.skip(array) }
    }

    @Test func `random changes of a file never trap`() throws {
        var random = SeededRandom(seed: 6)
        for _ in 0..<1_500 {
            var names = 0
            let schema = AvroSchema.record(Self.randomRecord(depth: 3, &names, &random))
            let codec = [AvroCodec.null, .null, .deflate, .zstandard].randomElement(using: &random)!
            var writer = try AvroFileWriter(schema: schema, codec: codec, sync: Self.sync)
            for _ in 0..<3 { try writer.append(Self.randomValue(schema, &random)) }
            var bytes = try writer.finish()
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[index] = UInt8.random(in: 0...255, using: &random)
                } else {
                    bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...8, using: &random)))
                }
                if bytes.isEmpty { break }
            }
            let limits = AvroLimits(blockBytes: 1 << 20, totalBytes: 1 << 20, objects: 1_000, elements: 10_000)
            if var reader = try? AvroFileReader(bytes, limits: limits) { _ = try? reader.values() }
        }
    }

    static func randomRecord(depth: Int, _ names: inout Int, _ random: inout SeededRandom) -> AvroRecord {
        names += 1
        let name = "r\(names)"
        let fields = (0..<Int.random(in: 1...5, using: &random)).map { index in
            AvroField(
                "f\(index)", randomSchema(depth: depth - 1, &names, &random),
                id: Bool.random(using: &random) ? Int32(index) : nil)
        }
        return AvroRecord(name: name, fields: fields)
    }

    static func randomSchema(depth: Int, _ names: inout Int, _ random: inout SeededRandom) -> AvroSchema {
        switch Int.random(in: 0..<(depth > 0 ? 15 : 10), using: &random) {
        case 0: return .boolean
        case 1: return .int
        case 2: return .long
        case 3: return .float
        case 4: return .double
        case 5: return .bytes
        case 6: return .string
        case 7:
            names += 1
            return .fixed(name: "r\(names)", length: Int.random(in: 0...9, using: &random))
        case 8:
            names += 1
            return .enumeration(name: "r\(names)", symbols: ["A", "B", "C"])
        case 9: return .logical(.int, type: "date")
        case 10: return .record(randomRecord(depth: depth, &names, &random))
        case 11: return .array(AvroArray(items: randomSchema(depth: depth - 1, &names, &random), elementID: 3))
        case 12: return .map(values: randomSchema(depth: depth - 1, &names, &random))
        default: return .optional([.boolean, .int, .long, .double, .bytes, .string].randomElement(using: &random)!)
        }
    }

    static func randomValue(_ schema: AvroSchema, _ random: inout SeededRandom) -> AvroValue {
        switch schema {
        case .null: return .null
        case .boolean: return .boolean(.random(using: &random))
        case .int: return .int(Int32(truncatingIfNeeded: random.next()))
        case .long: return .long(Int64(bitPattern: random.next()))
        case .float: return .float(Float.random(in: -1...1, using: &random))
        case .double: return .double(Double.random(in: -1...1, using: &random))
        case .bytes: return .bytes(randomBytes(Int.random(in: 0...9, using: &random), &random))
        case .string: return .string(JSONTests.randomText(&random))
        case .fixed(_, let length): return .bytes(randomBytes(length, &random))
        case .enumeration(_, let symbols): return .enumeration(Int.random(in: 0..<symbols.count, using: &random))
        case .record(let record): return .record(record.fields.map { randomValue($0.schema, &random) })
        case .array(let array):
            return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in randomValue(array.items, &random) })
        case .map(let values):
            return .map(
                (0..<Int.random(in: 0...4, using: &random)).map {
                    AvroMapEntry(key: "k\($0)", value: randomValue(values, &random))
                })
        case .union(let branches): return randomValue(branches.randomElement(using: &random)!, &random)
        case .logical(let schema, _): return randomValue(schema, &random)
        }
    }

    static func randomBytes(_ count: Int, _ random: inout SeededRandom) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
}
