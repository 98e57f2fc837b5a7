import Patterns
import Testing

@Suite struct PatternTests {
    @Test(arguments: [
        ("error|timeout", "a timeout occurred", true), ("error|timeout", "fine", false),
        ("^/api/v[0-9]+$", "/api/v12", true), ("^/api/v[0-9]+$", "x/api/v12", false), ("", "", true),
        ("^$", "x", false),
        ("(?i)ORDER", "orders", true), ("ORDER", "orders", false), ("grün.$", "grüne", true),
        ("a\u{0}b", "xa\u{0}by", true), ("a\u{0}b", "xab", false), ("(?<year>\\d{4})", "in 2026", true),
        ("(?P<year>\\d{4})", "in 26", false), ("[(?<x>]y", "<y", true), ("[[:alpha:](?<x]y", "?y", true),
        ("\\Q(?<x>\\E", "a(?<x>b", true), ("\\(?<", "a<", true), ("[]x]+$", "]", true), ("[^]x]", "]x", false),
        ("\\\\C", "a\\C", true), ("[\\]](?<n>b)", "]b", true),
    ]) func `a pattern is searched for anywhere in the text`(text: String, subject: String, isFound: Bool) throws {
        #expect(try Pattern(text).matches(subject) == isFound)
    }

    @Test(arguments: [
        ("a(b", "missing ): a(b"), ("(?=x)", "invalid perl operator: (?="), ("(?<=x)", "invalid perl operator: (?<"),
        ("\\1", "invalid escape sequence: \\1"), ("a{1001}", "invalid repetition size: {1001}"),
        ("\\C", "invalid escape sequence: \\C"), ("x\\", "trailing \\"),
        ("*", "no argument for repetition operator: *"),
    ]) func `a text that is no pattern is refused with what is wrong in it`(text: String, message: String) {
        #expect(throws: PatternError(reason: .invalid, message: message)) { try Pattern(text) }
    }

    @Test func `a pattern that would compile to too much is refused`() {
        let error = #expect(throws: PatternError.self) { try Pattern("((a{100}){100}){100}") }
        #expect(error?.reason == .invalid || error?.reason == .tooLarge)
        let large = #expect(throws: PatternError.self) { try Pattern("[\\pL]{900}") }
        #expect(large?.reason == .tooLarge)
    }

    @Test func `a text beyond the limit is refused, one at the limit is not`() throws {
        let longest = String(repeating: "x", count: Pattern.textLimitBytes)
        #expect(try Pattern(longest).matches("a" + longest))
        let error = #expect(throws: PatternError.self) { try Pattern(longest + "x") }
        #expect(error?.reason == .tooLong)
    }

    @Test func `patterns are equal when their texts are`() throws {
        let one = try Pattern("a")
        #expect(try Set([one, Pattern("a"), Pattern("b")]).count == 2)
    }

    @Test func `only the bytes asked for are searched`() throws {
        let bytes = Array("abcabc".utf8)
        let pattern = try Pattern("^bc$")
        #expect(isFound(pattern, bytes, 1..<3))
        #expect(!isFound(pattern, bytes, 1..<4))
        #expect(try isFound(Pattern("^$"), bytes, 2..<2))
    }

    @Test func `bytes that are not UTF-8 are no obstacle`() throws {
        let bytes: [UInt8] = [0xFF, 0x61, 0xC3, 0x28, 0x80, 0x62]
        #expect(try isFound(Pattern("b$"), bytes, 0..<6))
        #expect(try !isFound(Pattern("^.a"), bytes, 0..<6))
    }

    /// Patterns of a hostile kind take seconds on a matcher that goes back, from thirty letters on.
    @Test func `time is linear in the text`() throws {
        let text = String(repeating: "x", count: 1 << 20)
        #expect(try !Pattern("(x+x+)+y").matches(text))
        #expect(try !Pattern("(x?){100}x{100}y").matches(String(text.prefix(10_000))))
    }

    // MARK: Sets

    static let texts = ["^/api/", "error|timeout", "\\.js$", "(?i)order", "[0-9]{4}", "x*y", "^$", "(?<n>z)"]

    @Test(arguments: 1...8) func `a set finds what its patterns find one by one`(count: Int) throws {
        let patterns = try Self.texts.prefix(count).map { try Pattern($0) }
        let set = PatternSet(patterns)
        #expect(set.isCompiled == (count > 1))
        let subjects = ["", "/api/2026/app.js", "an ORDER of 1234", "timeout", "none", "xxy", "z"]
        for subject in subjects {
            #expect(set.matches(subject) == patterns.indices.filter { patterns[$0].matches(subject) })
        }
        #expect(set.exhaustedCount == 0)
    }

    @Test func `a set without patterns matches nothing`() {
        #expect(PatternSet([]).matches("x") == [])
    }

    @Test func `a set that is too large is asked one by one`() throws {
        let patterns = try (0..<40).map { try Pattern("[a-z]{100}\($0)$") }
        let set = PatternSet(patterns, memoryLimitBytes: 1 << 14)
        #expect(!set.isCompiled)
        let text = String(repeating: "k", count: 100) + "17"
        #expect(set.matches(text) == [17])
    }

    @Test func `a set whose states do not fit into its memory finds the same`() throws {
        // Thousands of states, of which the memory holds some hundred: they are made anew again and again.
        let patterns = try (10..<16).map { try Pattern("[ab]*a[ab]{\($0)}c$") }
        let set = PatternSet(patterns, memoryLimitBytes: 48 << 10)
        try #require(set.isCompiled)
        var state: UInt64 = 1
        var text = ""
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text += state >> 63 == 0 ? "a" : "b"
        }
        text += "a" + String(repeating: "b", count: 12) + "c"
        #expect(set.matches(text) == patterns.indices.filter { patterns[$0].matches(text) })
        #expect(set.matches(text).contains(2))
    }
}

private func isFound(_ pattern: Pattern, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    pattern.matches(bytes.span.bytes, from: range.lowerBound, to: range.upperBound)
}
