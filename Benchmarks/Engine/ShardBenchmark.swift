import CBenchmark
import Pipeline
import Sampling
import TraceBuffering
import TraceModel

/// Whole shards, from a message in memory to verdicts and kept rows, with everything between but no input or output.
///
/// One thread gives the shards their turns, as a worker does: a piece of the log, then what is due, then what piled up
/// is taken away.
final class ShardBenchmark {
    /// A read from the log.
    static let turnBytes = 1 << 20
    /// Kept rows of this size are committed.
    static let batchBytes = 32 << 20
    /// Segments in memory, of all shards together; the others go to an archive.
    private static let payloadBytes = 256 << 20
    /// 24 bytes each.
    private static let rememberedVerdicts = 4_000_000
    private static let start: Int64 = 1_780_000_000_000

    /// A shard, and what hangs on it: a class, for values that cannot be copied have no place in an array.
    private final class Owned {
        var shard: Shard
        var next: Int64 = 0
        private let needsSegments: Bool
        private var archive = SegmentArchive()

        init(_ shard: consuming Shard, needsSegments: Bool) {
            self.shard = shard
            self.needsSegments = needsSegments
        }

        /// Segments leave for the archive, and count as written.
        func spill() {
            for segment in shard.sealedSegments() {
                if needsSegments { archive.store(segment) }
                shard.segmentWritten(segment.id)
            }
            for segment in shard.unneededSegments() { archive.remove(segment) }
        }

        /// What is to be read, read.
        func readBack() -> [(handle: TraceHandle, read: SegmentRead, bytes: [UInt8])] {
            shard.takeReads().flatMap { trace in
                trace.reads.map { (trace.handle, $0, archive.read($0)) }
            }
        }
    }

    private final class StoreBox {
        var store: MessageStore
        init(_ store: consuming MessageStore) { self.store = store }
    }

    private let box: StoreBox
    private var stream: MessageStream
    private let shards: [Owned]
    /// The sampler drops all: nothing has to be right but that.
    private let keepsNothing: Bool
    private var turn: [MessageStream.Item] = []
    private var verdicts: [[VerdictRecord]] = []
    private var batches: [SealedPartition] = []

    /// Whether callgrind counts the turns.
    var isCounted = false
    private var stamp = Stamp()
    private(set) var cost = Cost()
    private(set) var turns = Histogram()
    private(set) var spanCount = 0
    private(set) var keptRows = 0
    private(set) var decidedCount = 0
    /// Verdicts and kept traces that are not what the generator says.
    private(set) var wrongCount = 0

    init(
        _ store: consuming MessageStore, shardCount: Int, liveTraces: Int, sampler: Sampler, keepsNothing: Bool = false
    ) {
        self.keepsNothing = keepsNothing
        stream = MessageStream(store, liveTraces: liveTraces)
        box = StoreBox(store)
        var options = ShardOptions()
        options.buffer.bytes = max(16 << 20, Self.payloadBytes / shardCount)
        options.buffer.traces = max(10_000, liveTraces * 2 / shardCount)
        options.buffer.spills = true
        options.decisions = max(10_000, Self.rememberedVerdicts / shardCount)
        shards = (0..<shardCount).map { number in
            let id = PartitionID(
                source: SourceID(topic: "otlp:benchmark", generation: 1), partition: Int32(number))
            return Owned(
                Shard(
                    recovered: RecoveredPartition(
                        id: id, epoch: 1, resume: 0, settled: 0, clock: StreamTick(milliseconds: Self.start)),
                    options: options, sampler: sampler), needsSegments: !keepsNothing)
        }
    }

    /// Undecided traces of all shards.
    var liveCount: Int { shards.reduce(0) { $0 + $1.shard.gauges.bufferedTraces } }

    /// Takes so many spans; costs and counts are those of this call.
    func run(spans: Int) {
        (cost, turns, spanCount, keptRows, decidedCount) = (Cost(), Histogram(), 0, 0, 0)
        while spanCount < spans, fillTurn() { takeTurn() }
    }

    private func fillTurn() -> Bool {
        stream.fill(&turn, from: &box.store, byteLimit: Self.turnBytes)
        return !turn.isEmpty
    }

    private func takeTurn() {
        let before = cost.wallNanoseconds
        resume()
        offerTurn(box.store)
        let wall = Self.start + (turn.last?.milliseconds ?? 0)
        for owned in shards {
            _ = owned.shard.advance(.quiet(stampMilliseconds: wall), wall: wall)
            harvest(owned)
        }
        pause()
        turns.add(cost.wallNanoseconds - before)
        check()
    }

    /// Only what the shards do is measured.
    private func resume() {
        if isCounted { tss_benchmark_count() }
        stamp = Stamp()
    }

    private func pause() {
        cost.add(since: stamp)
        if isCounted { tss_benchmark_pause() }
    }

    private func offerTurn(_ store: borrowing MessageStore) {
        let bytes = store.bytes.span.bytes
        for item in turn {
            let message = store.messages[item.message]
            offer(item, bytes.extracting(message.bytes), to: shards[Int(item.pass) % shards.count])
            spanCount += message.spanCount
        }
    }

    private func offer(_ item: MessageStream.Item, _ message: RawSpan, to owned: Owned) {
        let milliseconds = Self.start + item.milliseconds
        let record = LogRecord(offset: owned.next, timestampMilliseconds: milliseconds, checksum: 0)
        owned.next += 1
        while true {
            switch owned.shard.ingest(record, message, wall: milliseconds) {
            case .taken: return
            case .again(.keptFull): commit(owned)
            case .again:
                _ = owned.shard.advance(.behind, wall: milliseconds)
                harvest(owned)
            }
        }
    }

    /// Takes away what piled up. Writing, reading and what stands in their place are not measured.
    private func harvest(_ owned: Owned) {
        while true {
            pause()
            owned.spill()
            let reads = owned.readBack()
            resume()
            for (handle, read, bytes) in reads { owned.shard.supply(handle, read, bytes) }
            if reads.isEmpty { break }
        }
        verdicts.append(owned.shard.takeVerdicts())
        _ = owned.shard.takeDecisions()
        if owned.shard.gauges.keptBytes * shards.count >= Self.batchBytes { commit(owned) }
    }

    private func commit(_ owned: Owned) {
        let sealed = owned.shard.seal()
        owned.shard.committed()
        batches.append(sealed)
    }

    /// Holds what was decided against what the generator says. Not measured.
    private func check() {
        for record in verdicts.joined() {
            decidedCount += 1
            let mustKeep = box.store.mustKeep(record.traceID).map { $0 && !keepsNothing }
            if mustKeep != (record.verdict == .sampled) { wrongCount += 1 }
        }
        for kept in batches.lazy.flatMap(\.traces) {
            keptRows += kept.trace.spans.count
            if keepsNothing || kept.trace.spans.count != 8 || box.store.mustKeep(kept.trace.traceID) != true {
                wrongCount += 1
            }
        }
        verdicts.removeAll(keepingCapacity: true)
        batches.removeAll(keepingCapacity: true)
    }
}
