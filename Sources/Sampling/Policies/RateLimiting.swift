public import Configuration
public import TraceModel

/// `rate_limiting`: keeps traces as long as their spans do not exceed a rate: a token bucket, a token a span.
///
/// A trace takes all of its tokens or none; one of more spans than the burst is never kept. The rate is that of all
/// partitions together (see `TokenBucket`), on the clock of the stream.
public struct RateLimiting: TraceLevelPolicyKind {
    public static let typeName = "rate_limiting"

    public var rate: TokenRate

    public init(_ rate: TokenRate) {
        self.rate = rate
    }

    public init(reading fields: inout Fields) {
        rate = TokenRate(reading: &fields, "spans_per_second", of: "spans")
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        compiler.limiter(rate) { .spanTokens(bucket: $0) }
    }

    public var words: String { "traces up to \(rate.perSecond) spans a second, \(rate.burst) at once" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        rate.explanation("spans", isMet: isMet)
    }
}
