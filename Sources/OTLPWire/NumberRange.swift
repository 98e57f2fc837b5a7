/// A number as attributes and rules have it: an int keeps its 64 bits.
public enum MatcherNumber: Hashable, Sendable {
    case int(Int64)
    case double(Double)

    /// Texts of more bytes are no numbers: 17 digits and an exponent tell any double from its neighbours.
    public static let textLimitBytes = 64

    /// Reads a number as JSON writes it (RFC 8259, section 6): no blanks, no plus sign, no leading zeros.
    ///
    /// Whole numbers without fraction and exponent are ints if they fit; everything else is the
    /// nearest double, and no number when that is infinite.
    public init?(text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span.bytes, from: 0, to: bytes.count)
    }
}

/// The numbers between two bounds, each of which may be missing, included or not.
///
/// Ints and doubles compare exactly, also above 2^53 where not every int is a double: the range is
/// kept as the ints in it and the doubles in it. NaN is in none.
public struct NumberRange: Hashable, Sendable {
    /// nil when no int lies in the range.
    public var ints: ClosedRange<Int64>?
    /// nil when no double does.
    public var doubles: ClosedRange<Double>?

    public func contains(_ number: MatcherNumber) -> Bool {
        switch number {
        case .int(let value): ints?.contains(value) ?? false
        case .double(let value): doubles?.contains(value) ?? false
        }
    }

    /// What lies in both.
    public func intersection(_ other: NumberRange) -> NumberRange {
        NumberRange(
            ints: Self.range(Self.highest(ints, other.ints), Self.lowest(ints, other.ints)),
            doubles: Self.range(Self.highest(doubles, other.doubles), Self.lowest(doubles, other.doubles)))
    }

    /// Numbers of the same value, whatever their types.
    public static func equal(to number: MatcherNumber) -> NumberRange {
        atLeast(number).intersection(atMost(number))
    }

    public static func atLeast(_ number: MatcherNumber) -> NumberRange {
        switch number {
        case .int(let value):
            NumberRange(ints: value ... .max, doubles: range(lowestDouble(atLeast: value), .infinity))
        case .double(let value):
            NumberRange(ints: range(lowestInt(atLeast: value), .max), doubles: range(value, .infinity))
        }
    }

    public static func atMost(_ number: MatcherNumber) -> NumberRange {
        switch number {
        case .int(let value):
            NumberRange(ints: .min...value, doubles: range(-.infinity, highestDouble(atMost: value)))
        case .double(let value):
            NumberRange(ints: range(.min, highestInt(atMost: value)), doubles: range(-.infinity, value))
        }
    }

    public static func above(_ number: MatcherNumber) -> NumberRange {
        switch number {
        case .int(let value):
            NumberRange(
                ints: value == .max ? nil : (value + 1) ... .max,
                doubles: range(highestDouble(atMost: value).nextUp, .infinity))
        case .double(let value):
            NumberRange(
                ints: without(atMost(number).ints, above: true, isNumber: !value.isNaN),
                doubles: value == .infinity ? nil : range(value.nextUp, .infinity))
        }
    }

    public static func below(_ number: MatcherNumber) -> NumberRange {
        switch number {
        case .int(let value):
            NumberRange(
                ints: value == .min ? nil : .min...(value - 1),
                doubles: range(-.infinity, lowestDouble(atLeast: value).nextDown))
        case .double(let value):
            NumberRange(
                ints: without(atLeast(number).ints, above: false, isNumber: !value.isNaN),
                doubles: value == -.infinity ? nil : range(-.infinity, value.nextDown))
        }
    }

    // MARK: Bounds

    private static func range<Bound>(_ lower: Bound?, _ upper: Bound?) -> ClosedRange<Bound>? {
        guard let lower, let upper, lower <= upper else { return nil }
        return lower...upper
    }

    private static func highest<Bound>(_ one: ClosedRange<Bound>?, _ other: ClosedRange<Bound>?) -> Bound? {
        guard let one, let other else { return nil }
        return max(one.lowerBound, other.lowerBound)
    }

    private static func lowest<Bound>(_ one: ClosedRange<Bound>?, _ other: ClosedRange<Bound>?) -> Bound? {
        guard let one, let other else { return nil }
        return min(one.upperBound, other.upperBound)
    }

    /// The ints that are not in a range without lower or without upper bound: those above it, or those below.
    private static func without(
        _ ints: ClosedRange<Int64>?, above: Bool, isNumber: Bool
    ) -> ClosedRange<Int64>? {
        guard isNumber else { return nil }
        guard let ints else { return .min ... .max }
        if above { return ints.upperBound == .max ? nil : (ints.upperBound + 1) ... .max }
        return ints.lowerBound == .min ? nil : .min...(ints.lowerBound - 1)
    }

    private static func lowestInt(atLeast value: Double) -> Int64? {
        let whole = value.rounded(.up)
        guard whole < 0x1p63 else { return nil }
        return whole < -0x1p63 ? .min : Int64(whole)
    }

    private static func highestInt(atMost value: Double) -> Int64? {
        let whole = value.rounded(.down)
        guard whole >= -0x1p63 else { return nil }
        return whole < 0x1p63 ? Int64(whole) : .max
    }

    private static func lowestDouble(atLeast value: Int64) -> Double {
        let nearest = Double(value)
        // 2^63, which is no int, is above every int.
        guard let exact = Int64(exactly: nearest), exact < value else { return nearest }
        return nearest.nextUp
    }

    private static func highestDouble(atMost value: Int64) -> Double {
        let nearest = Double(value)
        if let exact = Int64(exactly: nearest), exact <= value { return nearest }
        return nearest.nextDown
    }
}
