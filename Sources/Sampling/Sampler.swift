public import Configuration
public import OTLPWire
public import TraceModel

/// Decides about traces by a fixed set of policies.
///
/// A value, never changed: another set of policies is another sampler with another version. `decide` is a
/// function of the trace and its id alone, so replicas, replays and late spans agree.
///
/// Semantics of the kinds and of their combination: those of the OpenTelemetry Collector's tail sampling
/// processor 0.156, with the deviations named at each kind.
public struct Sampler: Sendable {
    /// In configuration order.
    public let policies: [PolicyConfiguration]
    /// The questions that the scanner must answer for each span, for `TraceSummary.matches`.
    public internal(set) var program: MatcherProgram
    /// The policies' part of it, to which the force rules' part is added.
    let policyClauses: [MatcherClause]
    /// Asked by the pipeline before any policy.
    public internal(set) var forceRules: ForceRuleSet
    /// Stands in every decision.
    public let version: UInt64
    /// What was accepted, but is probably not meant.
    public let warnings: [Problem]
    /// Policies after the first that keeps a trace are not asked; changes votes, never a decision.
    public let stopsAtFirstMatch: Bool
    let plan: Plan

    /// Most policies in one set; every one of them is asked for every trace.
    public static let policyCountLimit = 256
    /// Longest name of a policy, in UTF-8 bytes: it stands in every row and metric.
    public static let nameLengthLimit = 128

    /// Compiles the policies.
    ///
    /// - Throws: All problems at once: names that are empty, too long or given twice, too many policies,
    ///   parts that cannot be compiled.
    public init(
        policies: [PolicyConfiguration], forceRules: ForceRuleSet = ForceRuleSet(), version: UInt64 = 1,
        stopsAtFirstMatch: Bool = false
    ) throws(SamplingError) {
        var problems = Self.namingProblems(policies)
        var compiler = PolicyCompiler()
        let compiled = policies.map { policy in
            compiler.policy = policy.name
            return (conditions: policy.kind.conditions(&compiler), isDrop: policy.isDrop)
        }
        policyClauses = compiler.clauses()
        problems.add(compiler.problems.list)
        if problems.hasErrors { throw SamplingError(problems.errors) }
        program = try Self.program(policyClauses, forceRules)
        self.forceRules = forceRules
        self.policies = policies
        self.version = version
        self.stopsAtFirstMatch = stopsAtFirstMatch
        plan = Plan(compiled, limiters: compiler.limiters)
        warnings = problems.warnings + Self.reachProblems(policies, compiled.map(\.conditions), compiler.limiters)
    }

    /// Limiters that are full, or have what those of an earlier sampler with the same limiters have left.
    ///
    /// - Parameters:
    ///   - partitionCount: Partitions whose traces are decided by a state of their own; every limit is divided by it.
    ///   - carrying: The state of the sampler before this one.
    public func makeState(partitionCount: Int, carrying old: SamplerState? = nil) -> SamplerState {
        SamplerState(
            policyCount: policies.count, limiters: plan.limiters, partitionCount: partitionCount, carrying: old)
    }

    /// Decides about a whole trace that no force rule decides about, once: limiters spend.
    ///
    /// - Parameters:
    ///   - state: Of this sampler; afterwards `state.votes` holds what each policy said.
    ///   - now: The stream clock. Limiters go by it alone, so the same stream is decided in the same way again.
    ///   - traceBytes: `KeptTrace.tracesDataBytes`, where `asksForBytes` says that it is needed. Without it a policy
    ///     that needs it votes error and is skipped.
    /// - Complexity: O(*n*) for *n* conditions; a trace that is kept costs one more pass for each distinct
    ///   rate (see `Plan.inclusionProbability`). Allocates nothing.
    public func decide(
        _ trace: borrowing TraceSummary, state: inout SamplerState, now: StreamTick, traceBytes: Int? = nil
    ) -> Decision {
        decide(trace, state: &state, atMilliseconds: now.milliseconds, traceBytes: traceBytes)
    }

    /// The same at a moment that is no tick.
    public func decide(
        _ trace: borrowing TraceSummary, state: inout SamplerState, atMilliseconds now: Int64, traceBytes: Int? = nil
    ) -> Decision {
        precondition(state.votes.count == policies.count, "a state of another sampler")
        state.limits.forgetReadings()
        let outcome = plan.decide(
            trace, Occasion(milliseconds: now, traceBytes: traceBytes), stopsAtFirstMatch: stopsAtFirstMatch,
            votes: &state.votes, counts: &state.counts, &state.limits)
        return decision(outcome, trace)
    }

    /// Decides as far as the trace alone says: a limiter's policy neither keeps nor spends.
    ///
    /// For a trace that was decided before and is whole again; its first decision paid already.
    public func decide(_ trace: borrowing TraceSummary) -> Decision {
        decision(plan.outcome(trace, Chance(randomness: trace.randomness, knowsHashes: true)), trace)
    }

    private func decision(_ outcome: Plan.Outcome, _ trace: borrowing TraceSummary) -> Decision {
        switch outcome {
        case .dropped(let index):
            return Decision(
                verdict: .dropped, reason: .dropPolicy, policy: policies[index].name, adjustedCount: 0,
                policyVersion: version)
        case .sampled(let index):
            let probability = plan.inclusionProbability(trace)
            return Decision(
                verdict: .sampled, reason: policies[index].reason, policy: policies[index].name,
                adjustedCount: probability.map { 1 / $0 } ?? 0, policyVersion: version)
        case .notSampled, .unknown:
            return Decision(
                verdict: .notSampled, reason: .notSampled, policy: "", adjustedCount: 0, policyVersion: version)
        }
    }

    /// Whether some policy limits by bytes: only then is `asksForBytes` worth a question.
    public var needsTraceBytes: Bool { plan.limitsBytes }

    /// Whether a policy will want to know the trace's size; `KeptTrace.tracesDataBytes` measures it.
    public func asksForBytes(_ trace: borrowing TraceSummary) -> Bool {
        guard plan.limitsBytes else { return false }
        return plan.asksForBytes(trace)
    }
}
