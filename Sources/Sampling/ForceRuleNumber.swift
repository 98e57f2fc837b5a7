internal import OTLPWire

/// A number of a rule, compared exactly with integers and with doubles of 64 bits.
///
/// Neither type holds the other: 2⁵³ + 1 is no double, and 0.5 no integer. So each comparison becomes a range of
/// integers and a range of doubles, either of which may be empty.
enum ForceRuleNumber: Hashable {
    case integer(Int64)
    /// Finite; not whole, or beyond `Int64`.
    case real(Double)

    /// nil for what is no number.
    init?(_ number: Double) {
        guard number.isFinite else { return nil }
        if let whole = Int64(exactly: number) {
            self = .integer(whole)
        } else {
            self = .real(number)
        }
    }

    /// Tests of which one holds for an attribute that compares so.
    func conditions(_ comparison: ForceRule.Comparison) -> [MatcherCondition] {
        var conditions: [MatcherCondition] = []
        if let range = integers(comparison) { conditions.append(.intIn(range)) }
        if let range = doubles(comparison) { conditions.append(.doubleIn(range)) }
        return conditions
    }

    /// The same for a span's nanoseconds when this is a number of milliseconds.
    func nanosecondConditions(_ comparison: ForceRule.Comparison) -> [MatcherCondition] {
        let scaled: ForceRuleNumber
        switch self {
        case .integer(let milliseconds):
            let (product, isTooLarge) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
            scaled = isTooLarge ? .real(Double(milliseconds) * 1_000_000) : .integer(product)
        case .real(let milliseconds):
            // A product beyond all doubles is beyond all integers too.
            let product = milliseconds * 1_000_000
            scaled = ForceRuleNumber(product.isFinite ? product : (product > 0 ? 1e300 : -1e300)) ?? .integer(0)
        }
        return scaled.integers(comparison).map { [.intIn($0)] } ?? []
    }

    private func integers(_ comparison: ForceRule.Comparison) -> ClosedRange<Int64>? {
        switch self {
        case .integer(let number):
            switch comparison {
            case .greater: return number == .max ? nil : number + 1 ... .max
            case .atLeast: return number ... .max
            case .less: return number == .min ? nil : .min...number - 1
            case .atMost: return .min...number
            default: return number...number
            }
        case .real(let number):
            switch comparison {
            case .greater, .atLeast:
                // Not whole, or beyond the integers: equality is impossible.
                let lowest = number.rounded(.up)
                if let whole = Int64(exactly: lowest) { return whole ... .max }
                return number < 0 ? .min ... .max : nil
            case .less, .atMost:
                let highest = number.rounded(.down)
                if let whole = Int64(exactly: highest) { return .min...whole }
                return number > 0 ? .min ... .max : nil
            default: return nil
            }
        }
    }

    private func doubles(_ comparison: ForceRule.Comparison) -> ClosedRange<Double>? {
        switch self {
        case .real(let number): return Self.doubles(comparison, lower: number, upper: number)
        case .integer(let number):
            // The doubles around it; both are the number itself when it is one.
            let near = Double(number)
            let isBelow = Int64(exactly: near).map { $0 < number } ?? false
            let isAbove = Int64(exactly: near).map { $0 > number } ?? true
            if isBelow { return Self.doubles(comparison, lower: near, upper: near.nextUp) }
            if isAbove { return Self.doubles(comparison, lower: near.nextDown, upper: near) }
            return Self.doubles(comparison, lower: near, upper: near)
        }
    }

    /// - Parameters:
    ///   - lower: The greatest double that is not above the number.
    ///   - upper: The least that is not below it.
    private static func doubles(
        _ comparison: ForceRule.Comparison, lower: Double, upper: Double
    ) -> ClosedRange<Double>? {
        let isExact = lower == upper
        switch comparison {
        case .greater:
            let lowest = isExact ? upper.nextUp : upper
            return lowest...Double.infinity
        case .atLeast: return upper...Double.infinity
        case .less:
            let highest = isExact ? lower.nextDown : lower
            return -Double.infinity...highest
        case .atMost: return -Double.infinity...lower
        default: return isExact ? lower...lower : nil
        }
    }
}
