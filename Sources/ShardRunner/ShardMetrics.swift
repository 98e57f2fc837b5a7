internal import Pipeline
internal import Sampling
internal import Telemetry
internal import Threads
internal import TraceBuffering
internal import TraceModel

/// Turns the counters of one shard into the program's: each call adds what changed since the last.
final class ShardMetrics {
    private let metrics: PipelineMetrics
    private var counted = ShardCounters()
    private var shown = Shown()

    /// What this shard's part of the common gauges is.
    private struct Shown {
        var traces = 0
        var spans = 0
        var memoryBytes = 0
    }

    init(_ metrics: PipelineMetrics) {
        self.metrics = metrics
    }

    func update(_ now: ShardCounters, _ gauges: ShardGauges) {
        add(metrics.tracesIngested, now.tracesIngested, counted.tracesIngested)
        add(metrics.spansIngested, now.spansIngested, counted.spansIngested)
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
        counted = now
        show(traces: gauges.bufferedTraces, spans: gauges.bufferedSpans, bytes: gauges.bufferBytes + gauges.memoryBytes)
    }

    /// The shard is gone: so is what it held.
    func close(_ now: ShardCounters) {
        show(traces: 0, spans: 0, bytes: 0)
    }

    /// Votes and latencies of decisions.
    func count(_ events: [DecisionEvent], sampler: Sampler, limits: BufferLimits) {
        for event in events {
            metrics.decisionLatency.observe(Self.latency(event, limits))
            let votes = event.votes.isEmpty ? sampler.votes(event.summary) : event.votes
            for vote in votes {
                guard let label = PolicyVote(rawValue: "\(vote.outcome)") else { continue }
                metrics.policyVotes.counter(vote.policy.name, label).add(1)
            }
        }
    }

    /// From the moment the trace was ripe to its decision, on the stream clock.
    private static func latency(_ event: DecisionEvent, _ limits: BufferLimits) -> Duration {
        let summary = event.summary
        let ripe: StreamTick =
            switch event.cause {
            case .inactivity: summary.lastTick.advanced(by: limits.inactivityTicks)
            case .root: summary.lastTick.advanced(by: limits.rootInactivityTicks)
            case .duration: summary.firstTick.advanced(by: limits.maximumDurationTicks)
            case .early: event.decidedAt
            }
        return .milliseconds(max(0, event.decidedAt.milliseconds - ripe.milliseconds))
    }

    private func show(traces: Int, spans: Int, bytes: Int) {
        metrics.bufferTraces.add(traces - shown.traces)
        metrics.bufferSpans.add(spans - shown.spans)
        metrics.bufferMemoryBytes.add(bytes - shown.memoryBytes)
        shown = Shown(traces: traces, spans: spans, memoryBytes: bytes)
    }

    private func add(_ counter: Counter, _ now: UInt64, _ before: UInt64) {
        if now > before { counter.add(Int(now - before)) }
    }
}
