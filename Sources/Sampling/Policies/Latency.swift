public import Configuration
public import TraceModel

/// `latency`: keeps a trace by the time from its earliest start to its latest end, in whole milliseconds.
///
/// Without an upper bound: at least `threshold_ms`. With one: above `threshold_ms`, at most
/// `upper_threshold_ms`. The Collector tests the upper bound on growing prefixes of the spans, so that
/// their order decides; here the whole trace is judged. A trace that ends before it starts has a
/// negative latency.
public struct Latency: BasicPolicyKind {
    public static let typeName = "latency"

    public var thresholdMilliseconds: Int64
    /// 0: none.
    public var upperThresholdMilliseconds: Int64

    public init(thresholdMilliseconds: Int64, upperThresholdMilliseconds: Int64 = 0) {
        self.thresholdMilliseconds = thresholdMilliseconds
        self.upperThresholdMilliseconds = upperThresholdMilliseconds
    }

    public init(reading fields: inout Fields) {
        thresholdMilliseconds = fields.integer("threshold_ms") ?? 0
        upperThresholdMilliseconds = fields.integer("upper_threshold_ms") ?? 0
        if upperThresholdMilliseconds != 0, upperThresholdMilliseconds <= thresholdMilliseconds {
            fields.warning(
                "upper_threshold_ms",
                "no latency is above \(thresholdMilliseconds) ms and at most \(upperThresholdMilliseconds) ms")
        }
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        guard upperThresholdMilliseconds != 0 else {
            return Condition(.duration(atLeast: thresholdMilliseconds, atMost: .max))
        }
        guard thresholdMilliseconds < .max else { return Condition(.never) }
        return Condition(.duration(atLeast: thresholdMilliseconds + 1, atMost: upperThresholdMilliseconds))
    }

    public var words: String {
        upperThresholdMilliseconds == 0
            ? "traces that take at least \(thresholdMilliseconds) ms"
            : "traces that take more than \(thresholdMilliseconds) ms and at most \(upperThresholdMilliseconds) ms"
    }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        let latency = trace.durationMilliseconds
        if upperThresholdMilliseconds == 0 {
            return "latency \(latency) ms \(isMet ? ">=" : "<") \(thresholdMilliseconds) ms"
        }
        if latency <= thresholdMilliseconds { return "latency \(latency) ms <= \(thresholdMilliseconds) ms" }
        return "latency \(latency) ms \(isMet ? "<=" : ">") \(upperThresholdMilliseconds) ms"
    }

    public func evidence(_ search: inout EvidenceSearch, isMet: Bool) {
        search.trace("latency", explanation(search.trace, isMet: isMet))
        search.firstAndLastSpan()
    }
}
