public import Configuration
public import TraceModel

/// `span_count`: keeps a trace by its number of spans, both bounds included.
public struct SpanCount: TraceLevelPolicyKind {
    public static let typeName = "span_count"

    public var minimum: Int64
    /// 0: none.
    public var maximum: Int64

    public init(minimum: Int64 = 0, maximum: Int64 = 0) {
        self.minimum = minimum
        self.maximum = maximum
    }

    public init(reading fields: inout Fields) {
        minimum = fields.integer("min_spans") ?? 0
        maximum = fields.integer("max_spans") ?? 0
        if maximum != 0, maximum < minimum {
            fields.warning("max_spans", "no trace has at least \(minimum) and at most \(maximum) spans")
        }
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        Condition(.spanCount(atLeast: minimum, atMost: maximum == 0 ? .max : maximum))
    }

    public var words: String {
        maximum == 0
            ? "traces of at least \(minimum) spans" : "traces of \(minimum) to \(maximum) spans"
    }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        let count = Int64(trace.spanCount)
        if count < minimum { return "spans \(count) < \(minimum)" }
        if maximum != 0, count > maximum { return "spans \(count) > \(maximum)" }
        return maximum == 0 ? "spans \(count) >= \(minimum)" : "spans \(count) in \(minimum)...\(maximum)"
    }
}
