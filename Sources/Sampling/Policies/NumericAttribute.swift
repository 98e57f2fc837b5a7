public import Configuration
internal import OTLPWire
public import TraceModel

/// `numeric_attribute`: keeps a trace in which some span, or its resource, has an integer attribute within the
/// bounds, both included; with `invert_match`, one in which none has.
///
/// A bound of 0 is none. The Collector panics when both are; here that is an error. Texts and fractions are no
/// integers, whatever they look like.
public struct NumericAttribute: BasicPolicyKind {
    public static let typeName = "numeric_attribute"

    public var key: String
    /// 0: none.
    public var minimum: Int64
    /// 0: none.
    public var maximum: Int64
    public var isInverted: Bool

    public init(key: String, minimum: Int64 = 0, maximum: Int64 = 0, isInverted: Bool = false) {
        self.key = key
        self.minimum = minimum
        self.maximum = maximum
        self.isInverted = isInverted
    }

    public init(reading fields: inout Fields) {
        key = fields.requiredKey()
        minimum = fields.integer("min_value") ?? 0
        maximum = fields.integer("max_value") ?? 0
        isInverted = fields.boolean("invert_match") ?? false
        if minimum == 0, maximum == 0, !fields.problems.hasErrors {
            fields.error("min_value", "a bound other than 0 is needed, min_value or max_value")
        } else if bounds == nil {
            fields.warning("max_value", "no number is at least \(minimum) and at most \(maximum)")
        }
    }

    /// nil when nothing lies between the bounds.
    private var bounds: ClosedRange<Int64>? {
        let lowest = minimum == 0 ? .min : minimum
        let highest = maximum == 0 ? .max : maximum
        return lowest <= highest ? lowest...highest : nil
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        guard bounds != nil else { return Condition(.never, isInverted: isInverted) }
        return compiler.anySpan(tests).inverted(isInverted)
    }

    /// Empty when nothing lies between the bounds.
    private var tests: [MatcherTest] {
        guard let bounds else { return [] }
        return [MatcherTest(.span(key), .intIn(bounds)), MatcherTest(.resource(key), .intIn(bounds))]
    }

    public var words: String { AttributeWords.words(key, range, isInverted: isInverted) }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        AttributeWords.explanation(key, range, isInverted: isInverted, isMet: isMet)
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.attribute(key, tests, isFound: isMet != isInverted)
    }

    private var range: String {
        if maximum == 0 { return "at least \(minimum)" }
        return minimum == 0 ? "at most \(maximum)" : "\(minimum) to \(maximum)"
    }
}
