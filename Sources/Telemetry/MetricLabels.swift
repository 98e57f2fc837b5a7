/// Why a trace was sampled. Users search for `traces_sampled_total{reason="error"}`.
public enum SampledReason: String, MetricLabel {
    case error, latency, cardinality, probabilistic
    case forceRule = "force_rule"
    case policy
}

/// Why a trace was decided against; all of these are normal.
public enum DroppedReason: String, MetricLabel {
    case notSampled = "not_sampled"
    case dropPolicy = "drop_policy"
    case forceRule = "force_rule"
    case duplicate
}

/// Why a span was refused at the entrance; the sender was told.
public enum RejectedReason: String, MetricLabel {
    /// Its trace id or span id is absent, of a wrong length or all zero.
    case invalidID = "invalid_id"
}

/// How accepted spans were lost; every series stays at zero in health.
public enum LostReason: String, MetricLabel {
    /// The log deleted them before they were read.
    case retention
    /// The log was damaged.
    case corruption
    /// They had been accepted and could not be read any more.
    case undecodable
}

/// How a policy voted on a trace.
public enum PolicyVote: String, MetricLabel {
    case sampled
    case notSampled = "not_sampled"
    case dropped
    case error
    case notEvaluated = "not_evaluated"
}

/// What became of a span that came after its trace was decided.
public enum LateDecision: String, MetricLabel {
    case kept, dropped
    /// The verdict was not known any more; the trace was judged anew.
    case forgotten
}

/// What was done with a segment of the buffer on disk.
public enum SegmentOperation: String, MetricLabel {
    case write, read, delete
}

/// By which entrance spans came.
public enum EntranceName: String, MetricLabel {
    case kafka, otlp
}

/// What could not be decoded.
public enum DecodeFormat: String, MetricLabel {
    case otlpProtobuf = "otlp_protobuf"
    case otlpJSON = "otlp_json"
    case gzip
}

/// Where sampled spans go.
public enum SinkName: String, MetricLabel {
    case iceberg
}

/// How a write to a sink ended.
public enum ExportResult: String, MetricLabel {
    case success, failure
}

/// How an attempt to commit ended.
public enum CommitResult: String, MetricLabel {
    case committed, conflict, failed
}

/// How a query ended.
public enum QueryResult: String, MetricLabel {
    case success
    /// The query itself was wrong.
    case invalid
    case timeout
    /// The worker failed or there was none.
    case failed
}

/// A listening port of the program.
public enum ServerName: String, MetricLabel {
    case otlp, admin, metrics
}

/// Classes of HTTP status, and the codes that say more than their class.
public enum StatusLabel: String, MetricLabel {
    case ok = "200"
    case badRequest = "400"
    case unauthorized = "401"
    case forbidden = "403"
    case notFound = "404"
    case methodNotAllowed = "405"
    case tooLarge = "413"
    case unsupportedMediaType = "415"
    case tooManyRequests = "429"
    case unavailable = "503"
    case other

    public init(status: Int) {
        self = StatusLabel(rawValue: String(status)) ?? .other
    }
}

extension LogLevel {
    static let written: [LogLevel] = [.trace, .debug, .info, .warning, .error]
}

/// The level of a log line.
enum LevelLabel: String, MetricLabel {
    case trace, debug, info, warning, error
}
