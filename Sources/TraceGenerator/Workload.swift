import ProtobufWriter
public import TraceModel

/// What is true of one trace of a workload.
public struct WorkloadTruth: Sendable, Hashable {
    public var traceID: TraceID
    public var isError: Bool
    /// Lasts longer than 5 s.
    public var isSlow: Bool
}

/// The load of the performance bars: batches as the SDKs of twenty services send them.
///
/// 1000 traces start in each second of virtual time. A trace has 8 spans in three services, each
/// span 12 attributes; 2 % have an error, 1 % last longer than 5 s. A service exports when 512 spans
/// have ended or a second has passed, so a batch interleaves some 150 traces.
///
/// The same seed and count give the same bytes.
public struct Workload: Sendable {
    public static let spansPerTrace = 8
    public static let attributesPerSpan = 12
    /// The batch span processor's OTEL_BSP_MAX_EXPORT_BATCH_SIZE and OTEL_BSP_SCHEDULE_DELAY, with
    /// the delay that gives full batches at this rate.
    static let batchSpanLimit = 512
    static let exportDelayNanoseconds: UInt64 = 1_000_000_000
    static let tracesPerSecond: UInt64 = 1000
    static let startUnixNano: UInt64 = 1_780_000_000_000_000_000

    public let traceCount: Int
    /// Of the traces opened so far, in the order of their starts.
    public private(set) var truth: [WorkloadTruth] = []

    private let vocabulary: WorkloadVocabulary
    private var random: SeededRandom
    private var openedCount = 0
    private var ending = SpanHeap()
    /// For each service the bodies of the spans that have ended, as `ScopeSpans.spans` fields.
    private var queues: [[[UInt8]]]
    private var deadlines: [UInt64]
    private var ready: [[UInt8]] = []
    private var readyIndex = 0

    public init(seed: UInt64 = 20_261_122, traceCount: Int = 200_000) {
        self.traceCount = traceCount
        random = SeededRandom(seed: seed)
        vocabulary = WorkloadVocabulary(&random)
        let count = vocabulary.services.count
        queues = Array(repeating: [], count: count)
        // Spread over the first second: services do not export at the same moment.
        deadlines = (1...count).map {
            Self.startUnixNano + Self.exportDelayNanoseconds * UInt64($0) / UInt64(count)
        }
        truth.reserveCapacity(traceCount)
    }

    /// The next `ExportTraceServiceRequest` in the order of the exports, or nil after the last.
    public mutating func nextRequest() -> [UInt8]? {
        while readyIndex == ready.count {
            ready.removeAll(keepingCapacity: true)
            readyIndex = 0
            guard openedCount < traceCount || !ending.isEmpty || queues.contains(where: { !$0.isEmpty })
            else { return nil }
            if openedCount < traceCount {
                drain(upTo: Self.startUnixNano + UInt64(openedCount) * 1_000_000_000 / Self.tracesPerSecond)
                openTrace()
            } else {
                drain(upTo: .max)
                for service in queues.indices { export(service) }
            }
        }
        readyIndex += 1
        return ready[readyIndex - 1]
    }

    // MARK: Export

    /// Lets time pass: spans end, batches fill up, delays run out.
    private mutating func drain(upTo time: UInt64) {
        while let span = ending.popFirst(endingBy: time) {
            for service in deadlines.indices where deadlines[service] <= span.endTimeUnixNano {
                export(service)
                deadlines[service] += Self.exportDelayNanoseconds
            }
            queues[span.service].append(span.field)
            if queues[span.service].count == Self.batchSpanLimit {
                export(span.service)
                deadlines[span.service] = span.endTimeUnixNano + Self.exportDelayNanoseconds
            }
        }
    }

    private mutating func export(_ service: Int) {
        guard !queues[service].isEmpty else { return }
        let bytes = queues[service].reduce(0) { $0 + $1.count }
        var writer = MessageWriter(capacity: bytes + 1024)
        let (resource, scope) = (vocabulary.services[service].resource, vocabulary.services[service].scope)
        writer.message(1) { resourceSpans in
            resourceSpans.raw(resource)
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.raw(scope)
                for field in queues[service] { scopeSpans.raw(field) }
            }
        }
        queues[service].removeAll(keepingCapacity: true)
        ready.append(writer.bytes)
    }

    // MARK: Traces

    private mutating func openTrace() {
        let start =
            Self.startUnixNano
            + UInt64((Double(openedCount) + random.unit()) * 1e9 / Double(Self.tracesPerSecond))
        let isSlow = random.chance(0.01)
        let isError = random.chance(0.02)
        var trace = WorkloadTrace(
            vocabulary: vocabulary, start: start, duration: duration(isSlow: isSlow),
            isError: isError, &random)
        truth.append(WorkloadTruth(traceID: trace.traceID, isError: isError, isSlow: isSlow))
        for span in trace.spans(&random) { ending.insert(span) }
        openedCount += 1
    }

    /// Nanoseconds. Log-uniform from 15 to 300 ms, one trace of twenty up to six times that; slow
    /// ones 5.2 to 9.2 s.
    private mutating func duration(isSlow: Bool) -> UInt64 {
        guard !isSlow else { return UInt64((5200 + 4000 * random.unit()) * 1e6) }
        let stretch = random.chance(0.05) ? 1 + 5 * random.unit() : 1
        return UInt64(15e6 * Self.exponential(3 * random.unit()) * stretch)
    }

    /// e^x for 0 ≤ x ≤ 4, by its series: the mathematical library's last bits differ between systems.
    private static func exponential(_ x: Double) -> Double {
        var term = 1.0
        var sum = 1.0
        for index in 1...30 {
            term *= x / Double(index)
            sum += term
        }
        return sum
    }
}

/// A span that has not ended yet.
struct WorkloadSpan: Sendable {
    var endTimeUnixNano: UInt64
    /// Order among spans that end at the same time.
    var sequence: UInt64 = 0
    var service: Int
    /// The span as a field of `ScopeSpans`.
    var field: [UInt8]
}

/// Open spans by the time of their end: a binary heap.
struct SpanHeap: Sendable {
    private var spans: [WorkloadSpan] = []
    private var insertedCount: UInt64 = 0

    var isEmpty: Bool { spans.isEmpty }

    mutating func insert(_ span: WorkloadSpan) {
        var index = spans.count
        spans.append(span)
        spans[index].sequence = insertedCount
        insertedCount += 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            spans.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func popFirst(endingBy time: UInt64) -> WorkloadSpan? {
        guard let first = spans.first, first.endTimeUnixNano <= time else { return nil }
        spans.swapAt(0, spans.count - 1)
        spans.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < spans.count && isBefore(child, least) {
                least = child
            }
            guard least != index else { return first }
            spans.swapAt(index, least)
            index = least
        }
    }

    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        (spans[one].endTimeUnixNano, spans[one].sequence)
            < (spans[other].endTimeUnixNano, spans[other].sequence)
    }
}
