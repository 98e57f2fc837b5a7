internal import AdminAPI
internal import HTTPServer
internal import KafkaIO
internal import OTLPServer
internal import Pipeline
internal import QueryEngine
internal import Settings
internal import ShardRunner
internal import SpanLog
internal import StateStores
internal import Telemetry
internal import Threads
internal import TraceBuffering
internal import Workers

/// The whole server: its parts in the order in which they start, and stop the other way round.
///
/// Ports first, so that health can be asked at once; then the log, the shards, the query engine. The table is
/// reached in the background: spans are taken and safe before it is there.
final class Service: Sendable {
    let settings: Settings
    let logger: Logger
    let metrics: Metrics
    let gate = IngestGate()
    let dataFolder: DataFolder
    private let table: EmbeddedTable
    private let log: SpanLog
    /// Nil: spans come over OTLP only.
    let kafka: KafkaGroup?
    let runner: ShardRunner
    private let launcher: ProcessLauncher
    let queries: QueryEngine
    /// Nil: switched off.
    let forceRules: ForceRuleBook?
    private let health: ServiceHealth
    private let activity: ActivityReporter
    private let servers = Lock(Servers())

    private struct Servers {
        var otlp: OTLPServer?
        var admin: AdminServer?
        var metrics: MetricsServer?
    }

    /// Takes the data folder, opens log and catalog; nothing listens and no shard runs yet.
    init(_ settings: Settings, log telemetry: Log) throws {
        self.settings = settings
        logger = telemetry.logger("tail_sampling_selector")
        metrics = Metrics(version: Program.version, log: telemetry)
        let clock = SystemClock()
        dataFolder = try DataFolder(path: settings.app.dataFolder)
        logger.info("Initializing Iceberg storage backend")
        logger.info("  Catalog URI: \(settings.storage.iceberg.effectiveCatalogURI)")
        table = try EmbeddedTable(settings)
        let leftovers = table.removeLeftovers(nowMilliseconds: clock.wallMilliseconds)
        if leftovers > 0 { logger.info("removed files of interrupted writes", metadata: ["files": "\(leftovers)"]) }
        log = try SpanLog(
            folder: "\(dataFolder.path)/log", partitionCount: settings.otlp.partitions,
            options: Self.logOptions(settings), clock: clock,
            otherBytes: { [metrics] in metrics.pipeline.segmentDiskBytes.value }, metrics: metrics.entrance,
            logger: telemetry.logger("span_log"))
        kafka =
            settings.kafka.brokers == nil
            ? nil
            : KafkaGroup(
                Self.kafkaOptions(settings), metrics: metrics.kafka, logger: telemetry.logger("kafka"), clock: clock)
        // Before the shards: the first trace of this life finds the rules of the life before.
        let book = Self.forceRuleBook(
            settings, folder: dataFolder.path, clock: clock, metrics: metrics.forceRules,
            logger: telemetry.logger("force_rules"))
        forceRules = book
        var options = Self.runnerOptions(settings, folder: dataFolder.path)
        let logOptions = Self.logOptions(settings)
        options.segmentBytes = { [log] in
            logOptions.diskBytes - logOptions.reserveBytes - log.statistics.reduce(0) { $0 + $1.diskBytes }
        }
        let verdicts = VerdictFiles(
            folder: "\(dataFolder.path)/verdicts", options: Self.verdictOptions(settings),
            logger: telemetry.logger("verdicts"))
        let ports = ShardRunner.Ports(
            sources: Self.sources(log, kafka), catalog: table.catalog, files: table.files,
            rows: CurrentRowFiles(table), verdicts: verdicts, clock: clock,
            noteRuleMatches: Self.noteMatches(in: book))
        runner = ShardRunner(
            options: options, definition: table.definition, ports: ports,
            sampler: book?.sampler ?? settings.sampling.sampler, metrics: metrics, logger: telemetry.logger("shards"))
        launcher = try ProcessLauncher()
        queries = QueryEngine(
            options: Self.queryOptions(settings, folder: dataFolder.path), table: table, files: table.files,
            launcher: launcher, logger: telemetry.logger("query"))
        health = ServiceHealth(
            settings: settings, runner: runner, log: log, kafka: kafka, queries: queries, forceRules: book,
            authentication: Self.adminAccess(settings).authentication)
        activity = ActivityReporter(
            metrics: metrics, runner: runner, logger: logger, firstSpanLine: Self.firstSpanLine(settings),
            nothingKeptHint: Self.nothingKeptHint(settings))
    }

