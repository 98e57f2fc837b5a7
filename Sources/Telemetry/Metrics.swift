/// Every metric of the program; made once, handed to whoever counts.
///
/// Within one process life, for traces and for spans:
/// ingested = sampled + dropped + lost + buffered now.
public final class Metrics: Sendable {
    public let pipeline: PipelineMetrics
    public let entrance: EntranceMetrics
    public let storage: StorageMetrics
    public let queries: QueryMetrics
    public let forceRules: ForceRuleMetrics
    public let kafka: KafkaMetrics

    private let families: [MetricFamily]

    /// - Parameters:
    ///   - version: Of the program.
    ///   - log: Its lines are counted on the page.
    public init(version: String, log: Log? = nil) {
        var declare = MetricDeclarations()
        pipeline = PipelineMetrics(&declare)
        entrance = EntranceMetrics(&declare)
        storage = StorageMetrics(&declare)
        queries = QueryMetrics(&declare)
        forceRules = ForceRuleMetrics(&declare, pipeline)
        kafka = KafkaMetrics(&declare)
        Self.declareLog(log, &declare)
        declare.information("build_info", [("version", version)], "The program that runs; always 1.")
        ProcessMetrics.declare(&declare)
        families = declare.families
    }

    public func page(_ format: MetricPage) -> String { format.render(families) }

    /// In the order of the page.
    public var declarations: [MetricDeclaration] { families.map(\.declaration) }

    private static func declareLog(_ log: Log?, _ declare: inout MetricDeclarations) {
        let counts = log?.counts ?? LogCounts()
        declare.reading("log_lines_total", by: "level", LevelLabel.self, "Log lines taken.") { level in
            LogLevel(name: level.rawValue).flatMap { counts.lines[$0] }?.value ?? 0
        }
        declare.reading("log_lines_dropped_total", "Log lines dropped because nobody read them.") {
            counts.dropped.value
        }
    }
}

enum MetricBounds {
    /// Requests: from a sync of a fast disk to a client's usual limit.
    static let request = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// One turn of a shard: the bar is 5 ms.
    static let turn = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]
    /// Decisions, commits and queries: to the longest that settings allow by default.
    static let pipeline = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
}

/// From the buffer to the decision.
public struct PipelineMetrics: Sendable {
    public let tracesIngested: Counter
    public let spansIngested: Counter
    public let entranceSpans: Labelled<EntranceName, Counter>
    public let tracesSampled: Labelled<SampledReason, Counter>
    public let spansSampled: Labelled<SampledReason, Counter>
    public let tracesDropped: Labelled<DroppedReason, Counter>
    public let spansDropped: Labelled<DroppedReason, Counter>
    public let tracesLost: Labelled<LostReason, Counter>
    public let spansLost: Labelled<LostReason, Counter>
    public let sourceGapMessages: Labelled<LostReason, Counter>
    public let policyVotes: NamedCounters<PolicyVote>
    public let lateSpans: Labelled<LateDecision, Counter>
    public let earlyDecisions: Counter
    public let decisionLatency: Histogram
    public let shardTurnDuration: Histogram
    /// Shared by the shards: each adds its own changes.
    public let bufferTraces: Gauge
    public let bufferSpans: Gauge
    public let bufferMemoryBytes: Gauge
    public let bufferDiskBytes: Gauge
    public let segmentDiskBytes: Gauge
    public let segmentsInFlight: Gauge
    public let segmentsWritten: Counter
    public let segmentBytesWritten: Counter
    public let segmentBytesRead: Counter
    public let segmentErrors: Labelled<SegmentOperation, Counter>
    public let segmentsRefused: Counter
    public let tracesRematched: Counter
    public let rematchBytesLeft: Gauge

