import OTLPWire
import Pipeline
import Sampling
import Testing
import TraceBuffering
import TraceGenerator
import TraceModel

/// What one turn may do, and what it leaves behind.
@Suite struct TurnTests {
    /// Traces that are all due at once.
    private func full(_ options: ShardOptions, traces: Int, spans: Int, isError: Bool) throws -> Shard {
        var log = SketchLog()
        for trace in 1...traces {
            log.append(at: 0, (0..<spans).map { Sketch(trace: trace, span: $0, isRoot: $0 == 0, isError: isError) })
        }
        var shard = Shard(recovered: fresh(), options: options, sampler: try errorsAndSlow())
        for entry in log.entries { expectTaken(&shard, entry) }
        return shard
    }

    @Test func `a turn decides so many traces and no more`() throws {
        var options = ShardOptions()
        options.decisionsPerTurn = 100
        var shard = try full(options, traces: 250, spans: 1, isError: false)
        let end = SketchLog.start + 100_000
        for expected in [100, 100, 50] {
            let isMore = shard.advance(.quiet(stampMilliseconds: end), wall: end)
            let count = shard.takeDecisions().count
            #expect(count == expected)
            #expect(isMore == (expected == 100))
        }
    }

    @Test func `a turn gathers so many kept spans, and a small batch of traces more at most`() throws {
        var options = ShardOptions()
        options.keptSpansPerTurn = 100
        var shard = try full(options, traces: 300, spans: 5, isError: true)
        let end = SketchLog.start + 100_000
        var total = 0
        while true {
            let isMore = shard.advance(.quiet(stampMilliseconds: end), wall: end)
            let spans = shard.takeDecisions().reduce(0) { $0 + Int($1.summary.spanCount) }
            #expect(spans <= 64 * 5)
            total += spans
            if !isMore { break }
        }
        #expect(total == 300 * 5)
    }

    @Test func `spans of kept traces are shown up to a number in a second, and again in the next`() throws {
        var options = ShardOptions()
        options.evidencesPerSecond = 10
        options.decisionsPerTurn = 30
        var shard = try full(options, traces: 60, spans: 1, isError: true)
        let end = SketchLog.start + 100_000
        for second in 0..<2 {
            _ = shard.advance(.quiet(stampMilliseconds: end), wall: end + Int64(second) * 1000)
            let events = shard.takeDecisions()
            #expect(events.count == 30)
            let shown = events.filter { !$0.evidence.isEmpty }
            #expect(shown.count == 10)
            #expect(shown.allSatisfy { $0.evidence.contains { $0.spanName == "operation" } })
        }
    }

    @Test func `votes are those of the decision, whatever the number of policies`() {
        for count in [0, 1, 15, 16, 17, 31, 32, 33, 256] {
            var random = SeededRandom(seed: UInt64(count))
            let outcomes = (0..<count).map { _ in random.pick(Vote.Outcome.allCases) }
            let votes = VoteSet(outcomes)
            #expect(votes.outcomes == outcomes)
            #expect(votes.count == count && votes.isEmpty == (count == 0))
        }
    }

    @Test func `how policies voted is counted, once`() throws {
        var shard = try full(ShardOptions(), traces: 3, spans: 1, isError: true)
        let end = SketchLog.start + 100_000
        shard.finish(at: end)
        var counts: [String: UInt64] = [:]
        let policies = shard.sampler.policies.map(\.name)
        shard.drainVoteCounts { counts["\(policies[$0]) \($1)"] = $2 }
        #expect(counts["always_sample_errors sampled"] == 3)
        #expect(counts["sample_latency not_sampled"] == 3)
        counts = [:]
        shard.drainVoteCounts { counts["\($0) \($1)"] = $2 }
        #expect(counts.isEmpty)
    }

    @Test func `with a disk that is full a share of the traces is decided early, then it gets its chance`() throws {
        var options = ShardOptions()
        options.buffer.spills = true
        options.buffer.segmentBytes = 300
        options.buffer.bytes = 4_000
        var shard = Shard(recovered: fresh(), options: options, sampler: try errorsAndSlow())
        var log = SketchLog()
        for trace in 1...200 { log.append(at: Int64(trace), [Sketch(trace: trace, span: 0)]) }
        var taken = 0
        func offer() -> IngestOutcome {
            let entry = log.entries[taken]
            let outcome = shard.ingest(entry.record, entry.bytes.span.bytes, wall: 0)
            if outcome == .taken { taken += 1 }
            return outcome
        }
        while offer() == .taken {}
        // Writes are under way: nothing is decided early.
        var segments = shard.sealedSegments()
        #expect(!segments.isEmpty)
        for _ in 0..<3 {
            let isMore = shard.advance(.behind, wall: 0)
            let isWaiting = shard.isWaitingForDisk
            #expect(!isMore && isWaiting)
            #expect(offer() == .again(.bufferFull))
        }
        #expect(shard.counters.earlyDecisions == 0)
        shard.diskIsFull(true)
        let buffered = shard.gauges.bufferedTraces
        while shard.advance(.behind, wall: 0) {}
        let early = Int(shard.counters.earlyDecisions)
        #expect(early == max(1, buffered / BufferLimits.earlyFreeShare))
        // No more within a second.
        _ = offer()
        while shard.advance(.behind, wall: 500) {}
        #expect(Int(shard.counters.earlyDecisions) == early)
        _ = offer()
        while shard.advance(.behind, wall: 1_500) {}
        #expect(Int(shard.counters.earlyDecisions) > early)
        // Room on the disk is room in the buffer.
        shard.diskIsFull(false)
        while taken < log.entries.count {
            segments += shard.sealedSegments()
            for segment in segments { shard.segmentWritten(segment.id) }
            segments = []
            _ = shard.advance(.behind, wall: 2_000)
            while taken < log.entries.count, offer() == .taken {}
        }
    }
}
