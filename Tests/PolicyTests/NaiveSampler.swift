import TraceModel

@testable import Sampling

/// The rules of the sampler written down as directly as possible, to compare with.
struct NaiveSampler {
    var policies: [PolicyConfiguration]

    func decide(_ trace: TraceSummary) -> (verdict: Verdict, policy: String) {
        for policy in policies {
            if let drop = policy.kind as? Drop, drop.parts.allSatisfy({ wants($0, trace) }) {
                return (.dropped, policy.name)
            }
        }
        for policy in policies where !(policy.kind is Drop) && wants(policy.kind, trace) {
            return (.sampled, policy.name)
        }
        return (.notSampled, "")
    }

    func wants(_ kind: any PolicyKind, _ trace: TraceSummary) -> Bool {
        switch kind {
        case is AlwaysSample: return true
        case let kind as StatusCode: return kind.codes.contains { trace.statusCodes >> $0.rawValue & 1 == 1 }
        case let kind as Latency:
            let milliseconds = trace.durationMilliseconds
            if kind.upperThresholdMilliseconds == 0 { return milliseconds >= kind.thresholdMilliseconds }
            return milliseconds > kind.thresholdMilliseconds && milliseconds <= kind.upperThresholdMilliseconds
        case let kind as SpanCount:
            if kind.maximum != 0, Int64(trace.spanCount) > kind.maximum { return false }
            return Int64(trace.spanCount) >= kind.minimum
        case is TraceFlags: return trace.isFlaggedSampled
        case let kind as Rate:
            let randomness = trace.explicitRandomness == .max ? trace.traceID.low % (1 << 56) : trace.explicitRandomness
            return Double(randomness) >= (1 - kind.probability) * 72_057_594_037_927_936
        case let kind as Probabilistic: return wants(kind, trace.traceID)
        case let kind as And: return kind.parts.allSatisfy { wants($0, trace) }
        case let kind as Not: return !wants(kind.part, trace)
        default: fatalError("unknown kind \(kind)")
        }
    }

    private func wants(_ kind: Probabilistic, _ id: TraceID) -> Bool {
        var hash: UInt64 = 14_695_981_039_346_656_037
        var bytes = Array(kind.salt.utf8)
        for word in [id.high, id.low] {
            bytes += (0..<8).map { UInt8(word >> UInt64(56 - 8 * $0) & 255) }
        }
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return Double(hash) <= 18_446_744_073_709_551_616 * kind.percentage / 100
    }
}

extension PolicyConfiguration {
    /// A set of policies of every kind, nested as far as they may be.
    static func randomSet(using generator: inout SeededGenerator, hashes: Bool = true) -> [PolicyConfiguration] {
        (0..<Int.random(in: 0...5, using: &generator)).map { index in
            PolicyConfiguration(name: "p\(index)", kind: randomKind(using: &generator, hashes: hashes))
        }
    }

    private static func randomKind(using generator: inout SeededGenerator, hashes: Bool) -> any PolicyKind {
        let parts = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            Bool.random(using: &generator)
                ? randomBasic(using: &generator, hashes: hashes) as any PolicyKind
                : Not(randomBasic(using: &generator, hashes: hashes))
        }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: return And(parts)
        case 1: return Drop(parts)
        case 2: return parts[0]
        default: return randomBasic(using: &generator, hashes: hashes)
        }
    }

    private static func randomBasic(
        using generator: inout SeededGenerator, hashes: Bool
    ) -> any BasicPolicyKind {
        switch Int.random(in: 0..<(hashes ? 7 : 6), using: &generator) {
        case 0: AlwaysSample()
        case 1: StatusCode([StatusCode.Code.allCases.randomElement(using: &generator)!])
        case 2:
            Latency(
                thresholdMilliseconds: Int64.random(in: -2...8, using: &generator),
                upperThresholdMilliseconds: Int64.random(in: 0...8, using: &generator))
        case 3:
            SpanCount(
                minimum: Int64.random(in: 0...6, using: &generator),
                maximum: Int64.random(in: 0...6, using: &generator))
        case 4: TraceFlags()
        // Rates of few bits: exact in binary, so that the naive comparison in Double is.
        case 5: Rate(Double(Int.random(in: 0...8, using: &generator)) / 8)
        default:
            Probabilistic(
                percentage: Double(Int.random(in: 0...4, using: &generator)) * 25,
                salt: ["", "a"].randomElement(using: &generator)!)
        }
    }
}
