public import Configuration
public import TraceModel

/// `rate`: keeps a share of all traces by OpenTelemetry's consistent randomness.
///
/// A trace is kept when its 56 bits of randomness (`ot=rv`, else those of the trace id) are at least the
/// rejection threshold T = round((1 − p) · 2⁵⁶). Every participant that follows the specification keeps the
/// same traces, a higher rate keeps those of a lower one and more, and the adjusted count 2⁵⁶ / (2⁵⁶ − T) is
/// exact. Source: OpenTelemetry specification, "TraceState: Probability Sampling".
///
/// Ours, not the Collector's; its `probabilistic` keeps its own hash.
public struct Rate: TraceLevelPolicyKind {
    public static let typeName = "rate"

    /// 0 … 1.
    public var probability: Double
    /// What it is a rate of, in explanations: "base rate 0.1".
    public var label: String

    /// One above the largest randomness.
    public static let randomnessEnd: UInt64 = 1 << 56

    public init(_ probability: Double, label: String = "rate") {
        self.probability = probability
        self.label = label
    }

    public init(reading fields: inout Fields) {
        label = "rate"
        probability = 0
        guard fields.has("sample_rate") else {
            _ = fields.node("sample_rate")
            fields.error("sample_rate", "a rate from 0 to 1 is needed")
            return
        }
        guard let number = fields.number("sample_rate") else { return }
        if let complaint = Self.complaint(about: number) {
            fields.error("sample_rate", complaint)
        } else {
            probability = number
        }
    }

    /// What is wrong with a rate outside 0 … 1; nil inside.
    public static func complaint(about rate: Double) -> String? {
        if (0...1).contains(rate) { return nil }
        let text = NumberText.of(rate)
        if rate > 1, rate <= 100 { return "\(text): did you mean \(NumberText.of(rate / 100))?" }
        return "\(text): a rate lies between 0 and 1"
    }

    /// The rejection threshold, 0 (keeps all) … 2⁵⁶ (keeps none). A rate above 0 keeps at least one value.
    public static func threshold(_ probability: Double) -> UInt64 {
        if probability <= 0 { return randomnessEnd }
        let kept = (probability * Double(randomnessEnd)).rounded()
        return randomnessEnd - min(max(1, UInt64(kept)), randomnessEnd)
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        switch Self.threshold(probability) {
        case 0: Condition(.always)
        case Self.randomnessEnd: Condition(.never)
        case let threshold: Condition(.randomness(atLeast: threshold))
        }
    }

    public var words: String {
        switch probability {
        case ...0: "no trace (rate 0)"
        case 1...: "every trace (rate 1)"
        default: "a share of \(NumberText.of(probability)) of the traces"
        }
    }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        let rate = "\(label) \(NumberText.of(probability))"
        if probability <= 0 || probability >= 1 { return rate }
        return "\(rate) \(isMet ? "yes" : "no")"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        let words = explanation(search.trace, isMet: isMet)
        let threshold = Self.threshold(probability)
        guard threshold > 0, threshold < Self.randomnessEnd else { return search.answer(Self.typeName, words) }
        let randomness = Self.digits(search.trace.randomness)
        search.answer(
            Self.typeName, "\(words): randomness \(randomness) \(isMet ? ">=" : "<") \(Self.digits(threshold))")
    }

    /// 56 bits as OpenTelemetry writes them: 14 hexadecimal digits.
    private static func digits(_ randomness: UInt64) -> String { String(Hexadecimal.text(randomness).dropFirst(2)) }
}
