internal import Patterns
internal import TraceModel

/// Makes the tables of a `MatcherProgram`.
struct MatcherCompiler {
    private(set) var spanKeys = ByteStringTable([])
    private(set) var resourceKeys = ByteStringTable([])
    private(set) var checks: [MatcherProgram.Check] = []
    private(set) var fieldChecks: [(field: MatcherField, range: Range<Int>)] = []
    private(set) var operands: [UInt8] = []
    private(set) var sets: [ByteStringTable] = []
    private(set) var ranges: [NumberRange] = []
    private(set) var patterns: [Pattern] = []
    private(set) var traceStates: [MatcherCondition] = []
    private(set) var forceRules: [(rank: UInt16, clause: MatcherClause)] = []
    private(set) var clauses: [MatcherProgram.Clause] = []
    private(set) var triggered: [Range<Int>] = []
    private(set) var triggers = TermSet()
    private(set) var untriggered: [MatcherProgram.Clause] = []
    private(set) var resourceClauses: [MatcherProgram.Clause] = []

    /// The alternatives of every distinct term; negation belongs to the clause.
    private var terms: [Set<MatcherTest>] = []
    private var termIndexes: [Set<MatcherTest>: Int] = [:]

    init(_ source: [MatcherClause]) throws(MatcherProgramError) {
        guard source.count <= MatcherProgram.clauseLimit else { throw .tooManyClauses }
        var compiled: [MatcherProgram.Clause] = []
        for clause in source {
            switch clause.effect {
            case .bit(let bit): compiled.append(try compile(clause.terms, bit: bit))
            case .forceRule(let rank):
                guard rank != SpanRecord.noForceRule else { throw .rankOutOfRange(rank) }
                forceRules.append((rank, clause))
            }
        }
        guard forceRules.count <= MatcherProgram.forceRuleLimit else { throw .tooManyForceRules }
        try compileChecks()
        arrange(compiled)
    }

    private mutating func compile(
        _ source: [MatcherTerm], bit: Int
    ) throws(MatcherProgramError) -> MatcherProgram.Clause {
        guard (0..<MatcherProgram.bitCount).contains(bit) else { throw .bitOutOfRange(bit) }
        var compiled = MatcherProgram.Clause(required: TermSet(), forbidden: TermSet(), bits: 1 << UInt64(bit))
        for term in source {
            let index = try index(of: Set(term.anyOf))
            if term.isNegated {
                compiled.forbidden.insert(index)
            } else {
                compiled.required.insert(index)
            }
        }
        return compiled
    }

    private mutating func index(of term: Set<MatcherTest>) throws(MatcherProgramError) -> Int {
        if let known = termIndexes[term] { return known }
        guard terms.count < MatcherProgram.termLimit else { throw .tooManyTerms }
        terms.append(term)
        termIndexes[term] = terms.count - 1
        return terms.count - 1
    }

    // MARK: Checks

    /// Collects equal tests of all terms into one check each, those of one subject together.
    private mutating func compileChecks() throws(MatcherProgramError) {
        var termsOfTest: [MatcherTest: TermSet] = [:]
        for (index, term) in terms.enumerated() {
            for test in term { termsOfTest[test, default: TermSet()].insert(index) }
        }
        var testsOfSubject: [MatcherSubject: [MatcherTest]] = [:]
        for test in termsOfTest.keys { testsOfSubject[test.subject, default: []].append(test) }

        var spanEntries: [(string: [UInt8], values: Range<Int>)] = []
        var resourceEntries: [(string: [UInt8], values: Range<Int>)] = []
        for (subject, tests) in testsOfSubject {
            let first = checks.count
            for test in tests {
                checks.append(compile(test.condition, terms: termsOfTest[test] ?? TermSet()))
            }
            let range = first..<checks.count
            switch subject {
            case .spanAttribute(let key): spanEntries.append((key, range))
            case .resourceAttribute(let key): resourceEntries.append((key, range))
            case .field(let field):
                guard tests.allSatisfy({ field.accepts($0.condition) }) else {
                    throw .conditionOfAnotherType(field)
                }
                fieldChecks.append((field, range))
            }
        }
        spanKeys = ByteStringTable(spanEntries)
        resourceKeys = ByteStringTable(resourceEntries)
    }

