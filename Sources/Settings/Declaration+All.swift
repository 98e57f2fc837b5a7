internal import Sampling

extension Declaration {
    /// Every key of this version, in the order of the reference.
    static let all: [Declaration] =
        app + otlp + kafka + sampling + forceSampling + storage + observability + admin + query

    private static let anyCount = 1...1_000_000_000
    private static let anyPort = 0...65_535
    private static let anyBytes = 1 << 20...1 << 50
    private static let anyWait = 0.001...604_800.0

    private static let app: [Declaration] = [
        Declaration(
            "app.instance_id", .text(\.app.instanceID), default: "the host name",
            "Names this instance in logs, metrics and the table's properties."),
        Declaration(
            "app.evaluation_workers", .integer(\.app.evaluationWorkers, 1...1024),
            "Threads that own partitions, hold their traces and decide."),
        Declaration(
            "app.inactivity_timeout_secs", .seconds(\.app.inactivityTimeout, anyWait),
            "A trace is decided when it has had no span for so long."),
        Declaration(
            "app.root_inactivity_timeout_secs", .seconds(\.app.rootInactivityTimeout, anyWait),
            "The same once the trace's root span was seen. Never more than `app.inactivity_timeout_secs`."),
        Declaration(
            "app.max_trace_duration_secs", .seconds(\.app.maximumTraceDuration, anyWait),
            "A trace is decided at the latest so long after its first span came."),
        Declaration(
            "app.max_buffer_traces", .integer(\.app.maximumBufferTraces, anyCount),
            "Most undecided traces. Beyond it the oldest are decided early, and counted."),
        Declaration(
            "app.max_buffer_bytes", .bytes(\.app.maximumBufferBytes, anyBytes),
            default: "a quarter of the memory of the machine or control group",
            "Memory for the spans of undecided traces; what does not fit waits on disk."),
        Declaration(
            "app.decision_ttl_secs", .seconds(\.app.decisionLifetime, anyWait),
            "How long a decision is remembered, so that late spans follow it."),
        Declaration(
            "app.max_decisions", .integer(\.app.maximumDecisions, anyCount),
            "Most decisions that are remembered; kept over a restart."),
        Declaration(
            "app.shutdown_timeout_secs", .seconds(\.app.shutdownTimeout, anyWait),
            "Time to commit what is decided after a request to stop. What is undecided is there after the restart."),
        Declaration(
            "app.data_dir", .path(\.app.dataFolder), default: "`./data`",
            "Folder of the log, the embedded catalog and its warehouse."),
        Declaration(
            "app.max_disk_bytes", .bytes(\.app.maximumDiskBytes, anyBytes),
            "Most disk for the log and for spans that wait. The last 5 % of the file system are never used."),
    ]

    private static let otlp: [Declaration] = [
        Declaration("otlp.enabled", .boolean(\.otlp.isEnabled), "Whether spans are taken over OTLP."),
        Declaration(
            "otlp.addr", .text(\.otlp.address),
            "Address of the OTLP ports. `0.0.0.0` takes spans from other machines."),
        Declaration("otlp.http_port", .integer(\.otlp.httpPort, anyPort), "OTLP over HTTP. 0: any free port."),
        Declaration(
            "otlp.max_body_bytes", .bytes(\.otlp.maximumBodyBytes, 1024...1 << 30),
            "Largest request, after decompression."),
        Declaration(
            "otlp.partitions", .integer(\.otlp.partitions, 1...1024),
            "Partitions of the embedded log, each with a shard of its own."),
    ]

    private static let sampling: [Declaration] = [
        Declaration(
            "sampling.always_sample_errors", .boolean(\.sampling.simple.alwaysSampleErrors), alias: "sample_errors",
            "Keeps every trace in which a span has status ERROR."),
        Declaration(
            "sampling.error_sample_rate", .optionalRate(\.sampling.simple.errorSampleRate), default: "none",
            "Share of the traces with an error that is kept when `sampling.always_sample_errors` is false. "
                + "Without it none are."
        ),
        Declaration(
            "sampling.sample_latency", .boolean(\.sampling.simple.sampleLatency),
            "Keeps traces that take at least `sampling.latency_threshold_ms`."),
        Declaration(
            "sampling.latency_threshold_ms", .wide(\.sampling.simple.latencyThresholdMilliseconds, 0...Int64.max),
            "From the earliest start to the latest end of the trace, in milliseconds."),
        Declaration(
            "sampling.latency_sample_rate", .rate(\.sampling.simple.latencySampleRate),
            "Share of the slow traces that is kept."),
        Declaration(
            "sampling.sample_cardinality", .boolean(\.sampling.simple.sampleCardinality),
            "Keeps traces of more than `sampling.max_span_count` spans."),
        Declaration(
            "sampling.max_span_count", .wide(\.sampling.simple.maximumSpanCount, 0...Int64(UInt32.max)),
            "Spans of a trace above which `sampling.sample_cardinality` keeps it."),
        Declaration(
            "sampling.base_sample_rate", .rate(\.sampling.simple.baseSampleRate),
            "Share of all traces that is kept, whatever they are: 0.05 keeps one in twenty."),
        Declaration(
            "sampling.policies", .tree(\.sampling.policies, words: "list"), default: "none",
            "Policies beside the simple keys: a list of `{name, type, <type>: {…}}`."),
        Declaration(
            "sampling.tail_sampling", .tree(\.sampling.tailSampling, words: "map"), default: "none",
            "The configuration of a Collector's `tail_sampling` processor, pasted as it is. It stands alone: the keys "
                + "above do not apply."),
        Declaration(
            "sampling.policies_file", .optionalPath(\.sampling.policiesFile), default: "none",
            "File with the policies: such a block, or a `sampling:` section. It stands alone too."),
    ]

