internal import Patterns

extension MatcherCompiler {
    /// Collects equal tests of all terms into one each, and those of one subject into checks that stand together.
    mutating func compileTests() throws(MatcherProgramError) {
        var effects: [MatcherTest: TestEffects] = [:]
        for (index, term) in terms.list.enumerated() {
            for test in term { effects[test, default: TestEffects()].terms.insert(index) }
        }
        for (index, term) in forceTerms.list.enumerated() {
            for test in term { effects[test, default: TestEffects()].forceTerms.append(UInt16(index)) }
        }
        var subjects = SubjectTests()
        var patterns: Set<Pattern> = []
        for (test, effects) in effects {
            guard test.subject.accepts(test.condition) else { throw .conditionOfAnotherType(test.subject) }
            if case .pattern(let pattern) = test.condition { patterns.insert(pattern) }
            subjects.add(test, append(effects))
        }
        guard patterns.count <= MatcherProgram.patternLimit else { throw .tooManyPatterns }

        var spanEntries: [(string: [UInt8], values: Range<Int>)] = []
        var resourceEntries: [(string: [UInt8], values: Range<Int>)] = []
        for (subject, tests) in subjects.tests {
            let first = program.checks.count
            compile(tests)
            let range = first..<program.checks.count
            switch subject {
            case .spanAttribute(let key): spanEntries.append((key, range))
            case .resourceAttribute(let key): resourceEntries.append((key, range))
            case .field(let field): program.fieldChecks.append((field, range))
            }
        }
        program.spanKeys = ByteStringTable(spanEntries)
        program.resourceKeys = ByteStringTable(resourceEntries)
    }

    private mutating func append(_ effects: TestEffects) -> MatcherProgram.Effects {
        let first = program.forceRules.hits.count
        program.forceRules.hits.append(contentsOf: effects.forceTerms)
        return MatcherProgram.Effects(
            terms: effects.terms, firstForceTerm: UInt32(first), forceTermCount: UInt32(effects.forceTerms.count))
    }

    /// Appends the checks for the tests of one subject, the cheapest first.
    private mutating func compile(_ tests: [CompiledTest]) {
        var groups = TestGroups()
        for test in tests where !groups.take(test) {
            if let check = check(test) { program.checks.append(check) }
        }
        if groups.texts.count == 1, let check = check(groups.texts[0]) {
            program.checks.append(check)
        } else if !groups.texts.isEmpty {
            append(texts: groups.texts)
        }
        append(numbers: groups.numbers)
        append(traceStates: groups.traceStates)
        append(patterns: groups.patterns)
    }

    /// A test that is a check of its own; nil for those that are always in a group.
    private mutating func check(_ test: CompiledTest) -> MatcherProgram.Check? {
        let effects = test.effects
        switch test.condition {
        case .exists: return .init(operation: .exists, effects: effects)
        case .equals(let text): return check(.equals, text, effects)
        case .hasPrefix(let text): return check(.hasPrefix, text, effects)
        case .hasSuffix(let text): return check(.hasSuffix, text, effects)
        case .contains(let text): return check(.contains, text, effects)
        case .isIn(let texts): return .init(operation: .isIn, effects: effects, table: table(texts))
        case .isBool(let value): return .init(operation: .isBool, effects: effects, lower: value ? 1 : 0)
        case .intIn(let range):
            return .init(operation: .intIn, effects: effects, lower: range.lowerBound, upper: range.upperBound)
        case .doubleIn(let range):
            return .init(
                operation: .doubleIn, effects: effects,
                lower: Int64(bitPattern: range.lowerBound.bitPattern),
                upper: Int64(bitPattern: range.upperBound.bitPattern))
        case .numberIn, .pattern, .traceStateHas: return nil
        }
    }

    private mutating func check(
        _ operation: MatcherProgram.Operation, _ text: [UInt8], _ effects: MatcherProgram.Effects
    ) -> MatcherProgram.Check {
        let range = append(operand: text)
        return .init(operation: operation, effects: effects, start: range.lowerBound, end: range.upperBound)
    }

    private mutating func append(operand text: [UInt8]) -> Range<Int> {
        let start = program.operands.count
        program.operands.append(contentsOf: text)
        return start..<program.operands.count
    }

    /// A table of texts that are told from others only.
    private mutating func table(_ texts: Set<[UInt8]>) -> Int {
        program.texts.append(ByteStringTable(texts.map { (string: $0, values: 0..<1) }, hashesWhole: true))
        return program.texts.count - 1
    }

    // MARK: Groups

