import Testing

@testable import Commands

@Suite struct WrittenTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2026-01-31T12:00:00.25Z", 1_769_860_800_250_000_000),
        ("2026-01-31T13:00:00+01:00", 1_769_860_800_000_000_000),
        ("2024-02-29T23:59:59-00:30", 1_709_252_999_000_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
        ("2000-03-01t00:00:00z", 951_868_800_000_000_000),
    ])
    func `a time of RFC 3339 is its nanoseconds since 1970`(text: String, nanoseconds: Int64) {
        #expect(WrittenTime(rfc3339: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-31 12:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:00", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+1:00", "2026-01-31T12:00:00Zx",
        "9999-12-31T00:00:00Z",
    ])
    func `anything else is no time`(text: String) {
        #expect(WrittenTime(rfc3339: text) == nil)
    }
}