    private mutating func compile(
        _ condition: MatcherCondition, terms: TermSet
    ) -> MatcherProgram.Check {
        switch condition {
        case .exists: return .init(operation: .exists, terms: terms)
        case .equals(let text): return check(.equals, text, terms)
        case .hasPrefix(let text): return check(.hasPrefix, text, terms)
        case .hasSuffix(let text): return check(.hasSuffix, text, terms)
        case .contains(let text): return check(.contains, text, terms)
        case .isIn(let texts):
            sets.append(ByteStringTable(texts.map { (string: $0, values: 0..<1) }))
            return .init(operation: .isIn, terms: terms, set: sets.count - 1)
        case .isBool(let value): return .init(operation: .isBool, terms: terms, lower: value ? 1 : 0)
        case .intIn(let range):
            return .init(
                operation: .intIn, terms: terms, lower: range.lowerBound, upper: range.upperBound)
        case .doubleIn(let range):
            return .init(
                operation: .doubleIn, terms: terms,
                lower: Int64(bitPattern: range.lowerBound.bitPattern),
                upper: Int64(bitPattern: range.upperBound.bitPattern))
        case .numberIn(let range):
            ranges.append(range)
            return .init(operation: .numberIn, terms: terms, set: ranges.count - 1)
        case .pattern(let pattern):
            patterns.append(pattern)
            return .init(operation: .pattern, terms: terms, set: patterns.count - 1)
        case .traceStateHas:
            traceStates.append(condition)
            return .init(operation: .traceStateHas, terms: terms, set: traceStates.count - 1)
        }
    }

    private mutating func check(
        _ operation: MatcherProgram.Operation, _ text: [UInt8], _ terms: TermSet
    ) -> MatcherProgram.Check {
        let start = operands.count
        operands.append(contentsOf: text)
        return .init(
            operation: operation, terms: terms, operandStart: start, operandEnd: operands.count)
    }

    // MARK: Clauses

    /// Sorts the clauses by what has to be known before they can hold.
    private mutating func arrange(_ compiled: [MatcherProgram.Clause]) {
        var resourceTerms = TermSet()
        for (index, term) in terms.enumerated() where term.allSatisfy(\.subject.isResource) {
            resourceTerms.insert(index)
        }
        var byTrigger: [[MatcherProgram.Clause]] = Array(repeating: [], count: terms.count)
        for clause in compiled {
            if resourceTerms.isSuperset(of: clause.required | clause.forbidden) {
                resourceClauses.append(clause)
            } else if let trigger = trigger(of: clause, avoiding: resourceTerms) {
                byTrigger[trigger].append(clause)
            } else {
                untriggered.append(clause)
            }
        }
        for (term, group) in byTrigger.enumerated() {
            triggered.append(clauses.count..<(clauses.count + group.count))
            clauses.append(contentsOf: group)
            if !group.isEmpty { triggers.insert(term) }
        }
    }

    /// A required term, of the span if there is one: those of the resource hold for span after span.
    private func trigger(of clause: MatcherProgram.Clause, avoiding resourceTerms: TermSet) -> Int? {
        let required = terms.indices.filter(clause.required.contains)
        return required.first { !resourceTerms.contains($0) } ?? required.first
    }
}

extension MatcherSubject {
    fileprivate var isResource: Bool {
        if case .resourceAttribute = self { return true }
        return false
    }
}

extension MatcherField {
    /// Whether a value of the field's type can satisfy the condition.
    func accepts(_ condition: MatcherCondition) -> Bool {
        switch self {
        case .name, .statusMessage: condition.takesText
        case .traceState: condition.takesText || condition.takesTraceState
        case .statusCode, .kind, .durationNanoseconds, .durationMilliseconds, .flags: condition.takesInt
        case .isRoot: condition.takesBool
        }
    }
}

extension MatcherCondition {
    var takesText: Bool {
        switch self {
        case .exists, .equals, .isIn, .hasPrefix, .hasSuffix, .contains, .numberIn, .pattern: true
        case .isBool, .intIn, .doubleIn, .traceStateHas: false
        }
    }

    var takesInt: Bool {
        switch self {
        case .exists, .intIn, .numberIn: true
        default: false
        }
    }

    var takesBool: Bool {
        switch self {
        case .exists, .isBool: true
        default: false
        }
    }

    var takesTraceState: Bool {
        if case .traceStateHas = self { return true }
        return false
    }
}
