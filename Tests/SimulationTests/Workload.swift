import TraceGenerator
import TraceModel

/// A span of the simulation.
struct SimulatedSpan: Hashable {
    var traceID: TraceID
    var spanID: SpanID
    var isRoot = false
    var isError = false
    /// A root that a drop policy names: its trace is dropped, errors and all.
    var isHealthCheck = false
    /// What force rules ask for.
    var color: String?
    /// Its trace is kept while a limiter lets it.
    var isLimited = false
    /// Its own time, as its sender says, seconds since 1970: anything.
    var startSeconds: UInt64 = 1_780_000_000
    /// When its sender sends it, milliseconds from the start.
    var at: Int64
}

/// A request that a client sends until it is answered 200.
struct SimulatedRequest {
    var id: Int
    var at: Int64
    var spans: [SimulatedSpan]
    var body: [UInt8]
}

/// What the clients of one instance send.
struct Workload {
    /// By the time at which they are due.
    var requests: [SimulatedRequest] = []

    /// Traces of one to six spans over some minutes: errors, health checks with a failing child, long silent
    /// ones, ones with late spans, and some requests without spans.
    init(seed: UInt64, traceCount: Int, milliseconds: Int64, hasLimits: Bool) {
        var random = SeededRandom(seed: seed, stream: 1)
        var spans: [SimulatedSpan] = []
        for _ in 0..<traceCount { spans += Self.trace(&random, Int(milliseconds), hasLimits: hasLimits) }
        spans.sort { ($0.at, $0.spanID.value) < ($1.at, $1.spanID.value) }
        var index = 0
        while index < spans.count {
            let count = min(random.int(in: 1...5), spans.count - index)
            append(Array(spans[index..<index + count]))
            index += count
            if random.chance(0.03) { append([], at: requests.last!.at) }
        }
    }

    private mutating func append(_ spans: [SimulatedSpan], at: Int64? = nil) {
        let id = requests.count
        let request = GeneratedRequest(
            resource: [GeneratedAttribute("service.name", "simulation"), GeneratedAttribute("request", id)],
            scopeName: "simulation", scopeVersion: "1", spans: spans.map(Self.span))
        requests.append(
            SimulatedRequest(id: id, at: at ?? spans.last!.at, spans: spans, body: request.encoded()))
    }

    private static func trace(
        _ random: inout SeededRandom, _ milliseconds: Int, hasLimits: Bool
    ) -> [SimulatedSpan] {
        let traceID = random.traceID()
        let start = random.below(milliseconds)
        let isHealthCheck = random.chance(0.2)
        let count = isHealthCheck ? random.int(in: 2...4) : random.int(in: 1...6)
        let hasRoot = isHealthCheck || random.chance(0.7)
        let failing = random.chance(isHealthCheck ? 0.8 : 0.35) ? (count > 1 ? 1 + random.below(count - 1) : 0) : count
        // Most spans come soon; some keep their trace open, some come after it was decided.
        let spread = random.chance(0.3) ? 25_000 : 3_000
        let isColored = random.chance(0.3)
        let isLimited = random.chance(0.25) && hasLimits
        return (0..<count).map { index in
            var at = start + (index == 0 ? 0 : random.below(spread))
            if index > 0, random.chance(0.06) { at += 70_000 + random.below(60_000) }
            return SimulatedSpan(
                traceID: traceID, spanID: random.spanID(), isRoot: index == 0 && hasRoot,
                isError: index == failing, isHealthCheck: index == 0 && isHealthCheck,
                color: isColored && random.chance(0.6) ? random.pick(RuleBook.colors) : nil,
                isLimited: isLimited && index == 0,
                startSeconds: random.chance(0.1) ? random.pick([0, 1_000_000_000, 1_780_003_600]) : 1_780_000_000,
                at: Int64(at))
        }
    }

    private static func span(_ simulated: SimulatedSpan) -> GeneratedSpan {
        var span = GeneratedSpan(
            traceID: simulated.traceID, spanID: simulated.spanID, name: "operation",
            startTimeUnixNano: simulated.startSeconds * 1_000_000_000,
            endTimeUnixNano: simulated.startSeconds * 1_000_000_000 + 10_000_000)
        if !simulated.isRoot { span.parentSpanID = SpanID(1) }
        if simulated.isError { span.statusCode = 2 }
        if simulated.isHealthCheck { span.attributes.append(GeneratedAttribute("health", "yes")) }
        if simulated.isLimited { span.attributes.append(GeneratedAttribute("limited", "yes")) }
        if let color = simulated.color { span.attributes.append(GeneratedAttribute("color", color)) }
        return span
    }
}
