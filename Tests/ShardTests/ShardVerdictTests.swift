import Pipeline
import Sampling
import Testing
import TraceBuffering
import TraceGenerator
import TraceModel

@Suite struct ShardVerdictTests {
    /// Runs a log through a shard with random turns, commits and batchings.
    func outcomes(
        _ log: SketchLog, _ options: ShardOptions, seed: UInt64, until stamp: Int64
    ) throws -> (outcomes: [Outcome], rows: Int, counters: ShardCounters) {
        var random = SeededRandom(seed: seed)
        var shard = Shard(recovered: fresh(), options: options, sampler: try errorsAndSlow())
        var outcomes: [Outcome] = []
        var rows = 0
        var disk: [SegmentID: [UInt8]] = [:]
        func collect(_ shard: inout Shard) {
            outcomes += shard.takeDecisions().map(\.outcome)
            let sealed = shard.seal()
            rows += sealed.traces.reduce(0) { $0 + $1.trace.spans.count }
            if random.chance(0.1), !sealed.traces.isEmpty {
                rows -= sealed.traces.reduce(0) { $0 + $1.trace.spans.count }
                shard.aborted()
            } else {
                shard.committed()
            }
        }
        for entry in log.entries {
            if random.chance(0.3) { _ = shard.advance(.behind, wall: 0) }
            if random.chance(0.1) {
                // The end of the log: nothing below this record's stamp can come any more.
                _ = shard.advance(.quiet(stampMilliseconds: entry.record.timestampMilliseconds), wall: 0)
            }
            expectTaken(&shard, entry)
            serveSegments(&shard, &disk)
            if random.chance(0.2) { collect(&shard) }
        }
        shard.finish(at: stamp)
        serveSegments(&shard, &disk)
        serveSegments(&shard, &disk)
        #expect(disk.isEmpty)
        collect(&shard)
        collect(&shard)
        shard.committed(afterSealing: ())
        let gauges = shard.gauges
        #expect(gauges.settled == gauges.next, "everything is settled at the end")
        #expect(gauges.resume == gauges.next)
        #expect(gauges.bufferBytes == 0)
        #expect(gauges.keptBytes == 0)
        return (outcomes, rows, shard.counters)
    }

    /// A disk of segments: writes what is full, reads what is asked for, deletes what nobody needs.
    func serveSegments(_ shard: inout Shard, _ disk: inout [SegmentID: [UInt8]]) {
        // What was read may name more to read.
        while case let needed = shard.takeReads(), !needed.isEmpty {
            for trace in needed {
                for read in trace.reads.reversed() {
                    let bytes = disk[read.segment]![read.offset..<read.offset + read.byteCount]
                    shard.supply(trace.handle, read, Array(bytes))
                }
            }
        }
        for segment in shard.sealedSegments() {
            disk[segment.id] = segment.bytes
            shard.segmentWritten(segment.id)
        }
        for segment in shard.unneededSegments() { disk[segment] = nil }
    }

    @Test(arguments: 0..<30)
    func `verdicts are those of the naive rules whatever the turns and batches`(seed: Int) throws {
        let log = SketchLog.random(seed: UInt64(seed))
        let end = SketchLog.start + 700_000
        var options = ShardOptions()
        var naive = NaiveVerdicts(options.buffer)
        naive.run(log, until: end)
        for batching in 0..<3 {
            options.decisionsPerTurn = [1, 3, 4096][batching]
            let result = try outcomes(log, options, seed: UInt64(seed * 100 + batching), until: end)
            // Turns at the end of the log may come between two records: the tick of a decision may be any of theirs.
            let decided = result.outcomes.map { Self.withoutTick($0) }.sorted { $0.traceID < $1.traceID }
            #expect(decided == naive.outcomes.map { Self.withoutTick($0) }.sorted { $0.traceID < $1.traceID })
            let kept = naive.outcomes.filter(\.isKept).reduce(0) { $0 + $1.spanCount }
            #expect(result.rows == kept + naive.lateKept)
            #expect(result.counters.lateSpansKept == UInt64(naive.lateKept))
            let sampled = result.counters.spansSampled.reduce(0, +)
            let dropped = result.counters.spansDropped.reduce(0, +)
            #expect(result.counters.spansIngested == sampled + dropped)
            #expect(result.counters.spansIngested == UInt64(log.entries.reduce(0) { $0 + $1.spans.count }))
        }
    }

    static func withoutTick(_ outcome: Outcome) -> Outcome {
        var outcome = outcome
        outcome.tick = StreamTick(0)
        return outcome
    }

    @Test func `a log read in one go decides at the same ticks as one read record by record`() throws {
        let log = SketchLog.random(seed: 4711)
        var naive = NaiveVerdicts(BufferLimits())
        naive.run(log, until: SketchLog.start + 700_000)
        var shard = Shard(recovered: fresh(), options: ShardOptions(), sampler: try errorsAndSlow())
        for entry in log.entries { expectTaken(&shard, entry) }
        shard.finish(at: SketchLog.start + 700_000)
        let decisions = shard.takeDecisions()
        #expect(decisions.map(\.outcome) == naive.outcomes)
    }

