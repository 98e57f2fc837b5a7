public import TraceModel

/// What the traces of `DemoTraces` shall be like.
public struct DemoTraceOptions: Sendable, Hashable {
    public var traceCount = 10
    /// Spans of each trace, late ones not counted; at least 1.
    public var spanCount = 5
    /// 0 … 100: exactly floor(traces · percent / 100) traces with an error, spread evenly. nil: every
    /// third, from the first on.
    public var errorPercent: Double?
    /// 0 … 100: floor(traces · percent / 100) slow traces, spread evenly over those without an error,
    /// and at most as many as there are.
    public var slowPercent = 0.0
    /// Slow traces last longer than this, the others at most a tenth of it.
    public var latencyThresholdMilliseconds = 5000
    /// nil: nine services in turn.
    public var service: String?
    public var seed: UInt64
    /// When trace 0 starts; trace *i* starts *i* milliseconds later.
    public var startUnixNano: UInt64

    public init(seed: UInt64, startUnixNano: UInt64) {
        self.seed = seed
        self.startUnixNano = startUnixNano
    }
}

/// A trace and what is true of it.
public struct GeneratedTrace: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case ok
        /// One of its spans has the status error.
        case error
        /// Lasts longer than the latency threshold.
        case slow
    }

    /// Position in its series.
    public var index: Int
    public var traceID: TraceID
    public var kind: Kind
    public var service: String
    public var request: GeneratedRequest

    public var spans: [GeneratedSpan] { request.spans }
    public var spanCount: Int { request.spans.count }
    /// The encoded `ExportTraceServiceRequest`.
    public var requestBytes: [UInt8] { request.encoded() }
}

/// The traces of `tss produce` and `tss demo`: nine services of a shop, each trace in one request.
///
/// Trace *i* depends on the options and *i* alone: seed and start fix every byte.
public struct DemoTraces: Sendable {
    public static let services = [
        "api-gateway", "user-service", "order-service", "payment-service", "inventory-service",
        "notification-service", "analytics-service", "search-service", "demo-service",
    ]

    public let options: DemoTraceOptions

    public init(_ options: DemoTraceOptions) {
        precondition(options.spanCount >= 1, "a trace has a span")
        precondition(options.traceCount >= 0, "a count is not negative")
        self.options = options
    }

    /// The trace at an index of 0 ..< traceCount.
    public func trace(at index: Int) -> GeneratedTrace {
        let service = options.service ?? Self.services[index % Self.services.count]
        let kind = kind(at: index)
        var random = SeededRandom(seed: options.seed, stream: UInt64(index))
        let traceID = random.traceID()
        var builder = DemoTraceBuilder(
            operations: DemoOperation.of(service: service), traceID: traceID, kind: kind,
            random: random)
        let spans = builder.spans(
            count: options.spanCount, start: start(of: index), duration: duration(kind, index))
        return GeneratedTrace(
            index: index, traceID: traceID, kind: kind, service: service,
            request: request(service: service, spans: spans))
    }

    /// Further spans of the trace at an index, children of its root, to be sent after it was decided.
    public func lateSpans(of index: Int, count: Int) -> GeneratedTrace {
        var late = trace(at: index)
        var random = SeededRandom(seed: options.seed &+ 1, stream: UInt64(index))
        let root = late.spans[0]
        late.request.spans = (0..<count).map { number in
            var span = GeneratedSpan(
                traceID: late.traceID, spanID: random.spanID(), name: "flush late buffer",
                startTimeUnixNano: root.endTimeUnixNano + UInt64(number) * 1_000_000,
                endTimeUnixNano: root.endTimeUnixNano + UInt64(number + 1) * 1_000_000)
            span.parentSpanID = root.spanID
            span.attributes = [GeneratedAttribute("late", .bool(true))]
            return span
        }
        return late
    }

    /// Traces with an error of the whole series.
    public var errorCount: Int { errorCount(before: options.traceCount) }

    // MARK: Kinds

    private func kind(at index: Int) -> GeneratedTrace.Kind {
        let errorsBefore = errorCount(before: index)
        if errorCount(before: index + 1) > errorsBefore { return .error }
        let position = index - errorsBefore
        let total = options.traceCount - errorCount
        let slow = min(share(options.slowPercent), total)
        return spread(slow, over: total, before: position + 1) > spread(slow, over: total, before: position)
            ? .slow : .ok
    }

    private func errorCount(before index: Int) -> Int {
        guard let percent = options.errorPercent else { return (index + 2) / 3 }
        return spread(share(percent), over: options.traceCount, before: index)
    }

    private func share(_ percent: Double) -> Int {
        Int(Double(options.traceCount) * min(max(0, percent), 100) / 100)
    }

    /// How many of `count` marks, spread evenly over `total` places, stand in front of a place.
    private func spread(_ count: Int, over total: Int, before place: Int) -> Int {
        total > 0 ? place * count / total : 0
    }

    // MARK: Times and resource

    private func start(of index: Int) -> UInt64 {
        options.startUnixNano &+ UInt64(index) &* 1_000_000
    }

    /// Nanoseconds.
    private func duration(_ kind: GeneratedTrace.Kind, _ index: Int) -> UInt64 {
        var random = SeededRandom(seed: options.seed ^ 0xD0, stream: UInt64(index))
        let threshold = Double(options.latencyThresholdMilliseconds)
        let milliseconds =
            kind == .slow
            ? threshold * (1.05 + 0.6 * random.unit()) + 1
            : min(threshold / 10, 20 + 230 * random.unit())
        return UInt64(max(0.001, milliseconds) * 1_000_000)
    }

    private func request(service: String, spans: [GeneratedSpan]) -> GeneratedRequest {
        GeneratedRequest(
            resource: [
                GeneratedAttribute("service.name", service),
                GeneratedAttribute("service.version", "1.0.0"),
                GeneratedAttribute("deployment.environment", "demo"),
                GeneratedAttribute("deployment.environment.name", "demo"),
                GeneratedAttribute("host.name", "\(service)-1"),
                GeneratedAttribute("telemetry.sdk.name", "tss-produce"),
            ],
            scopeName: "tss.produce", scopeVersion: "1.0.0", spans: spans)
    }
}
