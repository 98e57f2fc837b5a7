import ProtobufWriter
public import TraceModel

/// What the traces of `ScatteredTraces` shall be like.
public struct ScatteredTraceOptions: Sendable, Hashable {
    public var traceCount = 20
    public var messageCount = 30
    /// Spans of a trace.
    public var spanCounts = 1...6
    /// Of a trace having a span with the status error.
    public var errorProbability = 0.2
    /// Of a trace lasting longer than the threshold.
    public var slowProbability = 0.1
    public var latencyThresholdMilliseconds = 5000
    /// When the first trace starts; the others start up to ten seconds later.
    public var startUnixNano: UInt64 = 1_780_000_000_000_000_000

    public init() {}
}

/// Small traces whose spans are scattered over messages: input and truth for a simulation.
public struct ScatteredTraces: Sendable {
    public struct Trace: Sendable, Hashable {
        public var traceID: TraceID
        public var isError: Bool
        public var isSlow: Bool
        public var spans: [Span]
    }

    /// Where a span is: the message's index, and its place among the spans of that message.
    public struct Span: Sendable, Hashable {
        public var spanID: SpanID
        public var message: Int
        public var index: Int
    }

    public let traces: [Trace]
    /// Encoded `ExportTraceServiceRequest`s; some may hold no span.
    public let messages: [[UInt8]]

    public init(seed: UInt64, options: ScatteredTraceOptions = ScatteredTraceOptions()) {
        precondition(options.messageCount > 0, "spans need a message")
        var random = SeededRandom(seed: seed)
        var queues: [[GeneratedSpan]] = Array(repeating: [], count: options.messageCount)
        var traces: [Trace] = []
        for _ in 0..<options.traceCount {
            var trace = Trace(
                traceID: random.traceID(), isError: random.chance(options.errorProbability),
                isSlow: random.chance(options.slowProbability), spans: [])
            for span in Self.spans(of: trace, options, &random) {
                let message = random.below(options.messageCount)
                trace.spans.append(
                    Span(spanID: span.spanID, message: message, index: queues[message].count))
                queues[message].append(span)
            }
            traces.append(trace)
        }
        self.traces = traces
        messages = queues.map { Self.encode($0) }
    }

    private static func spans(
        of trace: Trace, _ options: ScatteredTraceOptions, _ random: inout SeededRandom
    ) -> [GeneratedSpan] {
        let start = options.startUnixNano + UInt64(random.below(10_000)) * 1_000_000
        let milliseconds =
            trace.isSlow
            ? options.latencyThresholdMilliseconds + 1 + random.below(2000)
            : 1 + random.below(max(1, options.latencyThresholdMilliseconds / 2))
        let duration = UInt64(milliseconds) * 1_000_000
        let count = random.int(in: options.spanCounts)
        let failing = trace.isError ? random.below(count) : count
        let root = random.spanID()
        return (0..<count).map { index in
            var span = GeneratedSpan(
                traceID: trace.traceID, spanID: index == 0 ? root : random.spanID(),
                name: "operation \(index)", startTimeUnixNano: start + (index == 0 ? 0 : duration / 4),
                endTimeUnixNano: start + (index == 0 ? duration : duration / 2))
            if index > 0 { span.parentSpanID = root }
            span.attributes = [GeneratedAttribute("number", index)]
            if index == failing { span.statusCode = 2 }
            return span
        }
    }

    /// Spans of a message belong to one of three services, by their place: each message has several resources.
    private static func encode(_ spans: [GeneratedSpan]) -> [UInt8] {
        var writer = MessageWriter()
        let groupSize = 4
        for first in stride(from: 0, to: spans.count, by: groupSize) {
            let service = ["alpha", "beta", "gamma"][first / groupSize % 3]
            GeneratedRequest(
                resource: [GeneratedAttribute("service.name", service)], scopeName: "simulation",
                scopeVersion: "1", spans: Array(spans[first..<min(first + groupSize, spans.count)])
            ).write(to: &writer)
        }
        return writer.bytes
    }
}
