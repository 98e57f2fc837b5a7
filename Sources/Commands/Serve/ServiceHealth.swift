internal import AdminAPI
internal import JSON
internal import KafkaIO
internal import Pipeline
internal import QueryEngine
internal import Sampling
internal import Settings
internal import ShardRunner
internal import SpanLog
internal import StateStores
internal import Telemetry
internal import Threads
internal import TraceModel

/// What the parts say of themselves, put together for whoever asks on the admin port.
final class ServiceHealth: HealthReporting, DecisionLookup, StoreReporting {
    /// A loop that has not turned for so long is stuck.
    static let turnLimit: Duration = .seconds(60)
    /// Share of the buffer's budget from which health says that it is nearly full, in percent.
    static let pressurePercent = 90

    private let settings: Settings
    private let runner: ShardRunner
    private let log: SpanLog
    private let kafka: KafkaGroup?
    private let queries: QueryEngine
    private let forceRules: ForceRuleBook?
    private let authentication: String
    private let flags = Lock(Flags())
    private let startedAt = WallClock.milliseconds

    private struct Flags {
        var isListening = false
        var isStopping = false
    }

    init(
        settings: Settings, runner: ShardRunner, log: SpanLog, kafka: KafkaGroup?, queries: QueryEngine,
        forceRules: ForceRuleBook?, authentication: String
    ) {
        self.settings = settings
        self.runner = runner
        self.log = log
        self.kafka = kafka
        self.queries = queries
        self.forceRules = forceRules
        self.authentication = authentication
    }

    var isListening: Bool {
        get { flags.withLock { $0.isListening } }
        set { flags.withLock { $0.isListening = newValue } }
    }

    var isStopping: Bool {
        get { flags.withLock { $0.isStopping } }
        set { flags.withLock { $0.isStopping = newValue } }
    }

    // MARK: Health

    var isAlive: Bool { runner.isTurning(within: Self.turnLimit) }

    var obstacles: [String] {
        var obstacles: [String] = []
        if isStopping { obstacles.append("shutting down") }
        if !isListening { obstacles.append("starting") }
        let status = runner.status
        if !status.hasStarted {
            obstacles.append("the table was not reached yet" + (status.obstacle.map { ": \($0)" } ?? ""))
        }
        if let status = kafka?.status, !status.hasJoined {
            obstacles.append("the consumer group was not joined yet" + (status.error.map { ": \($0)" } ?? ""))
        }
        for partition in log.statistics {
            guard let refusal = partition.refusal else { continue }
            obstacles.append(Self.words(of: refusal))
        }
        return obstacles
    }

    private static func words(of cause: BusyCause) -> String {
        switch cause {
        case .queueFull: "too many requests wait for their sync"
        case .diskFull: "the disk budget is spent (app.max_disk_bytes), or the disk is full"
        case .diskFailed: "the disk refuses writes"
        case .notServing: "the log does not take requests"
        }
    }

    var report: HealthReport {
        let obstacles = obstacles
        let components = [iceberg, logComponent, query, shards, spilling] + [rules, brokers].compactMap { $0 }
        let isDegraded = components.contains { $0.status != .healthy }
        return HealthReport(
            status: obstacles.isEmpty ? (isDegraded ? .degraded : .healthy) : .unhealthy, version: Program.version,
            instanceID: settings.app.instanceID, timestampMilliseconds: WallClock.milliseconds,
            policies: settings.sampling.words, policyVersion: settings.sampling.sampler.version,
            authentication: authentication, buffer: buffer, components: components)
    }

    private var buffer: JSONObject {
        let gauges = runner.gauges
        let bytes = gauges.reduce(0) { $0 + $1.bufferBytes }
        let traces = gauges.reduce(0) { $0 + $1.bufferedTraces }
        return [
            "traces": .integer(Int64(traces)), "max_traces": .integer(Int64(settings.app.maximumBufferTraces)),
            "spans": .integer(Int64(gauges.reduce(0) { $0 + $1.bufferedSpans })),
            "bytes": .integer(Int64(bytes)), "max_bytes": .integer(Int64(settings.app.maximumBufferBytes)),
            "kept_traces_waiting": .integer(Int64(gauges.reduce(0) { $0 + $1.keptTraces })),
        ]
    }

    private var iceberg: HealthReport.Component {
        let status = runner.status
        var details: JSONObject = [
            "phase": .string(status.phase.rawValue),
            "committed_spans": .integer(status.committedSpanCount),
        ]
        details["last_commit"] =
            status.lastCommitMilliseconds.map { .string(Timestamp.text(milliseconds: $0)) } ?? .null
        details["snapshot"] = status.lastSnapshotID.map { .integer($0) } ?? .null
        return HealthReport.Component(
            name: "iceberg", status: status.obstacle == nil ? .healthy : .degraded,
            sinceMilliseconds: status.obstacleSinceMilliseconds ?? status.phaseSinceMilliseconds,
            lastError: status.lastObstacle, details: details)
    }

    private var logComponent: HealthReport.Component {
        let statistics = log.statistics
        let refusal = statistics.lazy.compactMap(\.refusal).first
        return HealthReport.Component(
            name: "log", status: refusal == nil ? .healthy : .unhealthy, sinceMilliseconds: startedAt,
            lastError: refusal.map(Self.words),
            details: [
                "disk_bytes": .integer(Int64(statistics.reduce(0) { $0 + $1.diskBytes })),
                "max_disk_bytes": .integer(Int64(settings.app.maximumDiskBytes)),
                "segments": .integer(Int64(statistics.reduce(0) { $0 + $1.segmentCount })),
                "waiting_requests": .integer(Int64(statistics.reduce(0) { $0 + $1.waitingRequests })),
            ])
    }