    init(_ declare: inout MetricDeclarations) {
        tracesIngested = declare.counter("traces_ingested_total", "Traces opened in the buffer.")
        spansIngested = declare.counter("spans_ingested_total", "Spans accepted into the buffer.")
        entranceSpans = declare.counters(
            "entrance_spans_total", by: "entrance", "Spans accepted into the buffer, by where they came from.")
        tracesSampled = declare.counters("traces_sampled_total", by: "reason", "Traces decided to be kept.")
        spansSampled = declare.counters(
            "spans_sampled_total", by: "reason", "Buffered spans of traces decided to be kept.")
        tracesDropped = declare.counters("traces_dropped_total", by: "reason", "Traces decided against.")
        spansDropped = declare.counters(
            "spans_dropped_total", by: "reason", "Buffered spans of traces decided against.")
        tracesLost = declare.counters(
            "traces_lost_total", by: "reason", "Buffered traces that are gone undecided; page on any rise.")
        spansLost = declare.counters(
            "spans_lost_total", by: "reason", "Accepted spans that are gone; page on any rise.")
        sourceGapMessages = declare.counters(
            "source_gap_messages_total", by: "reason", "Messages of the source that are gone; page on any rise.")
        policyVotes = declare.namedCounters(
            "policy_votes_total", by: "policy", and: "vote", "Votes of every top-level policy.")
        lateSpans = declare.counters(
            "late_spans_total", by: "decision", "Spans that came after the decision about their trace.")
        earlyDecisions = declare.counter(
            "early_decisions_total", "Traces decided before their time because the buffer was full.")
        decisionLatency = declare.histogram(
            "decision_latency_seconds", bounds: MetricBounds.pipeline, "From ripe to decided.")
        shardTurnDuration = declare.histogram(
            "shard_turn_seconds", bounds: MetricBounds.turn,
            "One turn of a shard: records read and routed, traces decided, what piled up handed over.")
        bufferTraces = declare.gauge("buffer_traces_current", "Undecided traces.")
        bufferSpans = declare.gauge("buffer_spans_current", "Spans of undecided traces.")
        bufferMemoryBytes = declare.gauge("buffer_memory_bytes", "Memory of the trace buffer.")
        bufferDiskBytes = declare.gauge("buffer_disk_bytes", "Disk space of the buffer and its log.")
        segmentDiskBytes = declare.gauge("buffer_segment_disk_bytes", "Disk space of the buffer's segments.")
        segmentsInFlight = declare.gauge(
            "buffer_segments_in_flight_current", "Full segments of the buffer on their way to disk.")
        segmentsWritten = declare.counter("buffer_segments_written_total", "Segments of the buffer written to disk.")
        segmentBytesWritten = declare.counter(
            "buffer_segment_written_bytes_total", "Bytes of the buffer's segments written to disk.")
        segmentBytesRead = declare.counter(
            "buffer_segment_read_bytes_total", "Bytes read back from the buffer's segments on disk.")
        segmentErrors = declare.counters(
            "buffer_segment_errors_total", by: "operation", "Failed operations on segments of the buffer on disk.")
        segmentsRefused = declare.counter(
            "buffer_segments_refused_total", "Segments that found no room on disk when their turn came.")
        tracesRematched = declare.counter(
            "rematched_traces_total", "Traces matched against newer rules on their own because they were due first.")
        rematchBytesLeft = declare.gauge(
            "rematch_bytes_current", "Buffered bytes that were not yet matched against the newest rules.")
    }
}

/// From the socket to the durable log.
public struct EntranceMetrics: Sendable {
    public let spansRejected: Labelled<RejectedReason, Counter>
    public let decodeErrors: Labelled<DecodeFormat, Counter>
    public let httpRequests: LabelledTwice<ServerName, StatusLabel, Counter>
    public let httpConnections: Labelled<ServerName, Gauge>
    public let otlpReceivedBytes: Counter
    public let otlpDecodedBytes: Counter
    public let otlpParkedRequests: Gauge
    public let otlpBodyMemoryBytes: Gauge
    public let otlpRequestDuration: Histogram
    public let spanLogRecords: Counter
    public let spanLogRepeats: Counter
    public let spanLogBytes: Counter
    public let spanLogSyncDuration: Histogram