    private mutating func append(texts tests: [CompiledTest]) {
        var effects: [[UInt8]: [MatcherProgram.Effects]] = [:]
        for test in tests {
            switch test.condition {
            case .equals(let text): effects[text, default: []].append(test.effects)
            case .isIn(let texts): for text in texts { effects[text, default: []].append(test.effects) }
            default: break
            }
        }
        var entries: [(string: [UInt8], values: Range<Int>)] = []
        for (text, effects) in effects {
            let first = program.textEffects.count
            program.textEffects.append(contentsOf: effects)
            entries.append((text, first..<program.textEffects.count))
        }
        program.texts.append(ByteStringTable(entries, hashesWhole: true))
        program.checks.append(.init(operation: .texts, table: program.texts.count - 1))
    }

    private mutating func append(numbers tests: [MatcherProgram.NumberTest]) {
        guard !tests.isEmpty else { return }
        let first = program.numberTests.count
        program.numberTests.append(contentsOf: tests)
        program.checks.append(.init(operation: .numbers, start: first, end: program.numberTests.count))
    }

    private mutating func append(patterns tests: [(pattern: Pattern, effects: MatcherProgram.Effects)]) {
        guard !tests.isEmpty else { return }
        let first = program.patternTests.count
        let set = PatternSet(tests.map(\.pattern))
        program.patternTests.append(
            contentsOf: tests.map { MatcherProgram.PatternTest(pattern: $0.pattern.reference, effects: $0.effects) })
        program.patternSets.append(set)
        program.patternFilters.append(set.reference)
        program.checks.append(
            .init(
                operation: .patterns, start: first, end: program.patternTests.count,
                table: program.patternSets.count - 1))
    }

    private mutating func append(
        traceStates tests: [(key: [UInt8], values: Set<[UInt8]>, effects: MatcherProgram.Effects)]
    ) {
        guard !tests.isEmpty else { return }
        let first = program.traceStateTests.count
        for test in tests {
            let key = append(operand: test.key)
            program.traceStateTests.append(
                MatcherProgram.TraceStateTest(
                    start: key.lowerBound, end: key.upperBound, table: table(test.values), effects: test.effects))
        }
        program.checks.append(.init(operation: .traceStates, start: first, end: program.traceStateTests.count))
    }
}

/// The terms that a test is in.
private struct TestEffects {
    var terms = TermSet()
    var forceTerms: [UInt16] = []
}

private struct CompiledTest {
    var condition: MatcherCondition
    var effects: MatcherProgram.Effects
}

private struct SubjectTests {
    private(set) var tests: [MatcherSubject: [CompiledTest]] = [:]

    mutating func add(_ test: MatcherTest, _ effects: MatcherProgram.Effects) {
        tests[test.subject, default: []].append(CompiledTest(condition: test.condition, effects: effects))
    }
}

/// The tests of one subject that are evaluated together.
private struct TestGroups {
    private(set) var texts: [CompiledTest] = []
    private(set) var numbers: [MatcherProgram.NumberTest] = []
    private(set) var patterns: [(pattern: Pattern, effects: MatcherProgram.Effects)] = []
    private(set) var traceStates: [(key: [UInt8], values: Set<[UInt8]>, effects: MatcherProgram.Effects)] = []

    /// Whether the test is one of them.
    mutating func take(_ test: CompiledTest) -> Bool {
        switch test.condition {
        case .equals, .isIn: texts.append(test)
        case .numberIn(let range): numbers.append(.init(range: range, effects: test.effects))
        case .pattern(let pattern): patterns.append((pattern, test.effects))
        case .traceStateHas(let key, let values): traceStates.append((key, values, test.effects))
        default: return false
        }
        return true
    }
}

// MARK: Types

extension MatcherSubject {
    /// Whether a value of the subject can satisfy the condition; attributes have values of any type.
    func accepts(_ condition: MatcherCondition) -> Bool {
        switch self {
        case .spanAttribute, .resourceAttribute: !condition.takesTraceState
        case .field(let field): field.accepts(condition)
        }
    }
}

extension MatcherField {
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
    fileprivate var takesText: Bool {
        switch self {
        case .exists, .equals, .isIn, .hasPrefix, .hasSuffix, .contains, .numberIn, .pattern: true
        case .isBool, .intIn, .doubleIn, .traceStateHas: false
        }
    }

    fileprivate var takesInt: Bool {
        switch self {
        case .exists, .intIn, .numberIn: true
        default: false
        }
    }

    fileprivate var takesBool: Bool {
        switch self {
        case .exists, .isBool: true
        default: false
        }
    }

    fileprivate var takesTraceState: Bool {
        if case .traceStateHas = self { return true }
        return false
    }
}