    /// Nil without a Kafka source.
    private var brokers: HealthReport.Component? {
        guard let status = kafka?.status else { return nil }
        let isHealthy = status.error == nil && status.hasJoined
        return HealthReport.Component(
            name: "kafka", status: status.isFatal ? .unhealthy : isHealthy ? .healthy : .degraded,
            sinceMilliseconds: status.errorSinceMilliseconds ?? startedAt, lastError: status.lastError,
            details: [
                "topic": .string(settings.kafka.inputTopic), "group": .string(settings.kafka.consumerGroup),
                "partitions": .integer(Int64(status.partitionCount)),
                "cluster": status.clusterID.map { .string($0) } ?? .null,
            ])
    }

    private var query: HealthReport.Component {
        let status = queries.status
        return HealthReport.Component(
            name: "query", status: status.error == nil ? .healthy : .degraded, sinceMilliseconds: startedAt,
            lastError: status.error,
            details: [
                "workers": .integer(Int64(status.workerCount)), "running": .integer(Int64(status.runningCount)),
                "datafusion": status.dataFusionVersion.map { .string($0) } ?? .null,
            ])
    }

    /// Nil when they are switched off.
    private var rules: HealthReport.Component? {
        guard let book = forceRules else { return nil }
        let obstacle = book.obstacle
        let (now, rules, unreadable) = (book.nowMilliseconds, book.rules, book.unreadable)
        return HealthReport.Component(
            name: "force_rules", status: obstacle == nil && unreadable.isEmpty ? .healthy : .degraded,
            sinceMilliseconds: obstacle?.sinceMilliseconds ?? startedAt,
            lastError: obstacle?.message ?? unreadable.first.map { "rule \($0.id) cannot be read: \($0.message)" },
            details: [
                "rules": .integer(Int64(rules.count)),
                "active": .integer(Int64(rules.count { $0.isEnabled && !$0.isExpired(at: now) })),
                "unreadable": .integer(Int64(unreadable.count)), "store": .string(book.storeWords),
            ])
    }

    private var shards: HealthReport.Component {
        let gauges = runner.gauges
        let health = gauges.map(\.clockHealth)
        let clock = health.contains(.skewed) ? "clock skew" : health.contains(.wall) ? "wall" : "log"
        return HealthReport.Component(
            name: "shards", status: isAlive && clock == "log" ? .healthy : .degraded, sinceMilliseconds: startedAt,
            lastError: nil,
            details: [
                "owned": .integer(Int64(gauges.count)), "workers": .integer(Int64(runner.workerCount)),
                "clock": .string(clock),
            ])
    }

    /// Of the log and of what buffers have spilled.
    private var diskBytes: Int {
        log.statistics.reduce(0) { $0 + $1.diskBytes } + (runner.spillStatus?.diskBytes ?? 0)
    }

    private var spilling: HealthReport.Component {
        let status = runner.spillStatus ?? SpillStatus()
        return HealthReport.Component(
            name: "spilling", status: status.isFull ? .degraded : .healthy,
            sinceMilliseconds: status.fullSinceMilliseconds ?? startedAt,
            lastError: status.lastError,
            details: [
                "disk_bytes": .integer(Int64(status.diskBytes)), "segments": .integer(Int64(status.segmentCount)),
                "waiting_segments": .integer(Int64(status.waitingSegments)),
            ])
    }

    /// Gauges that are only known when somebody asks.
    func refresh(_ metrics: Metrics) {
        metrics.pipeline.bufferDiskBytes.set(diskBytes)
    }

    // MARK: Decisions

    func decision(about traceID: TraceID) -> DecisionReport? {
        runner.decisions.decision(about: traceID).map(Self.report)
    }

    var rememberedDecisionCount: Int { runner.decisions.capacity }

    func recentDecisions(limit: Int) -> [DecisionReport] {
        runner.decisions.recent(limit: limit).map(Self.report)
    }

    private static func report(_ entry: DecisionLog.Entry) -> DecisionReport {
        let summary = entry.event.summary
        return DecisionReport(
            traceID: summary.traceID, decision: entry.event.decision, cause: entry.event.cause,
            firstSpanMilliseconds: summary.firstTick.milliseconds,
            lastSpanMilliseconds: summary.lastTick.milliseconds,
            decidedMilliseconds: entry.event.decidedAt.milliseconds, spanCount: Int(summary.spanCount),
            explanation: entry.explanation,
            votes: entry.votes.map { vote in
                DecisionReport.Vote(
                    policy: vote.policy.name, vote: "\(vote.outcome)", explanation: vote.explanation,
                    evidence: entry.evidence.filter { $0.policy == vote.policy.name })
            },
            evidence: entry.evidence.filter { $0.policy == entry.event.decision.policy })
    }

    // MARK: Store

    var store: StoreReport {
        let gauges = runner.gauges
        return StoreReport(
            spanCount: gauges.reduce(0) { $0 + $1.bufferedSpans },
            traceCount: gauges.reduce(0) { $0 + $1.bufferedTraces },
            memoryBytes: gauges.reduce(0) { $0 + $1.bufferBytes + $1.memoryBytes },
            diskBytes: diskBytes, storageType: "embedded")
    }
}
