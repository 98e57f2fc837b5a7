import OTLPWire
import Pipeline
import Sampling
import Testing
import TraceBuffering
import TraceGenerator
import TraceModel

/// Rules that come, change and go while traces are buffered, in memory and on disk.
@Suite struct ForceRuleTests {
    static let colors = ["red", "green", "blue"]

    static func rule(_ id: String, _ color: String, _ action: ForceRule.Action, priority: Int64 = 100) -> ForceRule {
        ForceRule(
            id: id, description: "", durationSeconds: 3600, priority: priority,
            span: [ForceRule.Matcher("color", .equal, [.text(color)])], action: action,
            createdMilliseconds: SketchLog.start)
    }

    static func sampler(_ rules: ForceRuleSet) throws -> Sampler {
        try Sampler(policies: SimpleSampling().policies(), forceRules: rules)
    }

    /// The rules as people would say them: what decides about a trace, looked up the slow way.
    struct NaiveRules {
        struct Rule {
            var rule: ForceRule
            var serial: UInt64
            var isGone = false
            /// The first offset that is free of it.
            var boundary: Int64?
        }

        var rules: [Rule] = []

        mutating func change(_ set: inout ForceRuleSet, _ random: inout SeededRandom, next: Int64) throws {
            let live = rules.indices.filter { !rules[$0].isGone && rules[$0].boundary == nil }
            switch random.below(4) {
            case 0...1:
                let rule = ForceRuleTests.rule(
                    "rule-\(rules.count)", random.pick(ForceRuleTests.colors), random.chance(0.5) ? .keep : .drop,
                    priority: Int64(random.below(3)))
                rules.append(Rule(rule: rule, serial: try set.insert(rule)))
            case 2:
                guard !live.isEmpty else { return }
                let index = random.pick(live)
                set.expire(rules[index].serial)
                rules[index].boundary = next
            default:
                guard !rules.isEmpty else { return }
                let index = random.below(rules.count)
                set.remove(rules[index].serial)
                rules[index].isGone = true
            }
        }

        func decision(_ spans: some Sequence<Sketch>, first: Int64) -> ForceRule? {
            rules.filter { rule in
                !rule.isGone && rule.boundary ?? .max > first
                    && spans.contains { $0.color == rule.rule.span[0].values[0].text }
            }.map(\.rule).min { $0.precedes($1) }
        }
    }