    private static func sources(_ log: SpanLog, _ kafka: KafkaGroup?) -> any SpanSources {
        let embedded = FixedSources(log.sources)
        return kafka.map { CombinedSources([embedded, $0]) } ?? embedded
    }

    private static func noteMatches(in book: ForceRuleBook?) -> (@Sendable ([String: Int]) -> Void)? {
        guard let book else { return nil }
        return { book.noteMatches($0) }
    }

    /// Opens every port or none, and starts the threads.
    func start() throws {
        try listen()
        gate.open(log)
        try runner.start()
        try forceRules?.start { [runner] in runner.adopt($0) }
        try queries.start()
        try activity.start()
        health.isListening = true
    }

    /// Stops taking spans, commits what is decided, ends everything.
    ///
    /// - Returns: Whether all that was decided is in the table; undecided spans stay in the log.
    @discardableResult
    func stop(limit: Duration) -> Bool {
        let deadline = MonotonicInstant.now + limit
        health.isStopping = true
        gate.close()
        let open = servers.withLock { $0 }
        open.otlp?.stop()
        log.stop()
        let isComplete = runner.stop(by: deadline)
        activity.stop()
        queries.stop()
        open.admin?.stop()
        open.metrics?.stop()
        // Behind the admin port: whoever waits there gets an answer. Behind the shards: the last matches are counted.
        forceRules?.stop()
        launcher.stop()
        return isComplete
    }

    // MARK: Ports

    /// What is really bound; nil for what is not open.
    var addresses: (otlp: String?, admin: String?, metrics: String?) {
        servers.withLock { servers in
            (
                servers.otlp.map { "\($0.address):\($0.port)" }, servers.admin.map { "\($0.address):\($0.port)" },
                servers.metrics.map { "\($0.address):\($0.port)" }
            )
        }
    }

    func serverOptions(
        _ address: String, _ port: Int, server: ServerName
    ) -> HTTPServerOptions {
        var options = HTTPServerOptions()
        options.address = address
        options.port = UInt16(port)
        options.observer = ServerMetrics(metrics: metrics.entrance, server: server)
        return options
    }

    /// Binds all ports; when some are taken, says so of all of them at once.
    private func listen() throws {
        var problems: [String] = []
        func attempt<Server>(_ remedy: String, _ body: () throws -> Server) throws -> Server? {
            do {
                return try body()
            } catch let error as HTTPServerError {
                problems.append("\(error.message): \(remedy)")
                return nil
            }
        }
        let access = Self.adminAccess(settings)
        let services = AdminServices(
            health: health, decisions: health, store: health, queries: queries, forceRules: forceRules,
            metricsPage: { [metrics, health] in
                health.refresh(metrics)
                let page = metrics.page(accept: $0)
                return MetricsPage(contentType: page.contentType, text: page.text)
            })
        let opened = Servers(
            otlp: settings.otlp.isEnabled
                ? try attempt("set TSS__OTLP__HTTP_PORT, or otlp.enabled: false") { try makeOTLPServer() } : nil,
            admin: try attempt("set TSS__OBSERVABILITY__HEALTH_PORT") {
                try AdminServer(
                    serverOptions(
                        settings.observability.healthAddress, settings.observability.healthPort,
                        server: .admin),
                    access: access, services: services, queryThreadCount: settings.query.workers,
                    observeQuery: { [metrics] in metrics.queries.observe($0) })
            },
            metrics: try attempt("set TSS__OBSERVABILITY__METRICS_PORT") {
                try MetricsServer(
                    serverOptions(
                        settings.observability.metricsAddress, settings.observability.metricsPort,
                        server: .metrics),
                    access: AdminAccess(
                        address: settings.observability.metricsAddress, allowedHosts: settings.admin.allowedHosts),
                    services: services)
            })
        servers.withLock { $0 = opened }
        guard problems.isEmpty else { throw PortsTaken(description: problems.joined(separator: "; ")) }
    }
}

/// One line that names every port that could not be had.
struct PortsTaken: Error, CustomStringConvertible {
    var description: String
}
