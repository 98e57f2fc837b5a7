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
            (conditions: policy.kind.conditions(&compiler), isDrop: policy.isDrop)
        }
        policyClauses = compiler.clauses()
        problems.add(compiler.problems.list)
        if problems.hasErrors { throw SamplingError(problems.errors) }
        program = try Self.program(policyClauses, forceRules)
        self.forceRules = forceRules
        self.policies = policies
        self.version = version
        self.stopsAtFirstMatch = stopsAtFirstMatch
        plan = Plan(compiled)
        warnings = problems.warnings + Self.reachProblems(policies, compiled.map(\.conditions))
    }

    /// Decides about a whole trace.
    ///
    /// - Complexity: O(*n*) for *n* conditions; a trace that is kept costs one more pass for each distinct
    ///   rate (see `Plan.inclusionProbability`). Allocates nothing.
    public func decide(_ trace: borrowing TraceSummary) -> Decision {
        switch plan.outcome(trace, Chance(randomness: trace.randomness, knowsHashes: true)) {
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
            // Never unknown here: the hashes were known.
            return Decision(
                verdict: .notSampled, reason: .notSampled, policy: "", adjustedCount: 0, policyVersion: version)
        }
    }
}
