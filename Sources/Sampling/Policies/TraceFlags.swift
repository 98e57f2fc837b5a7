public import Configuration
public import TraceModel

/// `trace_flags`: keeps a trace in which some span has the W3C sampled flag.
public struct TraceFlags: BasicPolicyKind {
    public static let typeName = "trace_flags"

    public init() {}

    public init(reading fields: inout Fields) {}

    public func condition(_ compiler: inout PolicyCompiler) -> Condition { Condition(.flaggedSampled) }

    public var words: String { "traces in which a span has the sampled flag" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        "sampled flag \(isMet ? "yes" : "no")"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        if isMet {
            search.spanWithSampledFlag()
        } else {
            search.trace("trace_flags", explanation(search.trace, isMet: false))
        }
    }
}
