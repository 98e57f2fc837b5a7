internal import TraceModel

/// Makes the tables of a `MatcherProgram`: terms and clauses here, tests in `MatcherCompiler+Checks.swift`.
struct MatcherCompiler {
    var program = MatcherProgram()
    /// The alternatives of every distinct term of clauses with bits; negation belongs to the clause.
    private(set) var terms = TermNumbers()
    /// The same of force rules.
    private(set) var forceTerms = TermNumbers()

    init(_ source: [MatcherClause]) throws(MatcherProgramError) {
        var clauses: [MatcherProgram.Clause] = []
        var rules: [ForceRules.Source] = []
        for clause in source {
            switch clause.effect {
            case .bit(let bit): clauses.append(try compile(clause.terms, bit: bit))
            case .forceRule(let rank): rules.append(try compile(clause.terms, rank: rank))
            }
        }
        guard clauses.count <= MatcherProgram.clauseLimit else { throw .tooManyClauses }
        guard rules.count <= MatcherProgram.forceRuleLimit else { throw .tooManyForceRules }
        try compileTests()
        arrange(clauses)
        program.forceRules.arrange(rules, isOfResource: forceTerms.list.map(\.isOfResource))
        program.isEmpty = source.isEmpty
    }

    private mutating func compile(
        _ source: [MatcherTerm], bit: Int
    ) throws(MatcherProgramError) -> MatcherProgram.Clause {
        guard (0..<MatcherProgram.bitCount).contains(bit) else { throw .bitOutOfRange(bit) }
        var clause = MatcherProgram.Clause(bits: 1 << UInt64(bit))
        for term in source {
            let number = terms.number(of: term)
            guard number < MatcherProgram.termLimit else { throw .tooManyTerms }
            if term.isNegated {
                clause.forbidden.insert(number)
            } else {
                clause.required.insert(number)
            }
        }
        return clause
    }

    private mutating func compile(
        _ source: [MatcherTerm], rank: UInt16
    ) throws(MatcherProgramError) -> ForceRules.Source {
        guard rank != SpanRecord.noForceRule else { throw .rankOutOfRange(rank) }
        guard source.count <= MatcherProgram.forceRuleTermLimit else { throw .tooManyForceRuleTerms(rank) }
        var rule = ForceRules.Source(rank: rank)
        for term in source {
            let number = forceTerms.number(of: term)
            if term.isNegated {
                rule.forbidden.insert(number)
            } else {
                rule.required.insert(number)
            }
        }
        return rule
    }

    // MARK: Clauses

    /// Sorts the clauses by what has to be known before they can hold.
    private mutating func arrange(_ compiled: [MatcherProgram.Clause]) {
        var resourceTerms = TermSet()
        for (index, term) in terms.list.enumerated() where term.isOfResource {
            resourceTerms.insert(index)
        }
        var byTrigger: [[MatcherProgram.Clause]] = Array(repeating: [], count: terms.list.count)
        for clause in compiled {
            if resourceTerms.isSuperset(of: clause.required | clause.forbidden) {
                program.resourceClauses.append(clause)
            } else if let trigger = trigger(of: clause, avoiding: resourceTerms) {
                byTrigger[trigger].append(clause)
            } else {
                program.untriggered.append(clause)
            }
        }
        for (term, group) in byTrigger.enumerated() {
            let first = program.clauses.count
            program.triggered.append(first..<(first + group.count))
            program.clauses.append(contentsOf: group)
            if !group.isEmpty { program.triggers.insert(term) }
        }
    }

    /// A required term, of the span if there is one: those of the resource hold for span after span.
    private func trigger(of clause: MatcherProgram.Clause, avoiding resourceTerms: TermSet) -> Int? {
        let required = terms.list.indices.filter(clause.required.contains)
        return required.first { !resourceTerms.contains($0) } ?? required.first
    }
}

/// Terms in the order in which they were first met, equal ones once.
struct TermNumbers {
    private(set) var list: [Set<MatcherTest>] = []
    private var numbers: [Set<MatcherTest>: Int] = [:]

    mutating func number(of term: MatcherTerm) -> Int {
        let tests = Set(term.anyOf)
        if let known = numbers[tests] { return known }
        list.append(tests)
        numbers[tests] = list.count - 1
        return list.count - 1
    }
}

extension Set<MatcherTest> {
    /// Whether no test looks at the span.
    fileprivate var isOfResource: Bool {
        allSatisfy { test in
            if case .resourceAttribute = test.subject { return true }
            return false
        }
    }
}
