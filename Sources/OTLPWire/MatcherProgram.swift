internal import Patterns
internal import TraceModel

/// Tests over attributes and fields, compiled into flat tables that a scan interprets.
///
/// A value without closures, classes or existentials: an attribute costs a look into a table, and
/// only one whose key is asked for is read. Clauses hold in stages:
///
///     attribute ─ key table ─▶ checks ─ hold ─▶ terms ─ all of a clause ─▶ bit of `SpanRecord.matches`
///
/// Checks on a resource run once per resource; clauses that need nothing else set their bits there.
public struct MatcherProgram: Sendable {
    /// Clauses have bits 0 … 63.
    public static let bitCount = 64
    /// Distinct terms of all clauses.
    public static let termLimit = TermSet.capacity
    /// Clauses, as many as rules and policies may reasonably make.
    public static let clauseLimit = 4096
    /// Clauses that are force rules, `force_sampling.max_rules` of them at most.
    public static let forceRuleLimit = 1000
    /// Terms of one force rule.
    public static let forceRuleTermLimit = 16

    /// One test, with the terms that hold when it does.
    struct Check: Sendable {
        var operation: Operation
        var terms: TermSet
        /// The bounds of an int or, as bit patterns, of a double; 0 or 1 for a bool.
        var lower: Int64 = 0
        var upper: Int64 = 0
        /// The text to compare with, in `operands`.
        var operandStart = 0
        var operandEnd = 0
        /// Index into `sets`.
        var set = 0
    }

    enum Operation: UInt8, Sendable {
        case exists
        case equals
        case isIn
        case hasPrefix
        case hasSuffix
        case contains
        case isBool
        case intIn
        case doubleIn
        case numberIn
        case pattern
        case traceStateHas
    }

    /// A conjunction: all of `required` and none of `forbidden`.
    struct Clause: Sendable {
        var required: TermSet
        var forbidden: TermSet
        var bits: UInt64
    }

    /// Keys of span attributes, each with a range of `checks`.
    let spanKeys: ByteStringTable
    /// Keys of resource attributes, each with a range of `checks`.
    let resourceKeys: ByteStringTable
    let checks: [Check]
    /// For each `MatcherField` its checks.
    let fieldChecks: [(field: MatcherField, range: Range<Int>)]
    /// Text operands, one after the other.
    let operands: [UInt8]
    let sets: [ByteStringTable]
    let ranges: [NumberRange]
    let patterns: [Pattern]
    let traceStates: [MatcherCondition]
    let forceRules: [(rank: UInt16, clause: MatcherClause)]
    /// Clauses that need the span, those of one trigger together.
    let clauses: [Clause]
    /// For each term the range of `clauses` that it triggers: their first required term.
    let triggered: [Range<Int>]
    /// Terms with a range of clauses.
    let triggers: TermSet
    /// Clauses that need the span but require no term: asked for every span.
    let untriggered: [Clause]
    /// Clauses over the resource alone.
    let resourceClauses: [Clause]

    /// The program that sets no bit; scanning with it costs nothing.
    public static let empty = MatcherProgram()

    /// Whether no span can ever get a bit.
    public let isEmpty: Bool

    init() {
        spanKeys = ByteStringTable([])
        resourceKeys = ByteStringTable([])
        checks = []
        fieldChecks = []
        operands = []
        sets = []
        ranges = []
        patterns = []
        traceStates = []
        forceRules = []
        clauses = []
        triggered = []
        triggers = TermSet()
        untriggered = []
        resourceClauses = []
        isEmpty = true
    }

    /// Compiles clauses; equal terms are evaluated once, however many clauses share them.
    public init(_ clauses: [MatcherClause]) throws(MatcherProgramError) {
        let compiler = try MatcherCompiler(clauses)
        spanKeys = compiler.spanKeys
        resourceKeys = compiler.resourceKeys
        checks = compiler.checks
        fieldChecks = compiler.fieldChecks
        operands = compiler.operands
        sets = compiler.sets
        ranges = compiler.ranges
        patterns = compiler.patterns
        traceStates = compiler.traceStates
        forceRules = compiler.forceRules
        self.clauses = compiler.clauses
        triggered = compiler.triggered
        triggers = compiler.triggers
        untriggered = compiler.untriggered
        resourceClauses = compiler.resourceClauses
        isEmpty = clauses.isEmpty
    }
}

/// Why clauses make no program.
public enum MatcherProgramError: Error, Hashable, Sendable {
    /// A bit outside of 0 … 63.
    case bitOutOfRange(Int)
    /// More distinct terms than `MatcherProgram.termLimit`.
    case tooManyTerms
    /// More clauses than `MatcherProgram.clauseLimit`.
    case tooManyClauses
    /// `SpanRecord.noForceRule` is no rank.
    case rankOutOfRange(UInt16)
    /// More force rules than `MatcherProgram.forceRuleLimit`.
    case tooManyForceRules
    /// A force rule, by its rank, of more terms than `MatcherProgram.forceRuleTermLimit`.
    case tooManyForceRuleTerms(UInt16)
    /// `traceStateHas` of something else than the field `traceState`.
    case traceStateOfAnother
    /// A condition that the field, by its type, can never satisfy.
    case conditionOfAnotherType(MatcherField)
}
