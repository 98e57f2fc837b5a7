public import Configuration
internal import OTLPWire
public import Patterns
public import TraceModel

/// `string_attribute`: keeps a trace in which some span, or its resource, has a string attribute with one of
/// the values, byte by byte, or with `enabled_regex_matching` one in which some expression matches somewhere; with
/// `invert_match`, one in which none has.
///
/// Empty values are ignored, and an empty list matches nothing. Expressions are RE2's, matched in linear time while a
/// span is scanned; the Collector remembers `cache_max_size` values with their answers, which here is not needed.
public struct StringAttribute: BasicPolicyKind {
    public static let typeName = "string_attribute"

    public var key: String
    /// Exact values, or the texts of the patterns.
    public var values: [String]
    /// The values as expressions; empty when they are exact.
    public var patterns: [Pattern]
    public var isInverted: Bool

    public init(key: String, values: [String], isInverted: Bool = false) {
        self.key = key
        self.values = values
        patterns = []
        self.isInverted = isInverted
    }

    public init(key: String, matching patterns: [Pattern], isInverted: Bool = false) {
        self.key = key
        values = patterns.map(\.text)
        self.patterns = patterns
        self.isInverted = isInverted
    }

    public init(reading fields: inout Fields) {
        key = fields.requiredKey()
        let given = fields.texts("values") ?? []
        values = given.map(\.text).filter { !$0.isEmpty }
        patterns = []
        isInverted = fields.boolean("invert_match") ?? false
        let isRegular = fields.boolean("enabled_regex_matching") ?? false
        if isRegular { patterns = Self.patterns(given, &fields) }
        if fields.integer("cache_max_size") != nil {
            fields.warning(
                "cache_max_size",
                isRegular ? "has no effect: no answers are remembered" : "has no effect without enabled_regex_matching")
        }
        if values.isEmpty, !fields.problems.hasErrors {
            fields.warning("values", "without values \(isInverted ? "every" : "no") trace is kept")
        }
    }

    private static func patterns(_ texts: [(text: String, place: Place)], _ fields: inout Fields) -> [Pattern] {
        var patterns: [Pattern] = []
        for (index, item) in texts.enumerated() where !item.text.isEmpty {
            do throws(PatternError) {
                patterns.append(try Pattern(item.text))
            } catch {
                fields.problems.error(
                    at: item.place, key: "\(fields.key("values"))[\(index)]",
                    "no regular expression of RE2: \(error.message)")
            }
        }
        return patterns
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        guard !values.isEmpty else { return Condition(.never, isInverted: isInverted) }
        return compiler.anySpan(tests).inverted(isInverted)
    }

    private var tests: [MatcherTest] {
        let conditions: [MatcherCondition] = patterns.isEmpty ? [.isIn(values)] : patterns.map { .pattern($0) }
        return conditions.flatMap { [MatcherTest(.span(key), $0), MatcherTest(.resource(key), $0)] }
    }

    public var words: String { AttributeWords.words(key, list, isInverted: isInverted) }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        AttributeWords.explanation(key, list, isInverted: isInverted, isMet: isMet)
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.attribute(key, tests, isFound: isMet != isInverted)
    }

    private var list: String {
        let quoted = values.map { "\"\($0)\"" }
        let texts = quoted.count == 1 ? quoted[0] : "one of \(quoted.joined(separator: ", "))"
        return patterns.isEmpty ? texts : "matching \(texts)"
    }
}
