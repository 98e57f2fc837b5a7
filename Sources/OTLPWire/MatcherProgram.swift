internal import Patterns

/// Tests over attributes and fields, compiled into flat tables that a scan interprets.
///
/// A value without closures, classes or existentials: an attribute costs a look into a table, and
/// only one whose key is asked for is read. Clauses hold in stages:
///
///     attribute ─ key table ─▶ checks ─ hold ─▶ terms ─ all of a clause ─┬▶ bit of `SpanRecord.matches`
///                                                                        └▶ rank of `SpanRecord.forceRule`
///
/// Checks on a resource run once per resource; clauses that need nothing else have their effect there.
public struct MatcherProgram: Sendable {
    /// Clauses have bits 0 … 63.
    public static let bitCount = 64
    /// Distinct terms of all clauses with bits.
    public static let termLimit = TermSet.capacity
    /// Clauses with bits, as many as policies may reasonably make.
    public static let clauseLimit = 4096
    /// Clauses that are force rules: as many as there may be rules.
    public static let forceRuleLimit = 1000
    /// Terms of one force rule: 16 matchers, some of which take several.
    public static let forceRuleTermLimit = 64
    /// Distinct patterns, each of which may come to `Pattern.memoryLimitBytes`.
    public static let patternLimit = 1024

    /// What follows when a test holds.
    struct Effects: Sendable {
        var terms = TermSet()
        /// Of `forceRules.hits`: the terms of force rules.
        var firstForceTerm: UInt32 = 0
        var forceTermCount: UInt32 = 0
    }

    /// One test, or all tests of one kind of one subject.
    struct Check: Sendable {
        var operation: Operation
        /// Of the test; those of the members of a group are in its table.
        var effects = Effects()
        /// The bounds of an int or, as bit patterns, of a double; 0 or 1 for a bool.
        var lower: Int64 = 0
        var upper: Int64 = 0
        /// The text to compare with, in `operands`, or the members of a group, in its table.
        var start = 0
        var end = 0
        /// Index into `texts`, or into `patternSets`.
        var table = 0
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
        /// Group: all `equals` and `isIn`, by one look into a table.
        case texts
        /// Group: all `numberIn`, of one reading of the number.
        case numbers
        /// Group: all `pattern`, behind one set.
        case patterns
        /// Group: all `traceStateHas`, of one reading of the trace state.
        case traceStates
    }

    struct NumberTest: Sendable {
        var range: NumberRange
        var effects: Effects
    }

    struct PatternTest: Sendable {
        /// The owner is in `patternSets`.
        var pattern: PatternReference
        var effects: Effects
    }

    struct TraceStateTest: Sendable {
        /// The key, in `operands`.
        var start: Int
        var end: Int
        /// The values, in `texts`.
        var table: Int
        var effects: Effects
    }

    /// A conjunction: all of `required` and none of `forbidden`.
    struct Clause: Sendable {
        var required = TermSet()
        var forbidden = TermSet()
        var bits: UInt64
    }

    /// Keys of span attributes, each with a range of `checks`.
    var spanKeys = ByteStringTable([])
    /// Keys of resource attributes, each with a range of `checks`.
    var resourceKeys = ByteStringTable([])
    var checks: [Check] = []
    /// For each `MatcherField` its checks.
    var fieldChecks: [(field: MatcherField, range: Range<Int>)] = []
    /// Text operands, one after the other.
    var operands: [UInt8] = []
    /// Of groups of texts, each text has a range of `textEffects`.
    var texts: [ByteStringTable] = []
    var textEffects: [Effects] = []
    var numberTests: [NumberTest] = []
    var patternTests: [PatternTest] = []
    var traceStateTests: [TraceStateTest] = []
    /// Owners of what `patternTests` and `patternFilters` refer to.
    var patternSets: [PatternSet] = []
    var patternFilters: [PatternSetReference?] = []

    /// Clauses that need the span, those of one trigger together.
    var clauses: [Clause] = []
    /// For each term the range of `clauses` that it triggers: their first required term.
    var triggered: [Range<Int>] = []
    /// Terms with a range of clauses.
    var triggers = TermSet()
    /// Clauses that need the span but require no term: asked for every span.
    var untriggered: [Clause] = []
    /// Clauses over the resource alone.
    var resourceClauses: [Clause] = []
    var forceRules = ForceRules()

    /// The program that has no effect; scanning with it costs nothing.
    public static let empty = MatcherProgram()

    /// Whether no span can ever get a bit or a force rule.
    public internal(set) var isEmpty = true

    init() {}

    /// Compiles clauses; equal terms are evaluated once, however many clauses share them.
    public init(_ clauses: [MatcherClause]) throws(MatcherProgramError) {
        self = try MatcherCompiler(clauses).program
    }

    /// How often the automaton of several patterns ran out of its memory and they were asked one by one.
    public var exhaustedPatternSetCount: UInt64 { patternSets.reduce(0) { $0 + $1.exhaustedCount } }
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
    /// More distinct patterns than `MatcherProgram.patternLimit`.
    case tooManyPatterns
    /// A condition that the subject, by its type, can never satisfy.
    case conditionOfAnotherType(MatcherSubject)
}
