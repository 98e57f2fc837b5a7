public import TraceModel

/// What one top-level policy said about one trace.
public struct Vote: Sendable {
    public enum Outcome: UInt8, Sendable, CaseIterable {
        case sampled
        case notSampled
        case dropped
        case error
        case notEvaluated
    }

    public var policy: PolicyConfiguration
    public var outcome: Outcome
    let trace: TraceSummary
    let conditions: ArraySlice<Condition>

    /// How the trace answered, such as "latency 38 ms < 5000 ms"; made when it is read.
    public var explanation: String {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        var answers = Answers(conditions.map { $0.truth(trace, chance) == .yes })
        return policy.kind.explanation(trace, &answers)
    }
}

extension Vote.Outcome: CustomStringConvertible {
    /// The name in metrics and answers.
    public var description: String {
        switch self {
        case .sampled: "sampled"
        case .notSampled: "not_sampled"
        case .dropped: "dropped"
        case .error: "error"
        case .notEvaluated: "not_evaluated"
        }
    }
}

extension Sampler {
    /// The vote of every policy, in configuration order.
    ///
    /// After a drop nobody else is asked; a drop policy that does not want the trace votes not sampled.
    public func votes(_ trace: TraceSummary) -> [Vote] {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        var votes: [Vote?] = Array(repeating: nil, count: policies.count)
        var isOver = false
        for (order, compiled) in plan.policies.enumerated() {
            let isDrop = order < plan.dropCount
            var outcome = Vote.Outcome.notEvaluated
            if !isOver {
                let wants = plan.truth(of: compiled, trace, chance) == .yes
                outcome = wants ? (isDrop ? .dropped : .sampled) : .notSampled
                isOver = wants && (isDrop || stopsAtFirstMatch)
            }
            votes[compiled.configurationIndex] = Vote(
                policy: policies[compiled.configurationIndex], outcome: outcome, trace: trace,
                conditions: plan.conditions[compiled.conditions])
        }
        return votes.compactMap { $0 }
    }

    /// Why, in one line: the credited policy's answer, or every policy's when none wanted the trace.
    ///
    ///     sampled by always_sample_errors: errors yes
    ///     not_sampled: errors no, latency 38 ms < 5000 ms, base rate 0
    public func explanation(of decision: Decision, for trace: TraceSummary) -> String {
        if decision.reason == .forceRule { return "\(decision.verdict) by force rule \(decision.policy)" }
        if decision.verdict == .notSampled {
            let answers = votes(trace).map(\.explanation).joined(separator: ", ")
            return answers.isEmpty ? "not_sampled: there are no policies" : "not_sampled: \(answers)"
        }
        guard let credited = votes(trace).first(where: { $0.policy.name == decision.policy }) else {
            return "\(decision.verdict) by \(decision.policy)"
        }
        return "\(decision.verdict) by \(decision.policy): \(credited.explanation)"
    }
}
