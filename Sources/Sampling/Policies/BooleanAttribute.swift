public import Configuration
internal import OTLPWire
public import TraceModel

/// `boolean_attribute`: keeps a trace in which some span, or its resource, has the boolean attribute; with
/// `invert_match`, one in which none has.
public struct BooleanAttribute: BasicPolicyKind {
    public static let typeName = "boolean_attribute"

    public var key: String
    public var value: Bool
    public var isInverted: Bool

    public init(key: String, value: Bool, isInverted: Bool = false) {
        self.key = key
        self.value = value
        self.isInverted = isInverted
    }

    public init(reading fields: inout Fields) {
        key = fields.requiredKey()
        value = fields.boolean("value") ?? false
        isInverted = fields.boolean("invert_match") ?? false
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        compiler.anySpan(tests).inverted(isInverted)
    }

    private var tests: [MatcherTest] {
        [MatcherTest(.span(key), .isBool(value)), MatcherTest(.resource(key), .isBool(value))]
    }

    public var words: String { AttributeWords.words(key, "\(value)", isInverted: isInverted) }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        AttributeWords.explanation(key, "\(value)", isInverted: isInverted, isMet: isMet)
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.attribute(key, tests, isFound: isMet != isInverted)
    }
}