    init(_ declare: inout MetricDeclarations) {
        spansRejected = declare.counters(
            "spans_rejected_total", by: "reason", "Spans refused at the entrance; the sender was told.")
        decodeErrors = declare.counters(
            "decode_errors_total", by: "format", "Request bodies that could not be decoded.")
        httpRequests = declare.counters(
            "http_requests_total", by: "server", and: "code", "HTTP requests answered.")
        httpConnections = declare.gauges("http_connections_current", by: "server", "Open HTTP connections.")
        otlpReceivedBytes = declare.counter(
            "otlp_received_bytes_total", "Bytes of OTLP request bodies as they came.")
        otlpDecodedBytes = declare.counter(
            "otlp_decoded_bytes_total", "Bytes of OTLP request bodies after decompression.")
        otlpParkedRequests = declare.gauge(
            "otlp_parked_requests_current", "OTLP requests that wait until their spans are on disk.")
        otlpBodyMemoryBytes = declare.gauge(
            "otlp_body_memory_bytes", "Memory held by OTLP request bodies, from its budget.")
        otlpRequestDuration = declare.histogram(
            "otlp_request_duration_seconds", bounds: MetricBounds.request,
            "From the whole OTLP body received to answered, accepted requests.")
        spanLogRecords = declare.counter("span_log_records_total", "Requests appended to the log.")
        spanLogRepeats = declare.counter(
            "span_log_repeats_total", "Requests that the log already held; answered from the first.")
        spanLogBytes = declare.counter("span_log_bytes_total", "Bytes appended to the log.")
        spanLogSyncDuration = declare.histogram(
            "span_log_sync_duration_seconds", bounds: MetricBounds.request, "One sync of the log to disk.")
    }
}

/// Sinks and the table.
public struct StorageMetrics: Sendable {
    public let spansExported: Labelled<SinkName, Counter>
    public let exportRequests: LabelledTwice<SinkName, ExportResult, Counter>
    public let exportInFlight: Labelled<SinkName, Gauge>
    public let icebergCommits: Labelled<CommitResult, Counter>
    public let icebergCommitDuration: Histogram
    public let icebergDuplicateRows: Counter
    public let fencedPartitions: Counter

    init(_ declare: inout MetricDeclarations) {
        spansExported = declare.counters(
            "spans_exported_total", by: "sink", "Spans that the sink has acknowledged.")
        exportRequests = declare.counters(
            "export_requests_total", by: "sink", and: "result", "Writes to a sink.")
        exportInFlight = declare.gauges(
            "export_in_flight", by: "sink", "Spans given to a sink and not acknowledged.")
        icebergCommits = declare.counters(
            "iceberg_commits_total", by: "result", "Attempts to commit to the table.")
        icebergCommitDuration = declare.histogram(
            "iceberg_commit_duration_seconds", bounds: MetricBounds.pipeline, "A commit with all its attempts.")
        icebergDuplicateRows = declare.counter(
            "iceberg_duplicate_rows_total", "Rows of equal identity found side by side; page on any rise.")
        fencedPartitions = declare.counter(
            "fenced_partitions_total", "Partitions that another owner took over.")
    }
}

/// SQL over the kept spans.
public struct QueryMetrics: Sendable {
    public let requests: Labelled<QueryResult, Counter>
    public let duration: Histogram

    init(_ declare: inout MetricDeclarations) {
        requests = declare.counters("queries_total", by: "result", "SQL queries answered.")
        duration = declare.histogram(
            "query_duration_seconds", bounds: MetricBounds.pipeline, "A query with its wait for a worker.")
    }
}

/// Rules that people make while the program runs.
public struct ForceRuleMetrics: Sendable {
    public let matches: CountersByName
    public let unreadable: Gauge

    init(_ declare: inout MetricDeclarations, _ pipeline: PipelineMetrics) {
        declare.reading(
            "traces_force_sampled_total", "Traces that a force rule has kept: `traces_sampled_total` of that reason."
        ) { pipeline.tracesSampled[.forceRule].value }
        declare.reading(
            "traces_force_dropped_total", "Traces that a force rule has dropped: `traces_dropped_total` of that reason."
        ) { pipeline.tracesDropped[.forceRule].value }
        matches = declare.countersByName(
            "force_rule_matches_total", by: "rule_id",
            "Traces that a force rule has decided; the series goes with the rule.")
        unreadable = declare.gauge(
            "force_rules_unreadable_current", "Entries of the rule store that are no rules; they do not act.")
    }
}
