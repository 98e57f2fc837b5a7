import Patterns
import Testing

@Suite struct PatternTests {
    @Test(arguments: [
        ("error|timeout", "a timeout occurred", true), ("error|timeout", "fine", false),
        ("^/api/v[0-9]+$", "/api/v12", true),
        ("^/api/v[0-9]+$", "x/api/v12", false), ("", "", true), ("^$", "x", false), ("(?i)ORDER", "orders", true),
        ("ORDER", "orders", false), ("grün.$", "grüne", true), ("a\u{0}b", "xa\u{0}by", true),
        ("(?<year>\\d{4})", "in 2026", true), ("(?P<year>\\d{4})", "in 26", false),
    ]) func `a pattern is searched for anywhere in the text`(text: String, subject: String, isFound: Bool) throws {
        #expect(try Pattern(text).matches(subject) == isFound)
    }
}
