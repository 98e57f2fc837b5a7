import Configuration
import Testing
import YAML

struct YAMLTests {
    private func parse(_ text: String, limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> Node? {
        try YAMLText.parse(Array(text.utf8), name: "t", limits: limits)
    }

    private func flow(_ text: String) throws -> String { YAMLText.flow(try #require(try parse(text))) }

    private func refusal(_ text: String, limits: YAMLLimits = YAMLLimits()) -> String {
        do throws(YAMLError) {
            let node = try parse(text, limits: limits)
            return "taken as \(node.map(YAMLText.flow) ?? "nothing")"
        } catch {
            return error.description
        }
    }

    @Test(
        arguments: [
            ("a: 1\nb: [x, 'y', \"z\"]\n", "{a: 1, b: [x, y, z]}"),
            ("{\"a\": {\"b\": [1, true, null, \"5\"]}}", "{a: {b: [1, true, null, \"5\"]}}"),
            ("- &one {k: v}\n- *one\n", "[{k: v}, {k: v}]"),
            ("base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  y: 3\n", "{base: {x: 1, y: 2}, own: {y: 3, x: 1}}"),
            ("<<: [{x: 1}, {x: 2, y: 2}]\nz: 3\n", "{z: 3, x: 1, y: 2}"),
            ("'<<': 5\n", "{\"<<\": 5}"),
            ("a: !!str 5\nb: !!int 5\nc: ! 5\n", "{a: \"5\", b: 5, c: \"5\"}"),
            ("a: |\n  two\n  lines\n", "{a: \"two\\nlines\\n\"}"),
            ("a:\nb: ~\nc: ''\n", "{a: null, b: null, c: \"\"}"),
            ("a: -5\nb: - 5", "{a: -5, b: \"- 5\"}"),
            ("--- # comment\na: 1\n...\n", "{a: 1}"),
            ("a: yes\nb: on\nc: 017\nd: 100_000\n", "{a: yes, b: on, c: 017, d: 100_000}"),
            ("a: \"\\u00e9\\0\"", "{a: \"\u{e9}\\u0000\"}"),
        ] as [(String, String)])
    func `reads a tree and writes it back`(text: String, expected: String) throws {
        guard !text.contains("b: - 5") else {
            #expect(refusal(text).contains("block sequence entries are not allowed"))
            return
        }
        #expect(try flow(text) == expected)
        #expect(try flow(try flow(text)) == expected, "what is written reads back")
    }

    @Test(
        arguments: [
            (
                "a: 1\nb: 2\na: 3\nb: 4\n",
                "t:3:1: a: the key is given already at t:1:1\nt:4:1: b: the key is given already at t:2:1"
            ),
            ("a: *none\n", "t:1:4: no value before this has the anchor &none"),
            ("a: &x [*x]\n", "t:1:8: no value before this has the anchor &x"),
            ("a: !secret 5\n", "t:1:4: unknown tag !secret"),
            ("a: !!set {x}\n", "t:1:4: unknown tag tag:yaml.org,2002:set"),
            ("[a, b]: 1\n", "t:1:1: a key must be text, not a list"),
            ("<<: 5\n", "t:1:5: << takes a map or a list of maps, found \"5\""),
            ("a: 1\n--- \nb: 2\n", "t:2:1: only one document is read, a second begins here"),
            ("a: [1, 2\nb: 3\n", "t:2:2: did not find expected ',' or ']' (while parsing a flow sequence at line 1)"),
            (
                "a:\n\t- b\n",
                "t:2:1: found character that cannot start any token (while scanning for the next token at line 2)"
            ),
        ] as [(String, String)])
    func `refuses with the place`(text: String, expected: String) {
        #expect(refusal(text) == expected)
    }

    @Test func `says where bytes are no text`() {
        let error = #expect(throws: YAMLError.self) { try YAMLText.parse([0x61, 0x3A, 0x20, 0xFF], name: "t") }
        #expect(error?.description == "t:1:1: invalid leading UTF-8 octet at byte 3")
    }

    @Test func `a text without a document is nothing`() throws {
        #expect(try parse("") == nil)
        #expect(try parse("# only words\n") == nil)
    }

    @Test func `a bomb of aliases stops at the limit`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(refusal(text).hasSuffix("more than 200000 values, aliases followed"))
    }

    @Test func `a bomb of merges stops at the limit`() {
        var text = "m0: &m0 {k0: v}\n"
        for level in 1...60 {
            text += "m\(level): &m\(level)\n  <<: [*m\(level - 1), *m\(level - 1)]\n  k\(level): v\n"
        }
        #expect(refusal(text).hasSuffix("more than 200000 values, aliases followed"))
    }

    @Test func `nesting stops at the limit`() {
        #expect(!refusal(String(repeating: "[", count: 60) + String(repeating: "]", count: 60)).contains("deeper"))
        #expect(refusal(String(repeating: "[", count: 5000)) == "t:1:66: lists and maps are nested deeper than 64")
    }

    @Test func `length stops at the limit`() {
        var limits = YAMLLimits()
        limits.byteCount = 10
        #expect(refusal("a: 12345678", limits: limits) == "t:1:1: the text has 11 bytes; at most 10 are read")
    }

    @Test func `keys and values know their places`() throws {
        let root = try #require(try parse("a:\n  b: [x,\n      y]\n"))
        let a = try root.map()[0]
        let b = try a.value.map()[0]
        #expect(a.keyPlace == .file("t", line: 1, column: 1))
        #expect(b.keyPlace == .file("t", line: 2, column: 3))
        #expect(try b.value.list()[1].place == .file("t", line: 3, column: 7))
    }

    @Test(arguments: [
        "", "5", "-", "- a", "true", "null", "~", "a: b", "a #b", "'", "\"", "\\", "\n", "\u{0}", "é", "ok",
    ])
    func `any text survives being written`(text: String) throws {
        let node = try #require(try parse("[\(YAMLText.scalar(text))]"))
        #expect(try node.list()[0].text() == text)
        #expect(try !node.list()[0].isNull)
    }
}

struct ScalarTests {
    private func plain(_ text: String) -> Node { Node(text: text, at: .builtIn) }

    @Test(
        arguments: [
            ("0", 0), ("-7", -7), ("+7", 7), ("017", 17), ("0x1F", 31), ("0o17", 15), ("9223372036854775807", .max),
            ("-9223372036854775808", .min),
        ] as [(String, Int64)])
    func `whole numbers of the core schema`(text: String, value: Int64) throws {
        #expect(try plain(text).integer() == value)
    }

    @Test(arguments: ["", "-", "1.0", "1e3", "0x", "0x-1", "--1", "+-1", "9223372036854775808", "five", "1 2", "0b1"])
    func `other texts are no whole numbers`(text: String) {
        #expect(throws: ReadError.self) { try plain(text).integer() }
    }

    @Test(arguments: [("0.5", 0.5), (".5", 0.5), ("1e-3", 0.001), ("-2", -2), ("5.", 5)] as [(String, Double)])
    func `numbers of the core schema`(text: String, value: Double) throws {
        #expect(try plain(text).number() == value)
    }

    @Test(arguments: ["inf", ".inf", "nan", "0x1p3", "1e999", "1,5", ""])
    func `other texts are no numbers`(text: String) {
        #expect(throws: ReadError.self) { try plain(text).number() }
    }

    @Test func `booleans are true and false, and others are told so`() throws {
        #expect(try plain("true").boolean())
        #expect(try !plain("FALSE").boolean())
        let error = #expect(throws: ReadError.self) { try plain("on").boolean() }
        #expect(error?.message == "expected true or false, found \"on\"; did you mean true?")
        #expect(throws: ReadError.self) { try Node(text: "true", isQuoted: true, at: .builtIn).boolean() }
    }

    @Test(
        arguments: [
            ("latncy", "latency"), ("lateny", "latency"), ("altency", "latency"), ("laency", "latency"),
            ("LATENCY", "latency"),
            ("span_cout", "span_count"), ("x", nil), ("completely_different", nil), ("", nil),
        ] as [(String, String?)])
    func `finds the nearest name`(typed: String, expected: String?) {
        #expect(NearestName.of(typed, among: ["always_sample", "latency", "span_count"]) == expected)
    }
}
