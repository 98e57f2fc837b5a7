internal import ShardRunner
internal import Telemetry
internal import Threads

/// The lines that tell a person that it works: once in ten seconds, and only when there is something to say.
final class ActivityReporter: Sendable {
    static let interval: Duration = .seconds(10)

    private let metrics: Metrics
    private let runner: ShardRunner
    private let logger: Logger
    private let firstSpanLine: String
    private let nothingKeptHint: String
    private let wakeup = Wakeup()
    private let isStopping = Lock(false)
    private let thread = Lock<NamedThread?>(nil)

    init(metrics: Metrics, runner: ShardRunner, logger: Logger, firstSpanLine: String, nothingKeptHint: String) {
        self.nothingKeptHint = nothingKeptHint
        self.metrics = metrics
        self.runner = runner
        self.logger = logger
        self.firstSpanLine = firstSpanLine
    }

    func start() throws(ThreadError) {
        let started = try NamedThread.start(name: "activity") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Says what is left to say and ends.
    func stop() {
        isStopping.withLock { $0 = true }
        wakeup.signal()
        thread.withLock { $0.take() }?.join()
    }

    private struct Seen {
        var spans = 0
        var kafkaSpans = 0
        var traces = 0
        var sampled: [SampledReason: Int] = [:]
        var dropped: [DroppedReason: Int] = [:]
        var exportedSpans: Int64 = 0
        var exportedTraces: Int64 = 0
        var decided = 0
        var minuteStart = MonotonicInstant.now
        var decidedAtMinute = 0
        var sampledAtMinute = 0
        var hasHinted = false
    }

    private func run() {
        var seen = Seen()
        var hasSeenSpans = false
        var next = MonotonicInstant.now + Self.interval
        while true {
            let isOver = wakeup.wait(until: min(next, .now + .milliseconds(500))) {
                self.isStopping.withLock { $0 } ? true : nil
            }
            if !hasSeenSpans, metrics.pipeline.spansIngested.value > 0 {
                hasSeenSpans = true
                let entrance = metrics.pipeline.entranceSpans[.kafka].value > 0 ? "kafka" : "otlp"
                logger.info("first span received over \(entrance); \(firstSpanLine)")
            }
            guard isOver == true || .now >= next else { continue }
            next = .now + Self.interval
            report(&seen)
            if isOver == true { return }
        }
    }

    private func report(_ seen: inout Seen) {
        reportIngested(&seen)
        reportDecided(&seen)
        reportExported(&seen)
    }

    private func reportIngested(_ seen: inout Seen) {
        let spans = metrics.pipeline.spansIngested.value
        let traces = metrics.pipeline.tracesIngested.value
        let (newSpans, newTraces) = (spans - seen.spans, traces - seen.traces)
        (seen.spans, seen.traces) = (spans, traces)
        guard newSpans > 0 else { return }
        let kafka = metrics.pipeline.entranceSpans[.kafka].value
        let fromKafka = kafka - seen.kafkaSpans
        seen.kafkaSpans = kafka
        // What both entrances took is read one after the other: never less than nothing.
        let fromOTLP = max(0, newSpans - fromKafka)
        logger.info(
            "ingested \(newSpans) spans of \(newTraces) traces (kafka \(fromKafka), otlp \(fromOTLP))",
            metadata: [
                "spans": .count(newSpans), "traces": .count(newTraces), "kafka": .count(fromKafka),
                "otlp": .count(fromOTLP),
            ])
    }

    private func reportDecided(_ seen: inout Seen) {
        var sampled: [String] = []
        var dropped: [String] = []
        var (sampledCount, droppedCount) = (0, 0)
        for reason in SampledReason.allCases {
            let value = metrics.pipeline.tracesSampled[reason].value
            let new = value - (seen.sampled[reason] ?? 0)
            seen.sampled[reason] = value
            if new > 0 { sampled.append("\(reason.rawValue) \(new)") }
            sampledCount += new
        }
        for reason in DroppedReason.allCases {
            let value = metrics.pipeline.tracesDropped[reason].value
            let new = value - (seen.dropped[reason] ?? 0)
            seen.dropped[reason] = value
            if new > 0 { dropped.append("\(reason.rawValue) \(new)") }
            droppedCount += new
        }
        hint(&seen, sampled: sampledCount, dropped: droppedCount)
        guard sampledCount + droppedCount > 0 else { return }
        func listed(_ parts: [String]) -> String { parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))" }
        logger.info(
            "evaluated \(sampledCount + droppedCount) traces: \(sampledCount) sampled\(listed(sampled)), "
                + "\(droppedCount) dropped\(listed(dropped))",
            metadata: ["sampled": .count(sampledCount), "dropped": .count(droppedCount)])
    }

    /// The first minute in which every decided trace was not sampled: most likely nobody has set a rate.
    private func hint(_ seen: inout Seen, sampled: Int, dropped: Int) {
        seen.decidedAtMinute += sampled + dropped
        seen.sampledAtMinute += sampled
        guard .now - seen.minuteStart >= .seconds(60) else { return }
        defer {
            seen.minuteStart = .now
            (seen.decidedAtMinute, seen.sampledAtMinute) = (0, 0)
        }
        guard !seen.hasHinted, seen.decidedAtMinute > 0, seen.sampledAtMinute == 0 else { return }
        seen.hasHinted = true
        logger.info(nothingKeptHint, metadata: ["decided": .count(seen.decidedAtMinute)])
    }

    private func reportExported(_ seen: inout Seen) {
        let status = runner.status
        let newSpans = status.committedSpanCount - seen.exportedSpans
        let newTraces = status.committedTraceCount - seen.exportedTraces
        (seen.exportedSpans, seen.exportedTraces) = (status.committedSpanCount, status.committedTraceCount)
        guard newSpans > 0 else { return }
        let snapshot = status.lastSnapshotID.map(String.init) ?? "none"
        logger.info(
            "exported \(newSpans) spans of \(newTraces) traces to iceberg, snapshot \(snapshot)",
            metadata: ["spans": .integer(newSpans), "traces": .integer(newTraces), "snapshot": "\(snapshot)"])
    }
}
