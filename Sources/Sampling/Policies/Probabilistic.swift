public import Configuration
public import TraceModel

/// `probabilistic`: keeps a share of all traces exactly as the Collector's policy of that name does.
///
/// FNV-1a 64 over the salt's bytes and then the sixteen bytes of the id; kept when the hash is at most
/// ⌊(2⁶⁴ − 1) · percentage / 100⌋. It is its own hash, so traces kept by it claim no adjusted count; for
/// true counts use `rate`.
public struct Probabilistic: TraceLevelPolicyKind {
    public static let typeName = "probabilistic"

    public static let defaultSalt = "default-hash-seed"

    /// 0 … 100.
    public var percentage: Double
    public var salt: String

    public init(percentage: Double, salt: String = defaultSalt) {
        self.percentage = percentage
        self.salt = salt.isEmpty ? Self.defaultSalt : salt
    }

    public init(reading fields: inout Fields) {
        let number = fields.number("sampling_percentage") ?? 0
        self.init(percentage: number, salt: fields.text("hash_salt") ?? Self.defaultSalt)
        if !(0...100).contains(number) {
            percentage = min(max(number, 0), 100)
            fields.warning(
                "sampling_percentage", "\(NumberText.of(number)) is taken as \(NumberText.of(percentage))")
        } else if number > 0, number < 1 {
            fields.warning("sampling_percentage", "\(NumberText.of(number)) is a percentage, not a share of 1")
        }
    }

    /// ⌊(2⁶⁴ − 1) · ratio⌋ for a ratio between 0 and 1, exact in integers.
    static func limit(ratio: Double) -> UInt64 {
        // ratio = significand · 2^exponent, the significand a whole number of 53 bits.
        let significand = UInt128(ratio.significandBitPattern | 1 << 52)
        let shift = 52 - Int(ratio.exponent)
        return shift > 127 ? 0 : UInt64((significand * UInt128(UInt64.max)) >> UInt128(shift))
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        if percentage <= 0 { return Condition(.never) }
        if percentage >= 100 { return Condition(.always) }
        return Condition(.hash(atMost: Self.limit(ratio: percentage / 100), state: FNV1a().adding(salt).state))
    }

    public var words: String { "\(NumberText.of(percentage)) % of the traces, by hash" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        let share = "probabilistic \(NumberText.of(percentage)) %"
        if percentage <= 0 || percentage >= 100 { return share }
        return "\(share) \(isMet ? "yes" : "no")"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        let words = explanation(search.trace, isMet: isMet)
        guard percentage > 0, percentage < 100 else { return search.answer(Self.typeName, words) }
        let hash = Hexadecimal.text(FNV1a().adding(salt).adding(search.trace.traceID).state)
        let limit = Hexadecimal.text(Self.limit(ratio: percentage / 100))
        search.answer(Self.typeName, "\(words): hash \(hash) \(isMet ? "<=" : ">") \(limit)")
    }
}
