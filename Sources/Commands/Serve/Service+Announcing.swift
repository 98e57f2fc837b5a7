internal import AdminAPI
internal import QueryEngine
internal import Sampling
internal import Settings
internal import ShardRunner
internal import SpanLog
internal import StateStores
internal import Telemetry
internal import Threads

extension Service {
    /// How long the lines wait for the first query worker before they go on without it.
    private static var queryPatience: Duration { .seconds(30) }

    /// The lines that people look for at the start, each once what it says is so; ends early when the program stops.
    func announce(waitingFor signals: StopSignals) {
        while !runner.status.hasStarted {
            if signals.isPending(within: .milliseconds(50)) { return }
        }
        logger.info("Connected to Iceberg catalog")
        let patience = MonotonicInstant.now + Self.queryPatience
        while queries.status.dataFusionVersion == nil, queries.status.error == nil, .now < patience {
            if signals.isPending(within: .milliseconds(50)) { return }
        }
        if let version = queries.status.dataFusionVersion {
            logger.info("DataFusion session initialized", metadata: ["version": "\(version)"])
        }
        logger.info("Started \(runner.workerCount) evaluation workers")
        let open = addresses
        if let admin = open.admin { logger.info("Health/Admin API server listening on \(admin)") }
        if kafka != nil { logger.info("Consuming from Kafka topic: \(settings.kafka.inputTopic)") }
        if let otlp = open.otlp { logger.info("Listening for OTLP on \(otlp) (HTTP)") }
        for words in settings.sampling.words { logger.info("policy: \(words)") }
        if let rules = forceRules?.rules, !rules.isEmpty {
            logger.info("force rules are asked before the policies", metadata: ["rules": .count(rules.count)])
        }
        logger.info("data folder: \(dataFolder.path)")
        if let otlp = open.otlp { logger.info("traces: http://\(otlp)/v1/traces") }
        if let admin = open.admin { logger.info("health, decisions, queries: http://\(admin)/health") }
        if let metrics = open.metrics { logger.info("metrics: http://\(metrics)/metrics") }
        warnOfOpenPorts()
    }

    /// Bound wider than loopback, anybody who reaches the port may ask.
    private func warnOfOpenPorts() {
        let access = Self.adminAccess(settings)
        guard !access.isLoopbackOnly, access.token == nil else { return }
        logger.warning(
            "the admin port is open to the network without authentication",
            metadata: ["address": "\(access.address)", "remedy": "admin.token"])
    }
}
