internal import AdminAPI
internal import Configuration
internal import HTTPServer
internal import KafkaIO
internal import OTLPServer
internal import Pipeline
internal import QueryEngine
internal import RDKafka
internal import Sampling
internal import Settings
internal import ShardRunner
internal import StateStores
internal import Telemetry
internal import Threads
internal import TraceBuffering
internal import TraceModel

// Settings are the user's words; options are what each part takes.
extension Service {
    private static func ticks(_ duration: Duration) -> Int64 {
        max(1, duration.wholeMilliseconds / StreamTick.millisecondsPerTick)
    }

    static func logOptions(_ settings: Settings) -> LogOptions {
        var options = LogOptions()
        options.diskBytes = settings.app.maximumDiskBytes
        options.reserveBytes = 2 * settings.storage.iceberg.targetFileBytes + (64 << 20)  // as Settings checks
        // Room comes back a segment at a time, and never from the one that is written: several must fit the budget.
        let budget = options.diskBytes - options.reserveBytes
        options.segmentBytes = min(options.segmentBytes, max(1 << 20, budget / 8))
        return options
    }

    static func runnerOptions(_ settings: Settings, folder: String) -> RunnerOptions {
        var writer = SystemRandomNumberGenerator()
        var options = RunnerOptions(
            writer: Hexadecimal.text(writer.next()) + Hexadecimal.text(writer.next()),
            deadLetterFolder: "\(folder)/dead-letters", segmentFolder: "\(folder)/segments")
        options.workerCount = settings.app.evaluationWorkers
        options.commitInterval = settings.storage.iceberg.commitInterval
        options.targetFileBytes = settings.storage.iceberg.targetFileBytes
        options.logsDecisions = settings.observability.logsDecisions
        var shard = ShardOptions()
        // Of all partitions together; each takes its share when it is taken up.
        let entrances = settings.kafka.brokers != nil && settings.otlp.isEnabled ? 2 : 1
        shard.buffer.bytes = settings.app.maximumBufferBytes / entrances
        shard.buffer.spills = true
        // What is young stays in memory while there is room: a kept trace is read back from where it is.
        shard.buffer.spillsAboveBytes = shard.buffer.bytes / 2
        shard.buffer.traces = settings.app.maximumBufferTraces / entrances
        shard.buffer.hashKey = HashKey(writer.next(), writer.next())
        shard.buffer.inactivityTicks = ticks(settings.app.inactivityTimeout)
        shard.buffer.rootInactivityTicks = ticks(settings.app.rootInactivityTimeout)
        shard.buffer.maximumDurationTicks = ticks(settings.app.maximumTraceDuration)
        shard.decisions = settings.app.maximumDecisions / entrances
        shard.decisionTimeToLiveTicks = ticks(settings.app.decisionLifetime)
        options.shard = shard
        #if DEBUG
            options.steps.faults = plantedFaults
        #endif
        return options
    }

    static func kafkaOptions(_ settings: Settings) -> KafkaSourceOptions {
        let kafka = settings.kafka
        var options = KafkaSourceOptions(
            client: KafkaConfiguration(kafka.clientProperties), topic: kafka.inputTopic, group: kafka.consumerGroup)
        options.reset = OffsetReset(rawValue: kafka.offsetReset) ?? .earliest
        options.sessionTimeoutMilliseconds = kafka.sessionTimeoutMilliseconds
        options.instanceID = kafka.instanceID
        return options
    }

    #if DEBUG
        /// Rules of the table's steps that `TSS_PLANTED_FAULT` switches off, to show that a test sees it. Debug builds
        /// only, as kill points are.
        private static var plantedFaults: Set<PlantedFault> {
            Set(
                ProcessEnvironment.variables["TSS_PLANTED_FAULT"].flatMap(PlantedFault.init(rawValue:)).map { [$0] }
                    ?? [])
        }
    #endif

    static func verdictOptions(_ settings: Settings) -> VerdictFiles.Options {
        var options = VerdictFiles.Options()
        options.timeToLiveTicks = ticks(settings.app.decisionLifetime)
        options.loadLimit = settings.app.maximumDecisions / max(1, settings.otlp.partitions)
        return options
    }

    static func forceRuleBook(
        _ settings: Settings, folder: String, clock: any Clock, metrics: ForceRuleMetrics, logger: Logger
    ) -> ForceRuleBook? {
        guard settings.forceSampling.isEnabled else { return nil }
        var options = ForceRuleBook.Options()
        options.register.limits.ruleCount = settings.forceSampling.maximumRules
        options.register.limits.durationSeconds = settings.forceSampling.maximumDurationSeconds
        options.register.actsAfterExpiryMilliseconds = 2 * settings.app.maximumTraceDuration.wholeMilliseconds
        return ForceRuleBook(
            options: options, store: SQLiteForceRules(path: "\(folder)/state.db"), sampler: settings.sampling.sampler,
            clock: clock, metrics: metrics, logger: logger)
    }

    static func queryOptions(_ settings: Settings, folder: String) -> QueryOptions {
        var options = QueryOptions(spillFolder: "\(folder)/query")
        options.workerCount = settings.query.workers
        options.timeout = settings.query.timeout
        options.memoryBytes = settings.query.memoryBytes
        options.maxRows = settings.query.maximumRows
        return options
    }

    static func adminAccess(_ settings: Settings) -> AdminAccess {
        AdminAccess(
            address: settings.observability.healthAddress, allowedHosts: settings.admin.allowedHosts,
            token: settings.admin.token)
    }

    /// What to do when no trace is kept; a Collector's block takes no simple keys.
    static func nothingKeptHint(_ settings: Settings) -> String {
        settings.sampling.standsAlone
            ? "no trace of the last minute was kept: no policy wanted one"
            : "no trace of the last minute was kept: set sampling.base_sample_rate to keep a share of the normal ones"
    }

    static func firstSpanLine(_ settings: Settings) -> String {
        let app = settings.app
        if app.rootInactivityTimeout >= app.maximumTraceDuration {
            return "traces are decided \(seconds(app.maximumTraceDuration)) "
                + "after their first span"
        }
        return "traces are decided \(seconds(app.rootInactivityTimeout)) "
            + "after their last span (root seen), \(seconds(app.inactivityTimeout)) otherwise"
    }

    /// "30 s", "0.5 s".
    private static func seconds(_ duration: Duration) -> String {
        "\(NumberText.of(Double(duration.wholeMilliseconds) / 1000)) s"
    }
}

extension Service {
    func makeOTLPServer() throws(HTTPServerError) -> OTLPServer {
        var options = serverOptions(
            settings.otlp.address, settings.otlp.httpPort, server: .otlp)
        options.threads = 2
        return try OTLPServer(
            options, maxBodyBytes: settings.otlp.maximumBodyBytes, ingest: gate, metrics: metrics.entrance,
            logger: logger)
    }
}
