internal import Pipeline
internal import Sampling
internal import Telemetry
internal import Threads
internal import TraceBuffering
internal import TraceModel

/// Turns the counters of one shard into the program's: each call adds what changed since the last.
final class ShardMetrics {
    let metrics: PipelineMetrics
    private let entrance: EntranceName
    private var counted = ShardCounters()
    private var shown = Shown()
    private var latencies: LocalHistogram
    private var turns: LocalHistogram

    /// What this shard's part of the common gauges is.
    private struct Shown {
        var traces = 0
        var spans = 0
        var memoryBytes = 0
        var rematchBytes = 0
    }

    init(_ metrics: PipelineMetrics, entrance: EntranceName) {
        self.metrics = metrics
        self.entrance = entrance
        latencies = LocalHistogram(like: metrics.decisionLatency)
        turns = LocalHistogram(like: metrics.shardTurnDuration)
    }

    /// A turn in which there was something to do.
    func turned(nanoseconds: Int) {
        turns.observe(nanoseconds: nanoseconds)
        metrics.shardTurnDuration.add(&turns)
    }

    /// - Returns: Whether messages were taken since the last call.
    func update(_ now: ShardCounters, _ gauges: ShardGauges) -> Bool {
        show(gauges)
        guard now != counted else { return false }
        let hasTaken = now.messages > counted.messages
        add(metrics.tracesIngested, now.tracesIngested, counted.tracesIngested)
        add(metrics.spansIngested, now.spansIngested, counted.spansIngested)
        add(metrics.entranceSpans[entrance], now.spansIngested, counted.spansIngested)
        add(metrics.earlyDecisions, now.earlyDecisions, counted.earlyDecisions)
        add(metrics.lateSpans[.kept], now.lateSpansKept, counted.lateSpansKept)
        add(metrics.lateSpans[.dropped], now.lateSpansDropped, counted.lateSpansDropped)
        for reason in Reason.allCases {
            let index = Int(reason.rawValue)
            if let label = SampledReason(rawValue: reason.description) {
                add(metrics.tracesSampled[label], now.tracesSampled[index], counted.tracesSampled[index])
                add(metrics.spansSampled[label], now.spansSampled[index], counted.spansSampled[index])
            }
            if let label = DroppedReason(rawValue: reason.description) {
                add(metrics.tracesDropped[label], now.tracesDropped[index], counted.tracesDropped[index])
                add(metrics.spansDropped[label], now.spansDropped[index], counted.spansDropped[index])
            }
        }
        add(metrics.tracesRematched, now.tracesRematched, counted.tracesRematched)
        counted = now
        return hasTaken
    }

    /// The shard is gone: so is what it held.
    func close(_ now: ShardCounters) { show(Shown()) }

    /// How long decisions took.
    func count(_ events: [DecisionEvent], limits: BufferLimits) {
        // Ticks are long and decisions come in heaps: most of a heap took equally long.
        var last = (latency: 0, count: 0)
        for event in events {
            let latency = Self.latency(event, limits)
            if latency != last.latency {
                if last.count > 0 { latencies.observe(nanoseconds: last.latency, count: last.count) }
                last = (latency, 0)
            }
            last.count += 1
        }
        latencies.observe(nanoseconds: last.latency, count: last.count)
        metrics.decisionLatency.add(&latencies)
    }

    /// From the moment the trace was ripe to its decision, on the stream clock, nanoseconds.
    private static func latency(_ event: DecisionEvent, _ limits: BufferLimits) -> Int {
        let summary = event.summary
        let ripe: StreamTick =
            switch event.cause {
            case .inactivity: summary.lastTick.advanced(by: limits.inactivityTicks)
            case .root: summary.lastTick.advanced(by: limits.rootInactivityTicks)
            case .duration: summary.firstTick.advanced(by: limits.maximumDurationTicks)
            case .early: event.decidedAt
            }
        return Int(max(0, event.decidedAt.milliseconds - ripe.milliseconds)) * 1_000_000
    }

    private func show(_ gauges: ShardGauges) {
        show(
            Shown(
                traces: gauges.bufferedTraces, spans: gauges.bufferedSpans,
                memoryBytes: gauges.bufferBytes + gauges.memoryBytes, rematchBytes: gauges.rematchBytes))
    }

    private func show(_ now: Shown) {
        // Gauges that all shards share: each adds its own changes.
        if now.traces != shown.traces { metrics.bufferTraces.add(now.traces - shown.traces) }
        if now.spans != shown.spans { metrics.bufferSpans.add(now.spans - shown.spans) }
        if now.memoryBytes != shown.memoryBytes { metrics.bufferMemoryBytes.add(now.memoryBytes - shown.memoryBytes) }
        if now.rematchBytes != shown.rematchBytes {
            metrics.rematchBytesLeft.add(now.rematchBytes - shown.rematchBytes)
        }
        shown = now
    }

    private func add(_ counter: Counter, _ now: UInt64, _ before: UInt64) {
        if now > before { counter.add(Int(now - before)) }
    }
}
