import OTLPWire
import Pipeline
import Sampling
import Testing
import TraceBuffering
import TraceGenerator
import TraceModel

/// A span of a test, in few words.
struct Sketch: Hashable {
    var trace: Int
    var span: Int
    var isRoot = false
    var isError = false
    var milliseconds = 10
    /// An attribute that force rules ask for.
    var color: String?

    var traceID: TraceID { TraceID(high: 7, low: UInt64(trace)) }
}

/// A log of a test: records with their stamps, and what is in them.
struct SketchLog {
    struct Entry {
        var record: LogRecord
        var bytes: [UInt8]
        var spans: [Sketch]
    }

    var entries: [Entry] = []
    /// Second 0 of the log.
    static let start: Int64 = 1_780_000_000_000

    mutating func append(at milliseconds: Int64, _ spans: [Sketch], gap: Int64 = 0) {
        let offset = (entries.last?.record.offset ?? -1) + 1 + gap
        let request = GeneratedRequest(
            resource: [GeneratedAttribute("service.name", "test")], scopeName: "test", scopeVersion: "1",
            spans: spans.map(Self.span))
        entries.append(
            Entry(
                record: LogRecord(
                    offset: offset, timestampMilliseconds: Self.start + milliseconds,
                    checksum: UInt32(truncatingIfNeeded: offset &* 2_654_435_761)),
                bytes: spans.isEmpty ? [] : request.encoded(), spans: spans))
    }

    private static func span(_ sketch: Sketch) -> GeneratedSpan {
        let start = UInt64(Self.start) * 1_000_000
        var span = GeneratedSpan(
            traceID: sketch.traceID, spanID: SpanID(UInt64(sketch.trace) << 32 | UInt64(sketch.span + 1)),
            name: "operation", startTimeUnixNano: start,
            endTimeUnixNano: start + UInt64(sketch.milliseconds) * 1_000_000)
        if !sketch.isRoot { span.parentSpanID = SpanID(99) }
        if sketch.isError { span.statusCode = 2 }
        if let color = sketch.color { span.attributes = [GeneratedAttribute("color", color)] }
        return span
    }

    /// Traces of one to six spans, scattered over minutes, some with late spans and gaps between offsets.
    static func random(seed: UInt64, traceCount: Int = 60) -> SketchLog {
        var random = SeededRandom(seed: seed)
        var arrivals: [(at: Int, sketch: Sketch)] = []
        for trace in 1...traceCount {
            let start = random.below(120_000)
            let count = random.int(in: 1...6)
            let failing = random.chance(0.3) ? random.below(count) : count
            for span in 0..<count {
                let spread = random.chance(0.2) ? 90_000 : 8_000
                arrivals.append(
                    (
                        start + random.below(spread),
                        Sketch(
                            trace: trace, span: span, isRoot: span == 0 && random.chance(0.8),
                            isError: span == failing, milliseconds: random.chance(0.05) ? 6_000 : 10)
                    ))
            }
        }
        arrivals.sort { ($0.at, $0.sketch.trace, $0.sketch.span) < ($1.at, $1.sketch.trace, $1.sketch.span) }
        var log = SketchLog()
        var index = 0
        while index < arrivals.count {
            let count = min(random.int(in: 1...4), arrivals.count - index)
            let message = arrivals[index..<index + count]
            let gap = random.chance(0.1) ? Int64(random.below(200)) : 0
            log.append(at: Int64(message.last!.at), message.map(\.sketch), gap: gap)
            if random.chance(0.05) { log.append(at: Int64(message.last!.at), []) }
            index += count
        }
        return log
    }
}

/// Errors and slow traces are kept.
func errorsAndSlow() throws -> Sampler { try Sampler(policies: SimpleSampling().policies()) }

func fresh(at resume: Int64 = 0) -> RecoveredPartition {
    RecoveredPartition(
        id: PartitionID(source: SourceID(topic: "otlp:test", generation: 1), partition: 0), epoch: 1,
        resume: resume, settled: resume, clock: StreamTick(0))
}

extension Shard {
    /// Offers an entry and gives turns until it is taken; false when it waits for a commit.
    mutating func offer(_ entry: SketchLog.Entry, wall: Int64 = SketchLog.start) -> Bool {
        while true {
            switch ingest(entry.record, entry.bytes.span.bytes, wall: wall) {
            case .taken: return true
            case .again(.keptFull): return false
            case .again: _ = advance(.behind, wall: wall)
            }
        }
    }

    /// Lets everything become ripe.
    mutating func finish(at stamp: Int64) {
        while advance(.quiet(stampMilliseconds: stamp), wall: stamp) {}
    }
}

func expectTaken(
    _ shard: inout Shard, _ entry: SketchLog.Entry, sourceLocation: SourceLocation = #_sourceLocation
) {
    let isTaken = shard.offer(entry)
    #expect(isTaken, sourceLocation: sourceLocation)
}

func expectHeld(
    _ shard: inout Shard, _ entry: SketchLog.Entry, sourceLocation: SourceLocation = #_sourceLocation
) {
    let isTaken = shard.offer(entry)
    #expect(!isTaken, sourceLocation: sourceLocation)
}

/// What is decided about a trace, when; the same from every implementation.
struct Outcome: Hashable, CustomStringConvertible {
    var traceID: TraceID
    var tick: StreamTick
    var isKept: Bool
    var cause: RipeCause
    var spanCount: Int

    var description: String {
        "\(traceID.low)@\(tick.value) \(isKept ? "kept" : "dropped") \(cause) \(spanCount)"
    }
}

extension DecisionEvent {
    var outcome: Outcome {
        Outcome(
            traceID: summary.traceID, tick: decidedAt, isKept: decision.isKept, cause: cause,
            spanCount: Int(summary.spanCount))
    }
}
