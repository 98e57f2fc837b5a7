internal import Configuration
internal import OTLPWire

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
            let tests = try numberConditions().map { MatcherTest(subject, $0) }
            return [MatcherTerm(anyOf: tests)]
        }
    }

    /// Tests of which one holds when the attribute is one of the values.
    private func equalTests(on subject: MatcherSubject) -> [MatcherTest] {
        var texts: [String] = []
        var conditions: [MatcherCondition] = []
        for value in values {
            if let flag = value.flag { conditions.append(.isBool(flag)) }
            if let number = value.number { conditions += number.conditions(.equal) }
            texts.append(value.words)
        }
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
        default: throw ReadError("regular expressions are not built yet")
        }
    }

    private func numberConditions() throws(ReadError) -> [MatcherCondition] {
        guard let number = values.first?.number else {
            throw ReadError("\(comparison.rawValue) compares numbers, and \(values.first?.shown ?? "nothing") is none")
        }
        return number.conditions(comparison)
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
            if comparison.isText { return [MatcherTerm(name, try textCondition())] }
            let condition: MatcherCondition = .isIn(values.map(\.words))
            return [MatcherTerm(name, condition, isNegated: comparison == .notEqual)]
        case .status: return [try numberedTerm(.statusCode, field)]
        case .kind: return [try numberedTerm(.kind, field)]
        case .durationMilliseconds: return [try durationTerm()]
        }
    }

    /// `status` and `kind`: by word or by number.
    private func numberedTerm(_ wire: MatcherField, _ field: ForceRuleField) throws(ReadError) -> MatcherTerm {
        var tests: [MatcherTest] = []
        for value in values {
            let number: Int64
            if case .integer(let whole) = value.number {
                number = whole
            } else {
                number = try field.number(of: value.words)
            }
            guard let words = field.words, words.indices.contains(Int(clamping: number)) else {
                throw ReadError("\(number) is no \(key): known are 0 to \((field.words?.count ?? 1) - 1)")
            }
            tests.append(MatcherTest(.field(wire), .intIn(number...number)))
        }
        return MatcherTerm(anyOf: tests, isNegated: comparison == .notEqual)
    }

    /// The span's own duration with its fraction: a span of 5.5 ms is greater than 5.
    private func durationTerm() throws(ReadError) -> MatcherTerm {
        let bounds = comparison.comparesNumbers ? comparison : .equal
        var tests: [MatcherTest] = []
        for value in values {
            guard let number = value.number else { throw ReadError("\(value.shown) is no number of milliseconds") }
            for condition in number.nanosecondConditions(bounds) {
                tests.append(MatcherTest(.field(.durationNanoseconds), condition))
            }
        }
        return MatcherTerm(anyOf: tests, isNegated: comparison == .notEqual)
    }
}

extension ForceRule.Comparison {
    var isText: Bool { [.contains, .startsWith, .endsWith, .regex].contains(self) }
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

    /// The number that it is or, as a text, spells in decimal.
    var number: ForceRuleNumber? {
        switch self {
        case .integer(let whole): .integer(whole)
        case .real(let real): ForceRuleNumber(real)
        case .text(let text):
            if let whole = Int64(text) {
                .integer(whole)
            } else {
                ScalarText.number(text).flatMap { ForceRuleNumber($0) }
            }
        case .flag: nil
        }
    }
}
