internal import TraceModel

/// The policies of a sampler, compiled flat: three arrays, read in order, nothing allocated.
///
///     policies     drops first, then the others, each group in configuration order
///     ┌──────────────────────┐        conditions
///     │ 0 ..< 2  drop        │ ─────▶ ┌──────────────┬──────────┬────────────┬─────┐
///     │ 2 ..< 3  keep        │ ─────▶ │ matches m    │ duration │ statusCode │ …   │
///     └──────────────────────┘        └──────────────┴──────────┴────────────┴─────┘
///
/// A policy votes when all of its conditions hold. `and`, `not` and `drop` need nothing more, since
/// they nest only basic kinds: a conjunction of questions, each of them perhaps inverted.
struct Plan: Sendable {
    struct Policy: Sendable {
        /// Where they stand in the plan's.
        var conditions: Range<Int>
        /// Position in the configuration.
        var configurationIndex: Int
        /// Whether one of the conditions is a limiter's.
        var isLimiting: Bool
    }

    /// What the plan says of a trace; the number is an index into the configured policies.
    enum Outcome: Equatable {
        case dropped(Int)
        case sampled(Int)
        case notSampled
        /// It depends on a hash, or on what a limiter has left.
        case unknown
    }

    private(set) var policies: [Policy] = []
    private(set) var conditions: [Condition] = []
    private(set) var dropCount = 0
    /// Distinct rejection thresholds of the plan's rates, rising, 0 first: between two of them no answer changes.
    private(set) var thresholds: [UInt64] = [0]
    /// What limiting conditions name by index.
    let limiters: LimiterList
    /// Whether a condition asks for the trace's bytes.
    let limitsBytes: Bool

    init(_ compiled: [(conditions: [Condition], isDrop: Bool)], limiters: LimiterList) {
        self.limiters = limiters
        let parts = limiters.composites.flatMap(\.plan.parts).flatMap(\.conditions)
        limitsBytes = (compiled.flatMap(\.conditions) + parts).contains(where: \.limitsBytes)
        for isDrop in [true, false] {
            for (index, policy) in compiled.enumerated() where policy.isDrop == isDrop {
                policies.append(
                    Policy(
                        conditions: conditions.count..<conditions.count + policy.conditions.count,
                        configurationIndex: index, isLimiting: policy.conditions.contains(where: \.isLimiting)))
                conditions += policy.conditions
            }
            if isDrop { dropCount = policies.count }
        }
        var distinct: Set<UInt64> = [0]
        for case .randomness(let threshold) in conditions.map(\.test) { distinct.insert(threshold) }
        thresholds = distinct.filter { $0 < Rate.randomnessEnd }.sorted()
    }

    /// Drop policies first; then the first in configuration order that votes is credited.
    func outcome(_ trace: borrowing TraceSummary, _ chance: Chance) -> Outcome {
        var isUnknown = false
        for index in 0..<dropCount {
            switch truth(of: policies[index], trace, chance) {
            case .yes: return isUnknown ? .unknown : .dropped(policies[index].configurationIndex)
            case .unknown: isUnknown = true
            case .no: continue
            }
        }
        let mayBeDropped = isUnknown
        for index in dropCount..<policies.count {
            switch truth(of: policies[index], trace, chance) {
            case .yes: return mayBeDropped ? .unknown : .sampled(policies[index].configurationIndex)
            case .unknown: isUnknown = true
            case .no: continue
            }
        }
        return isUnknown && policies.count > dropCount ? .unknown : .notSampled
    }

    func truth(of policy: Policy, _ trace: borrowing TraceSummary, _ chance: Chance) -> Truth {
        var answer = Truth.yes
        for index in policy.conditions {
            switch conditions[index].truth(trace, chance) {
            case .no: return .no
            case .unknown: answer = .unknown
            case .yes: continue
            }
        }
        return answer
    }

    /// The share of traces like this one, of all randomness, that the plan keeps; nil when a hash or a limiter has a
    /// say.
    ///
    /// All rates look at the same 56 bits R, so the traces that a set of policies keeps are a set of
    /// values of R. The thresholds cut [0, 2⁵⁶) into intervals in which no rate changes its answer:
    /// asking the plan once in each of them and adding up the lengths of those that keep gives the exact
    /// probability of inclusion, also with rates inside `not`, `and` and `drop`. For plain rates
    /// p₁ … pₙ that apply to the trace it is max(pᵢ), as their sets contain one another; a policy without
    /// a rate that keeps the trace makes it 1. 1 / probability is the adjusted count: the
    /// Horvitz-Thompson estimator, unbiased for every count over traces.
    ///
    /// A `probabilistic` policy uses another hash. Where it decides, the probability is not known
    /// (its hash and R are two functions of one id, of which nothing guarantees independence). Nor is it where a
    /// limiter decides: that depends on the traces that came before.
    func inclusionProbability(_ trace: borrowing TraceSummary) -> Double? {
        var kept: UInt64 = 0
        for index in thresholds.indices {
            let chance = Chance(randomness: thresholds[index], knowsHashes: false)
            switch outcome(trace, chance) {
            case .unknown: return nil
            case .sampled:
                let end = index + 1 < thresholds.count ? thresholds[index + 1] : Rate.randomnessEnd
                kept += end - thresholds[index]
            case .dropped, .notSampled: continue
            }
        }
        return Double(kept) / Double(Rate.randomnessEnd)
    }
}
