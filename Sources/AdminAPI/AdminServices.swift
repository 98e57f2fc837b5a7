public import JSON
public import QueryEngine
public import Sampling
public import StateStores
public import TraceModel

/// What the admin port shows, answered by whoever wires the program. Every call returns at once.
public struct AdminServices: Sendable {
    public var health: any HealthReporting
    public var decisions: any DecisionLookup
    public var store: any StoreReporting
    /// Nil where there is no table to ask.
    public var queries: QueryEngine?
    /// Nil where they are switched off.
    public var forceRules: ForceRuleBook?
    /// The Prometheus page for an `Accept` header.
    public var metricsPage: @Sendable (_ accept: String?) -> MetricsPage

    public init(
        health: any HealthReporting, decisions: any DecisionLookup, store: any StoreReporting, queries: QueryEngine?,
        forceRules: ForceRuleBook? = nil, metricsPage: @escaping @Sendable (_ accept: String?) -> MetricsPage
    ) {
        self.health = health
        self.decisions = decisions
        self.store = store
        self.queries = queries
        self.forceRules = forceRules
        self.metricsPage = metricsPage
    }
}

public struct MetricsPage: Sendable {
    public var contentType: String
    public var text: String

    public init(contentType: String, text: String) {
        self.contentType = contentType
        self.text = text
    }
}

/// How the program is.
public protocol HealthReporting: Sendable {
    /// Whether every loop has turned lately; nothing outside the program plays a part.
    var isAlive: Bool { get }
    /// Why no span can be taken now, each in a few words; empty when it can.
    var obstacles: [String] { get }
    var report: HealthReport { get }
}

/// The state of the whole, for people.
public struct HealthReport: Sendable {
    public enum Status: String, Sendable {
        case healthy
        /// Works, but something needs a look.
        case degraded
        /// Does not take spans.
        case unhealthy
    }

    public struct Component: Sendable {
        public var name: String
        public var status: Status
        /// Wall clock, milliseconds since 1970.
        public var sinceMilliseconds: Int64?
        public var lastError: String?
        /// What else is worth showing.
        public var details: JSONObject

        public init(
            name: String, status: Status, sinceMilliseconds: Int64? = nil, lastError: String? = nil,
            details: JSONObject = [:]
        ) {
            self.name = name
            self.status = status
            self.sinceMilliseconds = sinceMilliseconds
            self.lastError = lastError
            self.details = details
        }
    }

    public var status: Status
    public var version: String
    public var instanceID: String
    public var timestampMilliseconds: Int64
    /// The effective policies in words, in order.
    public var policies: [String]
    public var policyVersion: UInt64
    /// `none` or `token`.
    public var authentication: String
    public var buffer: JSONObject
    public var components: [Component]

    public init(
        status: Status, version: String, instanceID: String, timestampMilliseconds: Int64, policies: [String],
        policyVersion: UInt64, authentication: String, buffer: JSONObject, components: [Component]
    ) {
        self.status = status
        self.version = version
        self.instanceID = instanceID
        self.timestampMilliseconds = timestampMilliseconds
        self.policies = policies
        self.policyVersion = policyVersion
        self.authentication = authentication
        self.buffer = buffer
        self.components = components
    }
}

/// The newest decisions, from a bounded memory.
public protocol DecisionLookup: Sendable {
    func decision(about traceID: TraceID) -> DecisionReport?
    /// Most decisions that are remembered.
    var rememberedDecisionCount: Int { get }
    /// Newest first.
    func recentDecisions(limit: Int) -> [DecisionReport]
}

/// One decision with its reasons.
public struct DecisionReport: Sendable {
    public struct Vote: Sendable {
        public var policy: String
        public var vote: String
        public var explanation: String
        /// The spans and values that made it vote so.
        public var evidence: [VoteEvidence]

        public init(policy: String, vote: String, explanation: String, evidence: [VoteEvidence] = []) {
            self.policy = policy
            self.vote = vote
            self.explanation = explanation
            self.evidence = evidence
        }
    }

    public var traceID: TraceID
    public var decision: Decision
    public var cause: RipeCause
    /// On the log's clock, milliseconds since 1970.
    public var firstSpanMilliseconds: Int64
    public var lastSpanMilliseconds: Int64
    public var decidedMilliseconds: Int64
    public var spanCount: Int
    public var explanation: String
    public var votes: [Vote]
    /// What made the policy or force rule that is credited want the trace, or not want it.
    public var evidence: [VoteEvidence]

    public init(
        traceID: TraceID, decision: Decision, cause: RipeCause, firstSpanMilliseconds: Int64,
        lastSpanMilliseconds: Int64, decidedMilliseconds: Int64, spanCount: Int, explanation: String, votes: [Vote],
        evidence: [VoteEvidence] = []
    ) {
        self.traceID = traceID
        self.decision = decision
        self.cause = cause
        self.firstSpanMilliseconds = firstSpanMilliseconds
        self.lastSpanMilliseconds = lastSpanMilliseconds
        self.decidedMilliseconds = decidedMilliseconds
        self.spanCount = spanCount
        self.explanation = explanation
        self.votes = votes
        self.evidence = evidence
    }
}

/// What is held undecided.
public protocol StoreReporting: Sendable {
    var store: StoreReport { get }
}

public struct StoreReport: Sendable {
    public var spanCount: Int
    public var traceCount: Int
    public var memoryBytes: Int
    public var diskBytes: Int
    /// `embedded`: the span log.
    public var storageType: String

    public init(spanCount: Int, traceCount: Int, memoryBytes: Int, diskBytes: Int, storageType: String) {
        self.spanCount = spanCount
        self.traceCount = traceCount
        self.memoryBytes = memoryBytes
        self.diskBytes = diskBytes
        self.storageType = storageType
    }
}
