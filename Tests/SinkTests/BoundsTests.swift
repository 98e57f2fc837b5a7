import Testing

@testable import IcebergSink

struct BoundsTests {
    private func upper(_ text: String, _ characters: Int = 4) -> String? {
        TextBound.upper(Array(text.utf8), characters: characters).map { String(decoding: $0, as: UTF8.self) }
    }

    private func lower(_ text: String, _ characters: Int = 4) -> String {
        String(decoding: TextBound.lower(Array(text.utf8), characters: characters), as: UTF8.self)
    }

    @Test func `a short text is its own bound`() {
        #expect(upper("abcd") == "abcd")
        #expect(lower("abcd") == "abcd")
        #expect(upper("") == "")
        #expect(upper("a\u{301}b\u{301}") == "a\u{301}b\u{301}")
    }

    @Test func `a long text is cut below, and raised above`() {
        #expect(lower("abcde") == "abcd")
        #expect(upper("abcde") == "abce")
    }

    @Test func `the last character that can be raised is raised`() {
        #expect(upper("ab\u{10FFFF}\u{10FFFF}x") == "ac")
        #expect(upper("\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}x") == nil)
    }

    @Test func `surrogates are no characters`() {
        #expect(upper("abc\u{D7FF}x") == "abc\u{E000}")
    }

    @Test func `bounds enclose every text that is cut`() {
        let alphabet: [Character] = ["a", "z", "\u{7F}", "é", "\u{D7FF}", "\u{E000}", "😀", "\u{10FFFF}"]
        for one in alphabet {
            for two in alphabet {
                for three in alphabet {
                    let text = Array(String([one, two, three]).utf8)
                    let low = TextBound.lower(text, characters: 2)
                    #expect(!text.lexicographicallyPrecedes(low))
                    if let high = TextBound.upper(text, characters: 2) {
                        #expect(!high.lexicographicallyPrecedes(text))
                    } else {
                        #expect(one == "\u{10FFFF}" && two == "\u{10FFFF}")
                    }
                }
            }
        }
    }

    @Test func `days are written as people write them`() {
        #expect(CalendarDay.text(0) == "1970-01-01")
        #expect(CalendarDay.text(-1) == "1969-12-31")
        #expect(CalendarDay.text(11_016) == "2000-02-29")
        #expect(CalendarDay.text(20_601) == "2026-05-28")
        #expect(CalendarDay.text(106_751) == "2262-04-11")
    }
}
