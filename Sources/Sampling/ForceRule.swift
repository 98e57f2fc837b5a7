/// A rule that people make while the program runs: for a limited time it keeps, or drops, every trace that it matches,
/// before any policy is asked.
///
/// A value. Times come in: nothing here reads a clock.
public struct ForceRule: Hashable, Sendable {
    public enum Action: String, CaseIterable, Sendable {
        case keep = "force_keep"
        case drop = "force_drop"
    }

    /// `[A-Za-z0-9._-]{1,64}`; unique among the rules.
    public var id: String
    /// Why there is such a rule, for whoever finds it.
    public var description: String
    /// From its creation to its expiry.
    public var durationSeconds: Int64
    /// Higher first; of equal ones the newest, then by id.
    public var priority: Int64
    /// All must hold on the resource of the span that the span matchers hold on.
    public var resource: [Matcher]
    /// All must hold on one single span.
    public var span: [Matcher]
    public var action: Action
    /// The author means a drop that names nothing in particular.
    public var matchesAll: Bool
    /// A disabled rule decides nothing, and goes on getting older.
    public var isEnabled: Bool
    public var createdBy: String?
    /// Wall clock, milliseconds since 1970.
    public var createdMilliseconds: Int64
    /// From this moment on the rule takes no new trace; wall clock, milliseconds since 1970.
    public var expiresMilliseconds: Int64
    /// Traces that it has decided.
    public var tracesMatched: Int64
    /// Wall clock, milliseconds since 1970; nil before the first.
    public var lastMatchedMilliseconds: Int64?

    public init(
        id: String, description: String, durationSeconds: Int64, priority: Int64 = defaultPriority,
        resource: [Matcher] = [], span: [Matcher] = [], action: Action, matchesAll: Bool = false,
        isEnabled: Bool = true, createdBy: String? = nil, createdMilliseconds: Int64
    ) {
        self.id = id
        self.description = description
        self.durationSeconds = durationSeconds
        self.priority = priority
        self.resource = resource
        self.span = span
        self.action = action
        self.matchesAll = matchesAll
        self.isEnabled = isEnabled
        self.createdBy = createdBy
        self.createdMilliseconds = createdMilliseconds
        expiresMilliseconds = createdMilliseconds + durationSeconds * 1000
        tracesMatched = 0
        lastMatchedMilliseconds = nil
    }

    public static let defaultPriority: Int64 = 100

    /// At the moment of its expiry it has expired.
    public func isExpired(at milliseconds: Int64) -> Bool { milliseconds >= expiresMilliseconds }

    /// Whole seconds that are left, the last one begun counted as one; 0 when it has expired.
    public func remainingSeconds(at milliseconds: Int64) -> Int64 {
        max(0, (expiresMilliseconds - milliseconds + 999) / 1000)
    }

    /// Whether it is asked before the other.
    public func precedes(_ other: ForceRule) -> Bool {
        if priority != other.priority { return priority > other.priority }
        if createdMilliseconds != other.createdMilliseconds { return createdMilliseconds > other.createdMilliseconds }
        return id < other.id
    }
}

extension ForceRule {
    /// One question about one attribute, or about one field of the span.
    public struct Matcher: Hashable, Sendable {
        /// The attribute's key, or in a span's list the name of a field (`ForceRuleField`).
        public var key: String
        public var comparison: Comparison
        /// One for most operators, several for `in`, none for `exists` and `not_exists`.
        public var values: [Value]

        public init(_ key: String, _ comparison: Comparison, _ values: [Value] = []) {
            self.key = key
            self.comparison = comparison
            self.values = values
        }
    }

    /// The operators; without the attribute none but `notExists` holds.
    public enum Comparison: String, CaseIterable, Sendable {
        case equal = "eq"
        /// The attribute is there and differs.
        case notEqual = "neq"
        case contains
        case startsWith = "starts_with"
        case endsWith = "ends_with"
        case regex
        case isIn = "in"
        case exists
        case notExists = "not_exists"
        case greater = "gt"
        case atLeast = "gte"
        case less = "lt"
        case atMost = "lte"

        /// Holds where something is not: alone it names nearly everything.
        var isNegative: Bool { self == .notEqual || self == .notExists }
        var takesValue: Bool { self != .exists && self != .notExists }
        var comparesTexts: Bool { [.contains, .startsWith, .endsWith, .regex].contains(self) }
        var comparesNumbers: Bool { [.greater, .atLeast, .less, .atMost].contains(self) }
    }

    /// What a matcher compares with.
    public enum Value: Hashable, Sendable {
        case text(String)
        case integer(Int64)
        case real(Double)
        case flag(Bool)
    }
}

/// What a set of rules allows.
public struct ForceRuleLimits: Hashable, Sendable {
    /// Longest time from now to a rule's expiry (a week).
    public var durationSeconds: Int64 = 604_800
    /// Rules that are kept at once, those expired a short time ago included.
    public var ruleCount = 1000

    public init() {}

    /// `ruleCount` can be no more: a program of matchers has room for so many.
    public static let ruleCountLimit = 1000
    /// Matchers in the resource's list, and in the span's.
    public static let matchersInScope = 16
    /// Values of one `in`.
    public static let valuesOfMatcher = 100
    /// In bytes of UTF-8.
    public static let descriptionBytes = 1024
    public static let keyBytes = 256
    public static let valueBytes = 4096
    public static let authorBytes = 128
    public static let priorities: ClosedRange<Int64> = -1_000_000...1_000_000
    /// Of a rule written as JSON.
    public static let bodyBytes = 1 << 20
}
