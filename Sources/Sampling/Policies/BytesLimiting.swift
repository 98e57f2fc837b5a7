public import Configuration
public import TraceModel

/// `bytes_limiting`: keeps traces as long as their bytes do not exceed a rate: a token bucket, a token a byte.
///
/// A trace's bytes are those of its OTLP protobuf encoding (`KeptTrace.tracesDataBytes`); it takes all of its tokens
/// or none, and one larger than the burst is never kept. The rate is that of all partitions together (see
/// `TokenBucket`), on the clock of the stream.
public struct BytesLimiting: TraceLevelPolicyKind {
    public static let typeName = "bytes_limiting"

    public var rate: TokenRate

    public init(_ rate: TokenRate) {
        self.rate = rate
    }

    public init(reading fields: inout Fields) {
        rate = TokenRate(reading: &fields, "bytes_per_second", of: "bytes")
    }

    public func condition(_ compiler: inout PolicyCompiler) -> Condition {
        compiler.limiter(rate) { .byteTokens(bucket: $0) }
    }

    public var words: String { "traces up to \(rate.perSecond) bytes a second, \(rate.burst) at once" }

    public func explanation(_ trace: borrowing TraceSummary, isMet: Bool) -> String {
        rate.explanation("bytes", isMet: isMet)
    }
}
