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
    let conditions: Range<Int>
    let plan: Plan

    /// How the trace answered, such as "latency 38 ms < 5000 ms"; made when it is read.
    public var explanation: String {
        if outcome == .error { return "\(policy.kind.typeName) failed" }
        var answers = Answers(plan.answers(conditions, trace, outcome))
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

extension Plan {
    /// What each condition of a policy said, as far as the trace and the policy's vote tell.
    ///
    /// A limiter's answer is gone with the moment. What is left of it: it said yes when the policy wanted the trace;
    /// it said no when it is the only one that can have; behind another condition's no it was not asked.
    ///
    /// - Parameter readings: What the limiters wrote down at the decision; with them their answers are known.
    func answers(
        _ range: Range<Int>, _ trace: TraceSummary, _ outcome: Vote.Outcome, _ readings: [LimiterReading?] = []
    ) -> [Answers.Answer] {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        let isWanted = outcome == .sampled || outcome == .dropped
        let truths = conditions[range].map { $0.truth(trace, chance) }
        let refused = truths.firstIndex(of: .no)
        let limiters = truths.indices.filter { truths[$0] == .unknown }
        return truths.enumerated().map { index, truth in
            var answer = Answers.Answer(isMet: truth == .yes)
            guard truth == .unknown else { return answer }
            answer.isMet =
                isWanted ? true : refused == nil && limiters.count == 1 && outcome == .notSampled ? false : nil
            let condition = conditions[range.lowerBound + index]
            if let place = self.limiters.place(of: condition.test), place < readings.count,
                let reading = readings[place]
            {
                answer.reading = reading
                answer.isMet = reading.isPassed != condition.isInverted
            }
            if case .composite(let composite) = condition.test {
                answer.part = answer.reading?.part ?? part(of: composite, trace, chance)
                answer.partAnswers = answer.part.map { partAnswers(of: composite, part: $0, readings) } ?? []
            }
            return answer
        }
    }

    /// What the conditions of the part that decided said: each of them yes, or another part would have.
    private func partAnswers(of composite: Int, part: Int, _ readings: [LimiterReading?]) -> [Answers.Answer] {
        limiters.composites[composite].plan.parts[part].conditions.map { condition in
            var answer = Answers.Answer(isMet: true)
            if let place = limiters.place(of: condition.test), place < readings.count {
                answer.reading = readings[place]
            }
            return answer
        }
    }

    /// The part of a composite that decides about the trace; nil: none does, or that depends on a limiter in it.
    private func part(of composite: Int, _ trace: TraceSummary, _ chance: Chance) -> Int? {
        for (index, part) in limiters.composites[composite].plan.parts.enumerated() {
            let truths = part.conditions.map { $0.truth(trace, chance) }
            if truths.contains(.no) { continue }
            return truths.contains(.unknown) ? nil : index
        }
        return nil
    }
}

extension Sampler {
    /// The vote of every policy, in configuration order.
    ///
    /// - Parameter outcomes: What the policies said when the trace was decided (`SamplerState.votes`). Without them
    ///   they are worked out from the trace alone, and a policy that depends on a limiter votes not evaluated.
    public func votes(_ trace: TraceSummary, outcomes: [Vote.Outcome]? = nil) -> [Vote] {
        let outcomes = outcomes ?? self.outcomes(trace)
        precondition(outcomes.count == policies.count, "votes of another sampler")
        var ranges: [Range<Int>] = Array(repeating: 0..<0, count: policies.count)
        for compiled in plan.policies { ranges[compiled.configurationIndex] = compiled.conditions }
        return policies.indices.map { index in
            Vote(
                policy: policies[index], outcome: outcomes[index], trace: trace, conditions: ranges[index], plan: plan)
        }
    }

    /// After a drop nobody else is asked; a drop policy that does not want the trace votes not sampled.
    private func outcomes(_ trace: TraceSummary) -> [Vote.Outcome] {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        var outcomes: [Vote.Outcome] = Array(repeating: .notEvaluated, count: policies.count)
        for (order, compiled) in plan.policies.enumerated() {
            let isDrop = order < plan.dropCount
            switch plan.truth(of: compiled, trace, chance) {
            case .yes:
                outcomes[compiled.configurationIndex] = isDrop ? .dropped : .sampled
                if isDrop || stopsAtFirstMatch { return outcomes }
            case .no: outcomes[compiled.configurationIndex] = .notSampled
            case .unknown: continue
            }
        }
        return outcomes
    }

    /// Why, in one line: the credited policy's answer, or every policy's when none wanted the trace.
    ///
    ///     sampled by always_sample_errors: errors yes
    ///     not_sampled: errors no, latency 38 ms < 5000 ms, base rate 0
    ///
    /// - Parameter outcomes: As for `votes`.
    public func explanation(
        of decision: Decision, for trace: TraceSummary, outcomes: [Vote.Outcome]? = nil
    ) -> String {
        if decision.reason == .forceRule { return "\(decision.verdict) by force rule \(decision.policy)" }
        if decision.verdict == .notSampled {
            let answers = votes(trace, outcomes: outcomes).map(\.explanation).joined(separator: ", ")
            return answers.isEmpty ? "not_sampled: there are no policies" : "not_sampled: \(answers)"
        }
        guard let credited = votes(trace, outcomes: outcomes).first(where: { $0.policy.name == decision.policy }) else {
            return "\(decision.verdict) by \(decision.policy)"
        }
        return "\(decision.verdict) by \(decision.policy): \(credited.explanation)"
    }
}