    @Test(arguments: 0..<10)
    func `traces that are read back have the rows that traces in memory have`(seed: Int) throws {
        let log = SketchLog.random(seed: UInt64(seed))
        let end = SketchLog.start + 700_000
        var options = ShardOptions()
        let memory = try outcomes(log, options, seed: 1, until: end)
        options.buffer.spills = true
        options.buffer.segmentBytes = 700
        let disk = try outcomes(log, options, seed: 1, until: end)
        #expect(disk.rows == memory.rows)
        // A trace that is read back is reported when its bytes are here.
        #expect(disk.outcomes.sorted { $0.traceID < $1.traceID } == memory.outcomes.sorted { $0.traceID < $1.traceID })
    }

    @Test(arguments: 0..<10, [1, 2, 5])
    func `verdicts are the same however many shards share the traces`(seed: Int, shardCount: Int) throws {
        let log = SketchLog.random(seed: UInt64(seed))
        let end = SketchLog.start + 700_000
        var naive = NaiveVerdicts(BufferLimits())
        naive.run(log, until: end)
        var decided: [Outcome] = []
        for number in 0..<shardCount {
            var shard = Shard(recovered: fresh(), options: ShardOptions(), sampler: try errorsAndSlow())
            var part = SketchLog()
            for entry in log.entries {
                let spans = entry.spans.filter { $0.trace % shardCount == number }
                if !spans.isEmpty {
                    part.append(at: entry.record.timestampMilliseconds - SketchLog.start, spans)
                }
            }
            for entry in part.entries { expectTaken(&shard, entry) }
            shard.finish(at: end)
            decided += shard.takeDecisions().map(\.outcome)
        }
        #expect(
            decided.map { Self.withoutTick($0) }.sorted { $0.traceID < $1.traceID }
                == naive.outcomes.map { Self.withoutTick($0) }.sorted { $0.traceID < $1.traceID }, "DEC-2")
    }

    @Test func `an entry that does not decode holds its claim until it is stored`() throws {
        var shard = Shard(recovered: fresh(), options: ShardOptions(), sampler: try errorsAndSlow())
        var log = SketchLog()
        log.append(at: 0, [Sketch(trace: 1, span: 0, isRoot: true)])
        log.append(at: 10, [])
        log.append(at: 20, [])
        log.entries[1].bytes = [0xFF, 0xFF]
        for entry in log.entries { expectTaken(&shard, entry) }
        shard.finish(at: SketchLog.start + 100_000)
        let letters = shard.takeDeadLetters()
        #expect(letters.map(\.record.offset) == [1])
        #expect(letters[0].bytes == [0xFF, 0xFF])
        #expect(!letters[0].message.isEmpty)
        var sealed = shard.seal()
        #expect(sealed.draft.settled <= 1)
        shard.committed()
        shard.deadLetterStored(offset: 1)
        sealed = shard.seal()
        #expect(sealed.draft.settled == 3)
        shard.committed()
        let count = shard.counters.deadLetters
        #expect(count == 1)
    }

    @Test func `a full buffer decides the longest silent traces early until a tenth is free`() throws {
        var options = ShardOptions()
        options.buffer.traces = 20
        var shard = Shard(recovered: fresh(), options: options, sampler: try errorsAndSlow())
        var log = SketchLog()
        for trace in 1...40 { log.append(at: 0, [Sketch(trace: trace, span: 0, isError: trace == 1)]) }
        for entry in log.entries { expectTaken(&shard, entry) }
        let decisions = shard.takeDecisions()
        #expect(decisions.allSatisfy { $0.cause == .early })
        #expect(decisions.map(\.summary.firstOffset) == Array(0..<Int64(decisions.count)))
        let (gauges, counters) = (shard.gauges, shard.counters)
        #expect(gauges.bufferedTraces <= 20)
        #expect(counters.earlyDecisions == UInt64(decisions.count))
        // The clock stood all the time, and a late span of an early kept trace follows it.
        #expect(gauges.clock == StreamTick(milliseconds: SketchLog.start))
        log.append(at: 0, [Sketch(trace: 1, span: 1)])
        expectTaken(&shard, log.entries.last!)
        let late = shard.counters.lateSpansKept
        #expect(late == 1)
    }

    @Test func `kept bytes that wait for their commit stop the log, and a commit lets it go on`() throws {
        var options = ShardOptions()
        options.keptBytes = 1
        var shard = Shard(recovered: fresh(), options: options, sampler: try errorsAndSlow())
        var log = SketchLog()
        log.append(at: 0, [Sketch(trace: 1, span: 0, isError: true)])
        log.append(at: 70_000, [Sketch(trace: 2, span: 0)])
        log.append(at: 70_100, [Sketch(trace: 3, span: 0)])
        expectTaken(&shard, log.entries[0])
        expectTaken(&shard, log.entries[1])
        expectHeld(&shard, log.entries[2])
        let sealed = shard.seal()
        #expect(sealed.traces.count == 1)
        expectHeld(&shard, log.entries[2])
        shard.committed()
        expectTaken(&shard, log.entries[2])
    }
}

extension Shard {
    /// Commits what is decided by now.
    mutating func committed(afterSealing: ()) {
        _ = seal()
        committed()
    }
}
