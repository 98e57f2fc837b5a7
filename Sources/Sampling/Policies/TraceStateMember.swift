public import Configuration
internal import OTLPWire
public import TraceModel

/// `trace_state`: keeps a trace in which the W3C `tracestate` of some span has the key with one of the values, byte by
/// byte.
///
/// Empty values are ignored, and an empty list matches nothing. A `tracestate` that is not valid as a whole matches
/// nothing.
public struct TraceStateMember: BasicPolicyKind {
    public static let typeName = "trace_state"

    public var key: String
    public var values: [String]

    public init(key: String, values: [String]) {
        self.key = key
        self.values = values
    }

    public init(reading fields: inout Fields) {
        key = fields.text("key") ?? ""
        if key.isEmpty, !fields.problems.hasErrors { fields.error("key", "the key of a tracestate's member is needed") }
        values = fields.texts("values")?.map(\.text).filter { !$0.isEmpty } ?? []
        if values.isEmpty, !fields.problems.hasErrors { fields.warning("values", "without values no trace is kept") }
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        guard !values.isEmpty else { return Condition(.never) }
        return compiler.anySpan([test])
    }

    private var test: MatcherTest {
        MatcherTest(.field(.traceState), .traceStateHas(key: key, values: values))
    }

    public var words: String { "traces in which the tracestate of a span has \(key) \(list)" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        "tracestate \(key) \(list) \(isMet ? "yes" : "no")"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        if isMet {
            search.span(satisfying: [MatcherTerm(anyOf: [test])])
        } else {
            search.trace("trace_state", explanation(search.trace, isMet: false))
        }
    }

    private var list: String {
        values.count == 1 ? "\"\(values[0])\"" : "one of \(values.map { "\"\($0)\"" }.joined(separator: ", "))"
    }
}
