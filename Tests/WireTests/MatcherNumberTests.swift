import OTLPWire
import Testing
import TraceGenerator

@Suite struct MatcherNumberTests {
    @Test(arguments: [
        ("0", MatcherNumber.int(0)), ("-0", .int(0)), ("500", .int(500)), ("-17", .int(-17)),
        ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
        ("9223372036854775808", .double(0x1p63)), ("18446744073709551616", .double(0x1p64)), ("5.0", .double(5)),
        ("0.1", .double(0.1)), ("-1.5e3", .double(-1500)), ("1E+2", .double(100)), ("1e-7", .double(1e-7)),
        ("123456789012345678901234567890", .double(123456789012345677877719597056)),
        ("0.30000000000000004", .double(0.30000000000000004)), ("4.9e-324", .double(.leastNonzeroMagnitude)),
        ("1.7976931348623157e308", .double(1.7976931348623157e308)), ("1e23", .double(1e23)), ("1e-999", .double(0)),
        ("0.00000000000000000000000000000000000001", .double(1e-38)), ("0e99999999999999999999", .double(0)),
    ]) func `a text is read as the number that it is`(text: String, number: MatcherNumber) {
        #expect(MatcherNumber(text: text) == number)
    }

    @Test(arguments: [
        "", "-", "+1", " 1", "1 ", "007", "-01", ".5", "5.", "1e", "1e+", "0x10", "1_000", "1,5", "NaN", "Infinity",
        "1e999",
        "five", "5ms", "--1", "1.2.3", "1e5.0", "1\u{0}", "²", String(repeating: "1", count: 65),
    ]) func `what is written otherwise is no number`(text: String) {
        #expect(MatcherNumber(text: text) == nil)
    }

    @Test(arguments: 0..<200) func `random texts are read as the library reads them`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<50 {
            var text = random.chance(0.3) ? "-" : ""
            text += String(random.next() >> UInt64(random.below(64)))
            if random.chance(0.5) { text += "." + String(random.next() >> UInt64(random.below(64))) }
            if random.chance(0.3) { text += "e\(random.int(in: -330...320))" }
            if random.chance(0.1) { text += random.pick(["x", "e", ".", "-"]) }
            #expect(MatcherNumber(text: text) == MatcherOracle.number(.string(text)), "\(text)")
        }
    }

    // MARK: Ranges

    private static let numbers: [MatcherNumber] = {
        let ints: [Int64] = [
            .min, .min + 1, -(1 << 53) - 1, -(1 << 53), -1, 0, 1, 5, 1 << 53, (1 << 53) + 1, .max - 1, .max,
        ]
        let doubles = [
            -Double.infinity, -0x1p64, -0x1p63, (-0x1p63).nextUp, -5.5, -1, -0.5, -0.0, 0, 0.5, 1, 5, 5.5, 0x1p53,
            0x1p63,
            (0x1p63).nextDown, (0x1p63).nextUp, .infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .nan,
        ]
        return ints.map { .int($0) } + doubles.map { .double($0) }
    }()

    /// Negative, zero or positive as one lies below, at or above the other; nil when they cannot be compared.
    private func order(_ one: MatcherNumber, _ other: MatcherNumber) -> Int? {
        switch (one, other) {
        case (.int(let one), .int(let other)): return one < other ? -1 : one > other ? 1 : 0
        case (.double(let one), .double(let other)):
            return one.isNaN || other.isNaN ? nil : one < other ? -1 : one > other ? 1 : 0
        case (.double, .int): return order(other, one).map { -$0 }
        case (.int(let one), .double(let other)):
            guard !other.isNaN else { return nil }
            if other >= 0x1p63 { return -1 }
            if other < -0x1p63 { return 1 }
            // 11 bits more than a double has: nothing is rounded.
            let floor = Int64(other.rounded(.down))
            if one != floor { return one < floor ? -1 : 1 }
            return other == other.rounded(.down) ? 0 : -1
        }
    }

    @Test(arguments: numbers) func `ranges hold what lies between their bounds, exactly`(bound: MatcherNumber) {
        for number in Self.numbers {
            let order = order(number, bound)
            #expect(NumberRange.equal(to: bound).contains(number) == (order == 0), "\(number) == \(bound)")
            #expect(
                NumberRange.atLeast(bound).contains(number) == (order.map { $0 >= 0 } ?? false), "\(number) >= \(bound)"
            )
            #expect(
                NumberRange.above(bound).contains(number) == (order.map { $0 > 0 } ?? false), "\(number) > \(bound)")
            #expect(
                NumberRange.atMost(bound).contains(number) == (order.map { $0 <= 0 } ?? false), "\(number) <= \(bound)")
            #expect(
                NumberRange.below(bound).contains(number) == (order.map { $0 < 0 } ?? false), "\(number) < \(bound)")
        }
    }
}
