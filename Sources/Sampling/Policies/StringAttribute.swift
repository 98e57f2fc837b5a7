public import Configuration
internal import OTLPWire
public import TraceModel

/// `string_attribute`: keeps a trace in which some span, or its resource, has a string attribute with one of
/// the values, byte by byte; with `invert_match`, one in which none has.
///
/// Empty values are ignored, and an empty list matches nothing. Regular expressions are not built yet.
public struct StringAttribute: BasicPolicyKind {
    public static let typeName = "string_attribute"

    public var key: String
    public var values: [String]
    public var isInverted: Bool

    public init(key: String, values: [String], isInverted: Bool = false) {
        self.key = key
        self.values = values
        self.isInverted = isInverted
    }

    public init(reading fields: inout Fields) {
        key = fields.requiredKey()
        values = fields.texts("values")?.map(\.text).filter { !$0.isEmpty } ?? []
        isInverted = fields.boolean("invert_match") ?? false
        if fields.boolean("enabled_regex_matching") == true {
            fields.error("enabled_regex_matching", "regular expressions are not built yet")
        }
        if fields.integer("cache_max_size") != nil {
            fields.warning("cache_max_size", "has no effect without enabled_regex_matching")
        }
        if values.isEmpty, !fields.problems.hasErrors {
            fields.warning("values", "without values \(isInverted ? "every" : "no") trace is kept")
        }
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        guard !values.isEmpty else { return Condition(.never, isInverted: isInverted) }
        return compiler.anySpan(tests).inverted(isInverted)
    }

    private var tests: [MatcherTest] {
        [MatcherTest(.span(key), .isIn(values)), MatcherTest(.resource(key), .isIn(values))]
    }

    public var words: String { AttributeWords.words(key, list, isInverted: isInverted) }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        AttributeWords.explanation(key, list, isInverted: isInverted, isMet: isMet)
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.attribute(key, tests, isFound: isMet != isInverted)
    }

    private var list: String {
        values.count == 1 ? "\"\(values[0])\"" : "one of \(values.map { "\"\($0)\"" }.joined(separator: ", "))"
    }
}
