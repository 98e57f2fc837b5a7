import CBenchmark
import OTLPWire
import Sampling
import TraceBuffering
import TraceModel

/// A trace buffer that has as many live traces as it is asked for, fed as one partition's shard feeds it: messages are
/// scanned and taken, what is ripe is decided and leaves.
///
/// Sealed segments count as written at once and their bytes are gone: nothing here is input or output, and the
/// memory of a buffer with millions of traces is its index alone.
struct BufferBenchmark: ~Copyable {
    /// Messages that are prepared at once; the clocks are read around all of them.
    static let windowSize = 32
    /// Payload that stays in memory.
    static let payloadBytes = 64 << 20

    private var store: MessageStore
    private var stream: MessageStream
    private let sampler: Sampler
    private var state: SamplerState
    var buffer: TraceBuffer
    private var batch = SpanBatch()
    private var ripe: [RipeTrace] = []
    private var keptIndices: [Int] = []
    private var verdicts: [Bool] = []
    private var window: [MessageStream.Item] = []
    private var offset: Int64 = 0
    /// The bytes of sealed segments, where a disk would hold them; only when they are asked for.
    var disk: [SegmentID: [UInt8]]?

    /// What callgrind counts the instructions of.
    enum Part {
        case ingesting
        case deciding
    }

    var counted: Part?
    private(set) var ingesting = Cost()
    private(set) var deciding = Cost()
    private(set) var gathering = Cost()
    private(set) var spanCount = 0
    private(set) var droppedCount = 0
    private(set) var keptCount = 0
    /// Decisions that are not what the generator says.
    private(set) var wrongCount = 0
    private(set) var liveCount = 0

    init(_ store: consuming MessageStore, liveTraces: Int, sampler: Sampler, keepsSpilled: Bool = false) {
        if keepsSpilled { disk = [:] }
        stream = MessageStream(store, liveTraces: liveTraces)
        self.store = store
        self.sampler = sampler
        state = sampler.makeState(partitionCount: 1)
        var limits = BufferLimits()
        limits.traces = liveTraces * 2
        limits.bytes = Self.payloadBytes
        limits.spills = true
        buffer = TraceBuffer(limits: limits)
    }

    /// Takes so many spans and decides what becomes ripe meanwhile; costs and counts are those of this call.
    mutating func run(spans: Int) throws {
        (ingesting, deciding, gathering) = (Cost(), Cost(), Cost())
        (spanCount, droppedCount, keptCount) = (0, 0, 0)
        while spanCount < spans {
            guard fillWindow() else { return }
            try ingestWindow()
            decide(at: StreamTick(milliseconds: window[window.count - 1].milliseconds))
            liveCount = buffer.traceCount
        }
    }

    /// Lets everything that was taken become ripe, and counts the whole traces that are not as they should be.
    mutating func finish(_ isRight: (TraceSummary) -> Bool) -> Int {
        let tick = StreamTick(milliseconds: window[window.count - 1].milliseconds).advanced(by: 10_000)
        var wrong = 0
        var isMore = true
        while isMore {
            ripe.removeAll(keepingCapacity: true)
            isMore = buffer.ripe(at: tick, limit: 4096, into: &ripe)
            for trace in ripe {
                if trace.summary.spanCount == 8, !isRight(trace.summary) { wrong += 1 }
                buffer.discard(trace.handle)
            }
        }
        return wrong
    }

    private mutating func spill() {
        for segment in buffer.sealed() {
            disk?[segment.id] = segment.bytes
            buffer.written(segment.id)
        }
        for segment in buffer.unneededSegments() { disk?[segment] = nil }
    }

    private mutating func fillWindow() -> Bool {
        stream.fill(&window, from: &store, messageLimit: Self.windowSize)
        return !window.isEmpty
    }

    private mutating func ingestWindow() throws {
        let stamp = Stamp()
        if counted == .ingesting { tss_benchmark_count() }
        spanCount += try Self.ingest(window, of: store, sampler.program, &batch, &buffer, &offset)
        spill()
        if counted == .ingesting { tss_benchmark_pause() }
        ingesting.add(since: stamp)
    }

    /// Spans that the buffer took.
    private static func ingest(
        _ window: [MessageStream.Item], of store: borrowing MessageStore, _ program: MatcherProgram,
        _ batch: inout SpanBatch, _ buffer: inout TraceBuffer, _ offset: inout Int64
    ) throws -> Int {
        let bytes = store.bytes.span.bytes
        var count = 0
        for item in window {
            let message = bytes.extracting(store.messages[item.message].bytes)
            try SpanScanner.scan(message, matching: program, into: &batch)
            count +=
                buffer.ingest(message, batch, offset: offset, at: StreamTick(milliseconds: item.milliseconds))
                .takenSpans
            offset += 1
        }
        return count
    }

    private mutating func decide(at tick: StreamTick) {
        var isMore = true
        while isMore {
            ripe.removeAll(keepingCapacity: true)
            keptIndices.removeAll(keepingCapacity: true)
            verdicts.removeAll(keepingCapacity: true)
            var stamp = Stamp()
            if counted == .deciding { tss_benchmark_count() }
            isMore = buffer.ripe(at: tick, limit: 4096, into: &ripe)
            for index in ripe.indices {
                let isKept = sampler.decide(ripe[index].summary, state: &state, now: tick).isKept
                verdicts.append(isKept)
                if isKept { keptIndices.append(index) } else { buffer.discard(ripe[index].handle) }
            }
            if counted == .deciding { tss_benchmark_pause() }
            deciding.add(since: stamp)
            stamp = Stamp()
            for index in keptIndices {
                // Where its bytes have left memory somebody would read them: here nobody does.
                if case .reads = buffer.take(ripe[index].handle) { buffer.discard(ripe[index].handle) }
            }
            gathering.add(since: stamp)
            droppedCount += ripe.count - keptIndices.count
            keptCount += keptIndices.count
            check()
        }
    }

    private mutating func check() {
        for index in ripe.indices {
            let summary = ripe[index].summary
            let isRight = store.mustKeep(summary.traceID) == verdicts[index]
            if !isRight || Int(summary.spanCount) != 8 { wrongCount += 1 }
        }
    }

    /// Bytes of the payload that are in memory.
    var payloadBytes: Int { buffer.usedBytes }
}
