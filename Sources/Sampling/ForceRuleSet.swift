internal import OTLPWire
public import TraceModel

/// The rules in the order in which they are asked: a rule's place is its *rank*, the number that scanned spans carry.
///
/// A value; a change makes another one. Ranks stay what they are until a rule is added: one that is removed or has
/// expired leaves its place as it was, so that what was scanned before still means the same.
///
///     rank   0            1              2            3
///            ┌──────────┐ ┌────────────┐ ┌──────────┐ ┌──────────┐
///            │ live     │ │ expired    │ │ gone     │ │ live     │
///            └──────────┘ └────────────┘ └──────────┘ └──────────┘
///            every trace  traces of its  no trace     every trace
///                         time only
public struct ForceRuleSet: Sendable {
    public enum State: UInt8, Sendable {
        /// Decides about every trace that it matches.
        case live
        /// Takes no new traces; those that were buffered before its expiry still obey.
        case expired
        /// Deleted, disabled, or forgotten: decides nothing.
        case gone
    }

    public struct Entry: Sendable {
        public fileprivate(set) var rule: ForceRule
        public fileprivate(set) var state: State
        /// Never given to another entry of a set or of those made from it; a rule that is enabled again gets a new one.
        public let serial: UInt64
        /// What one span and its resource must satisfy.
        let terms: [MatcherTerm]
    }

    /// By rank.
    public private(set) var entries: [Entry] = []
    /// Another number whenever a rank means another rule than before.
    public private(set) var matcherVersion: UInt32 = 0
    private var nextSerial: UInt64 = 0

    /// No rules.
    public init() {}

    /// All live.
    ///
    /// - Throws: What makes a rule unusable; none that `ForceRule.read` has made is.
    public init(rules: [ForceRule]) throws(ForceRuleError) {
        for rule in rules { try insert(rule) }
    }

    /// Entries that are not gone.
    public var count: Int { entries.count { $0.state != .gone } }
    public var isEmpty: Bool { entries.isEmpty }

    /// The rule of a rank; nil for `SpanRecord.noForceRule`.
    public subscript(rank: UInt16) -> Entry? {
        Int(rank) < entries.count ? entries[Int(rank)] : nil
    }

    /// Adds a rule; every rank may change, and what is gone loses its own.
    ///
    /// - Returns: The entry's serial number.
    @discardableResult
    public mutating func insert(_ rule: ForceRule, state: State = .live) throws(ForceRuleError) -> UInt64 {
        let entry = Entry(rule: rule, state: state, serial: nextSerial, terms: try rule.terms())
        entries.removeAll { $0.state == .gone }
        entries.insert(entry, at: entries.firstIndex { rule.precedes($0.rule) } ?? entries.count)
        nextSerial += 1
        matcherVersion &+= 1
        return entry.serial
    }

    /// The rule takes no new traces.
    public mutating func expire(_ serial: UInt64) {
        change(serial) { if $0.state == .live { $0.state = .expired } }
    }

    /// The rule decides nothing any more.
    public mutating func remove(_ serial: UInt64) { change(serial) { $0.state = .gone } }

    /// The rule lives until another moment.
    public mutating func extend(_ serial: UInt64, to rule: ForceRule) { change(serial) { $0.rule = rule } }

    /// What one span and its resource must satisfy for the rule of this id, whatever became of it.
    func terms(ofID id: String) -> [MatcherTerm]? { entries.first { $0.rule.id == id }?.terms }

    /// One for each rank that can still decide.
    var clauses: [MatcherClause] {
        entries.enumerated().filter { $0.element.state != .gone }.map { rank, entry in
            MatcherClause(forceRule: UInt16(rank), terms: entry.terms)
        }
    }

    private mutating func change(_ serial: UInt64, _ body: (inout Entry) -> Void) {
        guard let rank = entries.firstIndex(where: { $0.serial == serial }) else { return }
        body(&entries[rank])
    }
}

/// Why a rule cannot be used: every reason, each with its place.
public struct ForceRuleError: Error, Sendable {
    public var messages: [String]

    public init(_ messages: [String]) {
        self.messages = messages
    }
}

/// Which traces obey the rules that have expired; a shard's own knowledge, because offsets are its partition's.
public struct ForceRuleBoundaries: Sendable {
    /// Of each rule that was live here before: its state, and when it has expired the first offset that is free of it.
    private var known: [UInt64: Int64] = [:]

    public init() {}

    /// To be called with each set before it decides.
    ///
    /// - Parameter next: The offset that the shard reads next.
    public mutating func adopt(_ rules: ForceRuleSet, next: Int64) {
        var now: [UInt64: Int64] = [:]
        for entry in rules.entries {
            switch entry.state {
            case .live: now[entry.serial] = .max
            case .expired: now[entry.serial] = known[entry.serial].map { min($0, next) }
            case .gone: continue
            }
        }
        known = now
    }

    /// Whether the rule may decide about the trace that it matches.
    ///
    /// A rule that had expired before the shard knew it, as after a restart, takes the traces that began before
    /// that moment on the log's clock.
    public func applies(_ entry: ForceRuleSet.Entry, to trace: borrowing TraceSummary) -> Bool {
        switch entry.state {
        case .live: true
        case .gone: false
        case .expired:
            if let boundary = known[entry.serial] {
                trace.firstOffset < boundary
            } else {
                trace.firstTick.milliseconds < entry.rule.expiresMilliseconds
            }
        }
    }
}

extension Sampler {
    /// Who decides about a trace before any policy is asked, and how; nil when no rule does.
    ///
    /// - Parameter rematch: The first rank from its argument on that a span of the trace satisfies, or
    ///   `SpanRecord.noForceRule`; called only when the rule of `trace.forceRule` does not decide.
    public func forceDecision(
        about trace: borrowing TraceSummary, _ boundaries: borrowing ForceRuleBoundaries,
        rematch: (_ floor: UInt16) -> UInt16
    ) -> Decision? {
        var rank = trace.forceRule
        while let entry = forceRules[rank] {
            if boundaries.applies(entry, to: trace) { return decision(of: entry.rule) }
            rank = rematch(rank + 1)
        }
        return nil
    }

    /// The decision of a force rule: certain, so that a kept trace stands for itself alone.
    public func decision(of rule: ForceRule) -> Decision {
        Decision(
            verdict: rule.action == .keep ? .sampled : .dropped, reason: .forceRule, policy: rule.id,
            adjustedCount: rule.action == .keep ? 1 : 0, policyVersion: version)
    }

    /// The same policies with other force rules.
    ///
    /// - Throws: The rules' matchers that do not compile together.
    public func adopting(_ rules: ForceRuleSet) throws(SamplingError) -> Sampler {
        var sampler = self
        sampler.forceRules = rules
        if rules.matcherVersion != forceRules.matcherVersion {
            sampler.program = try Self.program(policyClauses, rules)
        }
        return sampler
    }

    /// Changes when spans that were scanned with another version mean something else.
    public var matcherVersion: UInt32 { forceRules.matcherVersion }
}
