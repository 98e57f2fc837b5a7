/// A moment that a person wrote down.
struct WrittenTime: Hashable {
    /// Since 1970.
    var nanoseconds: Int64

    /// Reads `2026-01-31T12:00:00.25Z` or with an offset such as `+01:00`; nil for anything else.
    init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        func has(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
            let day = number(8..<10), has("T", at: 10) || has("t", at: 10), let hour = number(11..<13),
            has(":", at: 13), let minute = number(14..<16), has(":", at: 16), let second = number(17..<19),
            (1...12).contains(month), (1...Self.dayCount(year, month)).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var at = 19
        var fraction: Int64 = 0
        if has(".", at: at) {
            var digitCount = 0
            at += 1
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                if digitCount < 9 { fraction = fraction * 10 + Int64(bytes[at] - 0x30) }
                digitCount += 1
                at += 1
            }
            guard digitCount > 0 else { return nil }
            for _ in min(digitCount, 9)..<9 { fraction *= 10 }
        }
        var offsetSeconds: Int64 = 0
        if has("Z", at: at) || has("z", at: at) {
            at += 1
        } else if has("+", at: at) || has("-", at: at), let hours = number(at + 1..<at + 3), has(":", at: at + 3),
            let minutes = number(at + 4..<at + 6), hours < 24, minutes < 60
        {
            offsetSeconds = (hours * 3600 + minutes * 60) * (has("-", at: at) ? -1 : 1)
            at += 6
        } else {
            return nil
        }
        guard at == bytes.count else { return nil }
        let seconds = Self.days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offsetSeconds
        let (scaled, isTooFar) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !isTooFar else { return nil }
        nanoseconds = scaled + fraction
    }

    private static func dayCount(_ year: Int64, _ month: Int64) -> Int64 {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    // Eras of 400 years whose years begin in March, so that leap days come last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
