public import TraceModel

extension Sampler {
    /// The spans and values behind every vote, in the order of the configuration; a force rule's come first.
    ///
    /// - Parameters:
    ///   - votes: Of every policy, in the order of the configuration; those that were not evaluated show nothing.
    ///   - readings: What the limiters needed and had at the decision (`SamplerState.readings`).
    ///   - kept: The spans. Nil when their bytes are gone: values of the whole trace are answered all the same.
    /// - Complexity: Each span is decoded at most once, up to 10,000 of them.
    public func evidence(
        for decision: Decision, votes: [Vote.Outcome], readings: [LimiterReading?] = [], of trace: TraceSummary,
        in kept: KeptTrace?
    ) -> [VoteEvidence] {
        var search = EvidenceSearch(trace)
        if decision.reason == .forceRule, let terms = forceRules.terms(ofID: decision.policy) {
            search.begin(decision.policy)
            search.span(satisfying: terms)
        }
        for compiled in plan.policies.sorted(by: { $0.configurationIndex < $1.configurationIndex }) {
            let index = compiled.configurationIndex
            guard index < votes.count, votes[index] != .notEvaluated else { continue }
            search.begin(policies[index].name)
            var answers = Answers(plan.answers(compiled.conditions, trace, votes[index], readings))
            policies[index].kind.evidence(&search, &answers)
        }
        return search.pieces(in: kept)
    }

    /// Why, in one line, with the span and the value that made the credited policy want the trace.
    ///
    ///     sampled by slow-checkout: span "POST /orders" http.route = "/checkout"
    ///     not_sampled: errors no, latency 38 ms < 5000 ms, base rate 0
    ///
    /// - Parameters:
    ///   - outcomes: As for `votes`.
    ///   - evidence: As `evidence(for:votes:readings:of:in:)` answers; without any, the policy's own words.
    public func explanation(
        of decision: Decision, for trace: TraceSummary, outcomes: [Vote.Outcome]? = nil, evidence: [VoteEvidence]
    ) -> String {
        let pieces = evidence.filter { $0.policy == decision.policy }
        guard decision.verdict != .notSampled, !pieces.isEmpty else {
            return explanation(of: decision, for: trace, outcomes: outcomes)
        }
        let who = decision.reason == .forceRule ? "force rule \(decision.policy)" : decision.policy
        return "\(decision.verdict) by \(who): \(VoteEvidence.line(pieces))"
    }
}