    private static let forceSampling: [Declaration] = [
        Declaration(
            "force_sampling.enabled", .boolean(\.forceSampling.isEnabled),
            "Whether force rules can be made. Off, rules of an earlier time do not act, and their calls answer 409."),
        Declaration(
            "force_sampling.max_rules", .integer(\.forceSampling.maximumRules, 1...ForceRuleLimits.ruleCountLimit),
            "Most rules, those included that have expired and still decide traces of their time."),
        Declaration(
            "force_sampling.max_duration_secs", .wide(\.forceSampling.maximumDurationSeconds, 1...31_536_000),
            "Longest time from now to a rule's expiry, at its creation and when it is extended."),
    ]

    private static let storage: [Declaration] = [
        Declaration(
            "storage.storage_type", .constant(["iceberg", "memory"]), "Where kept traces go: an Iceberg table."),
        Declaration(
            "storage.iceberg.catalog_uri", .optionalText(\.storage.iceberg.catalogURI),
            default: "the embedded catalog, `catalog.db` in `app.data_dir`",
            "Catalog of the table: `sqlite:///absolute/path/catalog.db`, which the processes of one host can share."),
        Declaration(
            "storage.iceberg.warehouse", .optionalText(\.storage.iceberg.warehouse),
            default: "`warehouse` in `app.data_dir`",
            "Folder of the table's files: `file:///absolute/path`. Needed beside `storage.iceberg.catalog_uri`."),
        Declaration(
            "storage.iceberg.namespace", .name(\.storage.iceberg.namespace),
            "Namespace of the table; made when absent."),
        Declaration("storage.iceberg.table_name", .name(\.storage.iceberg.tableName), "The table; made when absent."),
        Declaration(
            "storage.iceberg.commit_interval_secs", .seconds(\.storage.iceberg.commitInterval, anyWait),
            "Longest time until decided traces are committed, and so can be queried."),
        Declaration(
            "storage.iceberg.target_file_bytes", .bytes(\.storage.iceberg.targetFileBytes, 1 << 16...1 << 40),
            "A file of about this size is committed without waiting for the interval."),
    ]

    private static let observability: [Declaration] = [
        Declaration(
            "observability.log_level", .logFilter(\.observability.logFilter),
            "`trace`, `debug`, `info`, `warning`, `error` or `off`, and `module=level` for parts: "
                + "`info,otlp_server=debug`. The variables `RUST_LOG` and `LOG_LEVEL` stand above the file and below "
                + "`TSS__OBSERVABILITY__LOG_LEVEL`."),
        Declaration("observability.json_logging", .boolean(\.observability.usesJSON), "Log lines as JSON objects."),
        Declaration(
            "observability.metrics_addr", .text(\.observability.metricsAddress), "Address of the metrics page."),
        Declaration(
            "observability.metrics_port", .integer(\.observability.metricsPort, anyPort),
            "Port of the metrics page, `/metrics`. 0: any free port."),
        Declaration(
            "observability.health_addr", .text(\.observability.healthAddress), "Address of health and admin calls."),
        Declaration(
            "observability.health_port", .integer(\.observability.healthPort, anyPort),
            "Port of health and admin calls. 0: any free port."),
    ]

    private static let admin: [Declaration] = [
        Declaration(
            "admin.token", .optionalText(\.admin.token), default: "none", isSecret: true,
            "Token that admin calls must bear, as `Authorization: Bearer …`. Without one whoever reaches the port may "
                + "call."),
        Declaration(
            "admin.token_file", .optionalPath(\.admin.tokenFile), default: "none",
            "File that holds the token instead."),
        Declaration(
            "admin.allowed_hosts", .texts(\.admin.allowedHosts),
            "Names beside the loopback's by which browsers may reach admin calls on a loopback address."),
    ]

    private static let query: [Declaration] = [
        Declaration("query.workers", .integer(\.query.workers, 1...64), "Processes that answer SQL."),
        Declaration("query.timeout_secs", .seconds(\.query.timeout, 0.1...86_400), "A query is ended after so long."),
        Declaration("query.memory_bytes", .bytes(\.query.memoryBytes, 128 << 20...1 << 40), "Memory of one worker."),
        Declaration(
            "query.max_rows", .integer(\.query.maximumRows, 1...10_000_000),
            "Most rows of one answer; more are cut off, and the answer says so."),
    ]
}