    @Test(arguments: 0..<60)
    func `every buffered trace obeys the rules that hold when it is decided`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed), stream: 3)
        let log = Self.colored(SketchLog.random(seed: UInt64(seed)), &random)
        var options = ShardOptions()
        options.decisionsPerTurn = random.pick([1, 7, 4096])
        options.buffer.spills = random.chance(0.7)
        options.buffer.segmentBytes = 700
        let rematches = random.pick([0.0, 0.2, 1.0])
        var set = ForceRuleSet()
        var naive = NaiveRules()
        var shard = Shard(recovered: fresh(), options: options, sampler: try Self.sampler(set))
        var disk = SketchDisk()
        var sampler = try Self.sampler(set)
        var forcedCount = 0
        func check(_ shard: inout Shard) {
            for event in shard.takeDecisions() {
                let spans = log.entries.filter {
                    $0.record.offset >= event.summary.firstOffset && $0.record.offset <= event.summary.lastOffset
                }.flatMap(\.spans).filter { $0.traceID == event.summary.traceID }
                let forced = naive.decision(spans, first: event.summary.firstOffset)
                if forced != nil { forcedCount += 1 }
                #expect((event.decision.reason == .forceRule) == (forced != nil), "seed \(seed)")
                guard let forced else { continue }
                #expect(event.decision.policy == forced.id, "seed \(seed)")
                #expect(event.decision.isKept == (forced.action == .keep), "seed \(seed)")
            }
        }
        for entry in log.entries {
            if random.chance(0.15) {
                // Everything that is decided by now was decided by the rules of now.
                disk.serve(&shard)
                check(&shard)
                try naive.change(&set, &random, next: shard.next)
                sampler = try sampler.adopting(set)
                shard.adopt(sampler: sampler)
            }
            while case .again = shard.ingest(entry.record, entry.bytes.span.bytes, wall: SketchLog.start) {
                _ = shard.advance(.behind, wall: SketchLog.start)
                disk.serve(&shard)
            }
            if random.chance(rematches) { disk.rematch(&shard) }
            if random.chance(0.3) { disk.serve(&shard) }
        }
        let end = SketchLog.start + 700_000
        repeat {
            disk.serve(&shard)
        } while shard.advance(.quiet(stampMilliseconds: end), wall: end)
            || shard.gauges.bufferedTraces > 0 || shard.isWaitingForDisk
        disk.serve(&shard)
        check(&shard)
        _ = shard.seal()
        shard.committed()
        #expect(shard.gauges.settled == shard.gauges.next)
        #expect(naive.rules.isEmpty || forcedCount > 0 || seed > 0)
    }

    private static func colored(_ log: SketchLog, _ random: inout SeededRandom) -> SketchLog {
        var colored = SketchLog()
        for entry in log.entries {
            let spans = entry.spans.map { span in
                var span = span
                if random.chance(0.3) { span.color = random.pick(colors) }
                return span
            }
            let gap = entry.record.offset - (colored.entries.last?.record.offset ?? -1) - 1
            colored.append(at: entry.record.timestampMilliseconds - SketchLog.start, spans, gap: gap)
        }
        return colored
    }

    @Test func `a rule that is made now decides about what was buffered before, evidence included`() throws {
        var log = SketchLog()
        log.append(at: 0, [Sketch(trace: 1, span: 0, isRoot: true, color: "red"), Sketch(trace: 2, span: 0)])
        var shard = Shard(recovered: fresh(), options: ShardOptions(), sampler: try Self.sampler(ForceRuleSet()))
        expectTaken(&shard, log.entries[0])
        let rules = try ForceRuleSet(rules: [Self.rule("keep-red", "red", .keep)])
        let sampler = shard.sampler
        shard.adopt(sampler: try sampler.adopting(rules))
        #expect(shard.gauges.rematchBytes > 0)
        while shard.rematch() != .idle {}
        #expect(shard.gauges.rematchBytes == 0)
        shard.finish(at: SketchLog.start + 100_000)
        let decisions = shard.takeDecisions()
        let red = try #require(decisions.first { $0.summary.traceID.low == 1 })
        #expect(red.decision.policy == "keep-red")
        #expect(red.decision.reason == .forceRule)
        #expect(red.evidence.contains { $0.key == "color" && $0.value == "red" })
        #expect(red.votes.outcomes.allSatisfy { $0 == .notEvaluated })
        #expect(decisions.first { $0.summary.traceID.low == 2 }?.decision.verdict == .notSampled)
        #expect(shard.counters.tracesRematched == 0)
    }

    @Test func `while a stale trace is read from disk its partition waits, and nothing is decided twice`() throws {
        var options = ShardOptions()
        options.buffer.spills = true
        options.buffer.segmentBytes = 100
        var log = SketchLog()
        log.append(at: 0, [Sketch(trace: 1, span: 0, isRoot: true, color: "red")])
        log.append(at: 10, [Sketch(trace: 2, span: 0, isRoot: true)])
        log.append(at: 40_000, [Sketch(trace: 1, span: 1)])
        var shard = Shard(recovered: fresh(), options: options, sampler: try Self.sampler(ForceRuleSet()))
        var disk = SketchDisk()
        expectTaken(&shard, log.entries[0])
        expectTaken(&shard, log.entries[1])
        disk.serve(&shard)
        let rules = try ForceRuleSet(rules: [Self.rule("keep-red", "red", .keep)])
        let sampler = shard.sampler
        shard.adopt(sampler: try sampler.adopting(rules))
        for _ in 0..<5 {
            let entry = log.entries[2]
            let outcome = shard.ingest(entry.record, entry.bytes.span.bytes, wall: 0)
            #expect(outcome == .again(.expiring))
            let isMore = shard.advance(.behind, wall: 0)
            #expect(!isMore)
            let isWaiting = shard.isWaitingForDisk
            #expect(isWaiting)
        }
        let before = shard.takeDecisions()
        #expect(before.isEmpty)
        disk.serve(&shard)
        let isMore = shard.advance(.behind, wall: 0)
        #expect(!isMore)
        #expect(shard.takeDecisions().map(\.decision.policy).contains("keep-red"))
        #expect(shard.counters.tracesRematched == 2)
        // The late span follows.
        expectTaken(&shard, log.entries[2])
        #expect(shard.counters.lateSpansKept == 1)
    }
}

extension ForceRule.Value {
    fileprivate var text: String? {
        if case .text(let text) = self { text } else { nil }
    }
}

/// A disk of segments: writes what is full, reads what is asked for, deletes what nobody needs.
struct SketchDisk {
    private(set) var segments: [SegmentID: [UInt8]] = [:]

    mutating func serve(_ shard: inout Shard) {
        for segment in shard.sealedSegments() {
            segments[segment.id] = segment.bytes
            shard.segmentWritten(segment.id)
        }
        // What was read may name more to read.
        while case let needed = shard.takeReads(), !needed.isEmpty {
            for trace in needed {
                for read in trace.reads { shard.supply(trace.handle, read, bytes(read)) }
            }
        }
        for segment in shard.unneededSegments() { segments[segment] = nil }
    }

    mutating func rematch(_ shard: inout Shard) {
        if case .read(let read) = shard.rematch() { shard.supplyRematch(read.segment, bytes(read)) }
    }

    private func bytes(_ read: SegmentRead) -> [UInt8] {
        Array(segments[read.segment]![read.offset..<read.offset + read.byteCount])
    }
}
