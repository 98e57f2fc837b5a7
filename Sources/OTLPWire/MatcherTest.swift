public import Patterns

/// What a matcher looks at.
public enum MatcherSubject: Hashable, Sendable {
    /// An attribute of the span; the key is UTF-8.
    case spanAttribute(key: [UInt8])
    /// An attribute of the span's resource; the key is UTF-8.
    case resourceAttribute(key: [UInt8])
    /// A field of the span itself.
    case field(MatcherField)

    public static func span(_ key: String) -> MatcherSubject { .spanAttribute(key: Array(key.utf8)) }
    public static func resource(_ key: String) -> MatcherSubject { .resourceAttribute(key: Array(key.utf8)) }
}

/// Fields of a span that can be matched beside attributes, and how they are typed.
public enum MatcherField: UInt8, Hashable, Sendable, CaseIterable {
    /// String.
    case name
    /// String.
    case statusMessage
    /// String: the whole header value.
    case traceState
    /// Int: 0 unset, 1 ok, 2 error.
    case statusCode
    /// Int: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    case kind
    /// Int: end minus start in nanoseconds, negative when the end lies before the start.
    case durationNanoseconds
    /// Int: the same in whole milliseconds, cut towards zero, as in the table's column.
    case durationMilliseconds
    /// Int: `Span.flags`.
    case flags
    /// Bool: whether the span has no parent.
    case isRoot
}

/// What must hold of the subject. An absent attribute satisfies none of them, and a value of
/// another type satisfies only `exists`.
public enum MatcherCondition: Hashable, Sendable {
    /// The attribute is there, whatever its value, an empty one too.
    case exists
    /// A string, byte by byte.
    case equals([UInt8])
    /// A string that is one of these.
    case isIn(Set<[UInt8]>)
    case hasPrefix([UInt8])
    case hasSuffix([UInt8])
    case contains([UInt8])
    case isBool(Bool)
    /// An int within the bounds; equality is `n...n`.
    case intIn(ClosedRange<Int64>)
    /// A double within the bounds; an open bound is `.nextUp` or `.nextDown` of it. NaN is in none.
    case doubleIn(ClosedRange<Double>)
    /// A number within the range: an int, a double, or a string that is written as a number.
    case numberIn(NumberRange)
    /// A string in which the expression matches somewhere.
    case pattern(Pattern)
    /// A `tracestate` that is valid as a whole and has the key with one of the values, byte by byte.
    /// Of the field `traceState` only.
    case traceStateHas(key: [UInt8], values: Set<[UInt8]>)

    public static func equals(_ text: String) -> MatcherCondition { .equals(Array(text.utf8)) }
    public static func isIn(_ texts: [String]) -> MatcherCondition { .isIn(Set(texts.map { Array($0.utf8) })) }
    public static func hasPrefix(_ text: String) -> MatcherCondition { .hasPrefix(Array(text.utf8)) }
    public static func hasSuffix(_ text: String) -> MatcherCondition { .hasSuffix(Array(text.utf8)) }
    public static func contains(_ text: String) -> MatcherCondition { .contains(Array(text.utf8)) }
    public static func traceStateHas(key: String, values: [String]) -> MatcherCondition {
        .traceStateHas(key: Array(key.utf8), values: Set(values.map { Array($0.utf8) }))
    }
}

/// One condition on one subject.
public struct MatcherTest: Hashable, Sendable {
    public var subject: MatcherSubject
    public var condition: MatcherCondition

    public init(_ subject: MatcherSubject, _ condition: MatcherCondition) {
        self.subject = subject
        self.condition = condition
    }
}

/// Tests of which one must hold, or none when negated.
///
/// "Differs from 5" is two terms: the attribute exists, and not (int 5 or double 5).
public struct MatcherTerm: Hashable, Sendable {
    public var anyOf: [MatcherTest]
    /// The term holds when no test does; an absent attribute then satisfies it.
    public var isNegated: Bool

    public init(anyOf tests: [MatcherTest], isNegated: Bool = false) {
        anyOf = tests
        self.isNegated = isNegated
    }

    public init(_ subject: MatcherSubject, _ condition: MatcherCondition, isNegated: Bool = false) {
        self.init(anyOf: [MatcherTest(subject, condition)], isNegated: isNegated)
    }
}

/// Terms that must all hold on one single span and its resource; the clause then has its effect.
///
/// Several clauses may have the same effect: one of them is enough. A clause without terms holds for
/// every span.
public struct MatcherClause: Hashable, Sendable {
    public enum Effect: Hashable, Sendable {
        /// Sets a bit of `SpanRecord.matches`, 0 … 63.
        case bit(Int)
        /// Makes `SpanRecord.forceRule` this rank, unless a lower one holds as well.
        case forceRule(UInt16)
    }

    public var effect: Effect
    public var terms: [MatcherTerm]

    /// - Parameter bit: 0 … 63.
    public init(bit: Int, terms: [MatcherTerm]) {
        effect = .bit(bit)
        self.terms = terms
    }

    /// - Parameter rank: Anything but `SpanRecord.noForceRule`; the lowest that holds is the span's.
    public init(forceRule rank: UInt16, terms: [MatcherTerm]) {
        effect = .forceRule(rank)
        self.terms = terms
    }
}
