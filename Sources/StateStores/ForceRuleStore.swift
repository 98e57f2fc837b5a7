public import Sampling

/// Where force rules outlive the process.
///
/// Called by one thread at a time, which may be blocked by it. Every implementation passes the same conformance suite.
public protocol ForceRuleStore: Sendable {
    /// Where it is, for people: `sqlite:///var/lib/tss/state.db`.
    var words: String { get }

    func load() throws(ForceRuleStoreError) -> StoredForceRules
    /// Adds the rule, in the place of one of the same id; durable on return.
    func put(_ rule: ForceRule) throws(ForceRuleStoreError)
    /// Forgets rules; those that are not there are no error. Durable on return.
    func delete(_ ids: [String]) throws(ForceRuleStoreError)
    /// Adds to what the rules have counted; rules that are not there are left out. May be lost by a crash.
    func add(_ matches: [ForceRuleMatches]) throws(ForceRuleStoreError)
}

public struct StoredForceRules: Sendable {
    /// In no order.
    public var rules: [ForceRule]
    /// Entries that no version of ours has written, or that were damaged; they stay where they are.
    public var unreadable: [Unreadable]

    public struct Unreadable: Hashable, Sendable {
        public var id: String
        public var message: String

        public init(id: String, message: String) {
            self.id = id
            self.message = message
        }
    }

    public init(rules: [ForceRule] = [], unreadable: [Unreadable] = []) {
        self.rules = rules
        self.unreadable = unreadable
    }
}

/// Traces that a rule has decided.
public struct ForceRuleMatches: Hashable, Sendable {
    public var id: String
    public var traceCount: Int64
    /// Of the last one; wall clock, milliseconds since 1970.
    public var lastMilliseconds: Int64

    public init(id: String, traceCount: Int64, lastMilliseconds: Int64) {
        self.id = id
        self.traceCount = traceCount
        self.lastMilliseconds = lastMilliseconds
    }
}

/// The store cannot be reached, is full, or is damaged; nothing was changed.
public struct ForceRuleStoreError: Error, Sendable, CustomStringConvertible {
    /// Lower case, no full stop.
    public var message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
