import JSON
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        ("0", JSONValue.integer(0)), ("-0", .integer(0)), ("-1", .integer(-1)),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
        ("18446744073709551616", .double(18446744073709551616)),
        ("-9223372036854775809", .double(-9223372036854775808)),
        ("9007199254740993", .integer(9_007_199_254_740_993)),
        ("1.0", .double(1)), ("1e3", .double(1000)), ("-1.5E-2", .double(-0.015)), ("0.1", .double(0.1)),
    ])
    func `numbers keep their kind and all their bits`(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
        #expect(try JSONValue(parsing: " [ \(text) ] ") == [value])
    }

    @Test(arguments: [
        "\"\"", "\"a\"", "\"\\u0000\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\ud83d\\ude00\"", "\"é€😀\"", "true",
        "false",
        "null", "[]", "{}", "[[],{}]", "{\"\":1}", "{\"a\":{\"b\":[1,2,{\"c\":null}]}}", "\t\r\n 1 \n",
    ])
    func `a text and what is written of it say the same`(text: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(try JSONValue(parsing: value.bytes()) == value)
    }

    @Test(arguments: [
        "", " ", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "1e999", "-1e999", "NaN", "Infinity", "tru", "nulll",
        "True", "'a'", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
        "\"\\udc00\"", "\"\u{1}\"", "\"\n\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "{\"a\"",
        "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{1:1}", "{\"a\":1]", "1 1", "[] []", "// c\n1",
        "\u{FEFF}1", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
    ])
    func `what RFC 8259 does not allow is refused`(text: String) {
        #expect(throws: JSONError.self) { try JSONNode(parsing: text) }
    }

    @Test func `bytes that are not UTF-8 are refused in values, keys and skipped text`() throws {
        for bad: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80]] {
            let text = [UInt8(ascii: "\"")] + bad + [UInt8(ascii: "\"")]
            #expect(throws: JSONError.self) { try JSONNode(parsing: text) }
            var reader = try JSONReader(text)
            #expect(throws: JSONError.self) { try reader.skip() }
        }
    }

    @Test func `errors name line and column`() throws {
        let text = "{\n  \"limit\": 5,\n  \"kind\": [tru]\n}"
        #expect(throws: JSONError("expected true", at: JSONPlace(line: 3, column: 12))) {
            try JSONNode(parsing: text)
        }
        let members = try JSONNode(parsing: "{\n  \"limit\": \"x\",\n \"limits\": 1}").object()
        #expect(throws: JSONError("expected a whole number, found a string", at: JSONPlace(line: 2, column: 12))) {
            try members.required("limit").int64()
        }
        #expect(throws: JSONError("unknown member \"limits\"", at: JSONPlace(line: 3, column: 2))) {
            try members.refuseUnknown(["limit"])
        }
        #expect(throws: JSONError("member \"kind\" is missing", at: JSONPlace(line: 1, column: 1))) {
            try members.required("kind")
        }
    }

    @Test func `limits hold`() throws {
        let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
        #expect(throws: JSONError.self) { try JSONNode(parsing: deep) }
        #expect(try JSONNode(parsing: deep, limits: JSONLimits(depth: 65)).array().count == 1)
        #expect(throws: JSONError.self) {
            try JSONNode(parsing: String(repeating: "[", count: 100_000), limits: JSONLimits(depth: .max))
        }
        #expect(throws: JSONError.self) { try JSONNode(parsing: "[1,2,3]", limits: JSONLimits(nodes: 3)) }
        #expect(throws: JSONError.self) { try JSONNode(parsing: "[1,2,3]", limits: JSONLimits(bytes: 6)) }
        var reader = try JSONReader(Array(deep.utf8))
        #expect(throws: JSONError.self) { try reader.skip() }
    }

    @Test func `the pull reader reads what it is asked for and skips the rest`() throws {
        let text = #"{"skip":{"a":[1,{"b":"\u00e9"}],"c":[]},"name":"x","rows":[[1,true],[2,false]],"end":null}"#
        var reader = try JSONReader(Array(text.utf8))
        var rows: [Int64: Bool] = [:]
        var name = ""
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "name": name = try reader.string()
            case "rows":
                try reader.beginArray()
                while try reader.nextElement() {
                    try reader.beginArray()
                    #expect(try reader.nextElement())
                    let number = try #require(try reader.number().int64)
                    #expect(try reader.nextElement())
                    rows[number] = try reader.bool()
                    #expect(try !reader.nextElement())
                }
            default: try reader.skip()
            }
        }
        try reader.end()
        #expect(name == "x")
        #expect(rows == [1: true, 2: false])
    }

    @Test func `the writer keeps the order of keys and escapes only what must be`() throws {
        let value: JSONValue = [
            "z": "\u{1}\u{1F}\u{7F}\"\\/\n\r\t\u{8}\u{C}é", "a": [1, 2.5, true, nil, [:]], "m": .unsigned(.max),
        ]
        let text =
            #"{"z":"\u0001\u001f"# + "\u{7F}" + #"\"\\/\n\r\t\b\fé","a":[1,2.5,true,null,{}],"m":18446744073709551615}"#
        #expect(try value.serialized() == text)
        #expect(throws: JSONError.self) { try JSONValue.double(.nan).bytes() }
        #expect(throws: JSONError.self) { try JSONValue.array([.double(-.infinity)]).bytes() }
    }

    @Test func `random values survive writing and reading`() throws {
        var random = SeededRandom(seed: 1)
        for round in 0..<500 {
            let value = Self.randomValue(depth: 4, &random)
            let bytes = try value.bytes()
            #expect(try JSONValue(parsing: bytes) == value, "seed 1, round \(round)")
        }
    }

    @Test func `random changes of a text never trap`() throws {
        var random = SeededRandom(seed: 2)
        let alphabet = Array("{}[]\",:0123456789.eE+-truefalsn\\u d8\n\u{7F}".utf8) + [0xC3, 0xFF]
        for _ in 0..<5_000 {
            var bytes = try Self.randomValue(depth: 3, &random).bytes()
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = alphabet.randomElement(using: &random)!
            }
            if let value = try? JSONValue(parsing: bytes) {
                #expect(try JSONValue(parsing: value.bytes()) == value)
            }
        }
    }

    static func randomValue(depth: Int, _ random: inout SeededRandom) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 7), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(Int64(truncatingIfNeeded: random.next() >> UInt64.random(in: 0...63, using: &random)))
        case 3: return JSONValue(random.next())
        case 4:
            let double = Double(bitPattern: random.next())
            return .double(double.isFinite ? double : 0.25)
        case 5, 6: return .string(randomText(&random))
        case 7:
            return .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in randomValue(depth: depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                object[randomText(&random)] = randomValue(depth: depth - 1, &random)
            }
            return .object(object)
        }
    }

    static func randomText(_ random: inout SeededRandom) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let limit: UInt32 = [0x80, 0x800, 0x10FFFF].randomElement(using: &random)!
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...limit, using: &random)) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
