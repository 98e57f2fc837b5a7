internal import Configuration
internal import OTLPWire
internal import Patterns

// What the operators mean, as the tests that the scanner runs.
//
// A rule acts on evidence only: where the attribute is missing every operator but `not_exists` is false, `neq` too.
// Numbers compare as numbers, whatever type they were sent with, and also when the rule gives them as text; texts
// compare byte by byte. Text operators look at texts alone.
extension ForceRule {
    /// The terms that must all hold on one span and its resource.
    func terms() throws(ForceRuleError) -> [MatcherTerm] {
        var terms: [MatcherTerm] = []
        do throws(ReadError) {
            for matcher in resource { terms += try matcher.terms(inSpan: false) }
            for matcher in span { terms += try matcher.terms(inSpan: true) }
        } catch {
            throw ForceRuleError([error.message])
        }
        guard terms.count <= MatcherProgram.forceRuleTermLimit else {
            throw ForceRuleError([
                "match: the rule asks \(terms.count) questions, of which neq is two; "
                    + "at most \(MatcherProgram.forceRuleTermLimit) are taken"
            ])
        }
        return terms
    }

    /// Whether nothing but absence or difference is asked for: alone it names nearly every trace.
    var namesNothing: Bool {
        span.isEmpty ? resource.allSatisfy(\.comparison.isNegative) : span.allSatisfy(\.comparison.isNegative)
    }
}

extension ForceRule.Matcher {
    /// - Parameter inSpan: Whether it stands in the span's list, where fields have names too.
    func terms(inSpan: Bool) throws(ReadError) -> [MatcherTerm] {
        guard inSpan else { return try terms(on: .resource(key)) }
        switch ForceRuleField.subject(key) {
        case .attribute(let key): return try terms(on: .span(key))
        case .field(let field): return try terms(on: field)
        }
    }

    func terms(on subject: MatcherSubject) throws(ReadError) -> [MatcherTerm] {
        switch comparison {
        case .exists: return [MatcherTerm(subject, .exists)]
        case .notExists: return [MatcherTerm(subject, .exists, isNegated: true)]
        case .equal, .isIn: return [MatcherTerm(anyOf: equalTests(on: subject))]
        case .notEqual:
            return [
                MatcherTerm(subject, .exists), MatcherTerm(anyOf: equalTests(on: subject), isNegated: true),
            ]
        case .contains, .startsWith, .endsWith, .regex:
            return [MatcherTerm(subject, try textCondition())]
        case .greater, .atLeast, .less, .atMost:
            return [MatcherTerm(subject, .numberIn(try range()))]
        }
    }

    /// Tests of which one holds when the attribute is one of the values.
    private func equalTests(on subject: MatcherSubject) -> [MatcherTest] {
        var conditions: [MatcherCondition] = []
        for value in values {
            if !subject.isField, let flag = value.flag { conditions.append(.isBool(flag)) }
            if let number = value.number { conditions.append(.numberIn(.equal(to: number))) }
        }
        let texts = values.map(\.words)
        conditions.append(texts.count == 1 ? .equals(texts[0]) : .isIn(texts))
        return conditions.map { MatcherTest(subject, $0) }
    }

    private func textCondition() throws(ReadError) -> MatcherCondition {
        let text = values.first?.words ?? ""
        guard !text.isEmpty else {
            throw ReadError("an empty text is in every text; the operator exists finds whatever is there")
        }
        switch comparison {
        case .contains: return .contains(text)
        case .startsWith: return .hasPrefix(text)
        case .endsWith: return .hasSuffix(text)
        default:
            do throws(PatternError) {
                return .pattern(try Pattern(text))
            } catch {
                throw ReadError("no regular expression: \(error.message)")
            }
        }
    }

    /// For the operators that compare numbers.
    private func range() throws(ReadError) -> NumberRange {
        guard let number = values.first?.number else {
            throw ReadError("\(comparison.rawValue) compares numbers, and \(values.first?.shown ?? "nothing") is none")
        }
        switch comparison {
        case .greater: return .above(number)
        case .atLeast: return .atLeast(number)
        case .less: return .below(number)
        default: return .atMost(number)
        }
    }

    // MARK: Fields

    func terms(on field: ForceRuleField) throws(ReadError) -> [MatcherTerm] {
        guard field.takes(comparison) else {
            throw ReadError(
                comparison.takesValue
                    ? "\(comparison.rawValue) asks nothing of the span's \(key)"
                    : "every span has a \(key); an attribute of the name is \(ForceRuleField.attributePrefix)\(key)")
        }
        switch field {
        case .name:
            let name = MatcherSubject.field(.name)
            if comparison.comparesTexts { return [MatcherTerm(name, try textCondition())] }
            return [MatcherTerm(anyOf: equalTests(on: name), isNegated: comparison == .notEqual)]
        case .status: return [try numberedTerm(.statusCode, field)]
        case .kind: return [try numberedTerm(.kind, field)]
        case .durationMilliseconds: return [try durationTerm()]
        }
    }

    /// `status` and `kind`: by word or by number.
    private func numberedTerm(_ wire: MatcherField, _ field: ForceRuleField) throws(ReadError) -> MatcherTerm {
        var tests: [MatcherTest] = []
        for value in values {
            let number = try field.number(of: value)
            tests.append(MatcherTest(.field(wire), .intIn(number...number)))
        }
        return MatcherTerm(anyOf: tests, isNegated: comparison == .notEqual)
    }

    /// The span's own duration in whole milliseconds, as the table's column has it.
    private func durationTerm() throws(ReadError) -> MatcherTerm {
        var ranges: [NumberRange] = []
        if comparison.comparesNumbers {
            ranges.append(try range())
        } else {
            for value in values {
                guard let number = value.number else {
                    throw ReadError("\(value.shown) is no number of milliseconds")
                }
                ranges.append(.equal(to: number))
            }
        }
        return MatcherTerm(
            anyOf: ranges.map { MatcherTest(.field(.durationMilliseconds), .numberIn($0)) },
            isNegated: comparison == .notEqual)
    }
}

extension MatcherSubject {
    /// The only field that is compared here is a text.
    fileprivate var isField: Bool {
        if case .field = self { true } else { false }
    }
}

extension ForceRule.Value {
    /// As it would be written in a text.
    var words: String {
        switch self {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): NumberText.of(number)
        case .flag(let flag): flag ? "true" : "false"
        }
    }

    /// For messages.
    var shown: String {
        if case .text(let text) = self { "\"\(text.prefix(Node.shownCharacterLimit))\"" } else { words }
    }

    var flag: Bool? {
        switch self {
        case .flag(let flag): flag
        case .text("true"): true
        case .text("false"): false
        default: nil
        }
    }

    /// The number that it is, or that it spells as a text.
    var number: MatcherNumber? {
        switch self {
        case .integer(let whole): .int(whole)
        case .real(let real): .double(real)
        case .text(let text): MatcherNumber(text: text)
        case .flag: nil
        }
    }
}
