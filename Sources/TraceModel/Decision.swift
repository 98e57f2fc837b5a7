/// What was decided about a trace.
public enum Verdict: UInt8, Sendable, CaseIterable {
    case sampled = 1
    /// No policy wanted it.
    case notSampled = 2
    /// A drop policy or a force_drop rule named it.
    case dropped = 3
}

/// Why; the values of the `reason` label and column.
public enum Reason: UInt8, Sendable, CaseIterable {
    case error
    case latency
    case cardinality
    case probabilistic
    case forceRule
    case policy
    case notSampled
    case dropPolicy
    case duplicate
}

/// The outcome for one trace, with who decided it.
public struct Decision: Sendable, Hashable {
    public var verdict: Verdict
    public var reason: Reason
    /// Name of the policy or id of the rule that is credited; empty when no policy wanted the trace.
    public var policy: String
    /// How many traces this one stands for: 1 / probability. 1 when kept for certain, 0 when unknown.
    public var adjustedCount: Double
    /// Version of the policy set that decided.
    public var policyVersion: UInt64

    public init(
        verdict: Verdict, reason: Reason, policy: String, adjustedCount: Double, policyVersion: UInt64 = 0
    ) {
        self.verdict = verdict
        self.reason = reason
        self.policy = policy
        self.adjustedCount = adjustedCount
        self.policyVersion = policyVersion
    }

    public var isKept: Bool { verdict == .sampled }
}

extension Reason: CustomStringConvertible {
    /// The name in metrics, logs and the table.
    public var description: String {
        switch self {
        case .error: "error"
        case .latency: "latency"
        case .cardinality: "cardinality"
        case .probabilistic: "probabilistic"
        case .forceRule: "force_rule"
        case .policy: "policy"
        case .notSampled: "not_sampled"
        case .dropPolicy: "drop_policy"
        case .duplicate: "duplicate"
        }
    }
}

extension Verdict: CustomStringConvertible {
    public var description: String {
        switch self {
        case .sampled: "sampled"
        case .notSampled: "not_sampled"
        case .dropped: "dropped"
        }
    }
}

extension RipeCause: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inactivity: "inactivity"
        case .root: "root"
        case .duration: "duration"
        case .early: "early"
        }
    }
}
