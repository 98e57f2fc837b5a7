import Pipeline
import Sampling
import Testing
import TraceModel

@testable import ShardRunner

@Suite struct DecisionLogTests {
    private static func event(_ number: Int) -> DecisionEvent {
        var record = SpanRecord(traceID: TraceID(high: 1, low: UInt64(number)), spanID: SpanID(1))
        record.statusCode = 2
        let sampled = Decision(
            verdict: .sampled, reason: .error, policy: "always_sample_errors", adjustedCount: 1, policyVersion: 1)
        return DecisionEvent(
            summary: TraceSummary(opening: record, offset: Int64(number), tick: StreamTick(0)), decision: sampled,
            cause: .root, decidedAt: StreamTick(Int64(number)), votes: VoteSet([.sampled, .notSampled, .notSampled]))
    }

    @Test func `the newest are there, newest first, through any number of turns of the ring`() throws {
        let log = DecisionLog(capacity: 5000)
        let sampler = log.register(try Sampler(policies: SimpleSampling().policies()))
        var next = 1
        for count in [1, 10, 2048, 2048, 5000, 3, 4999, 1] {
            log.append((next..<next + count).map(Self.event), number: sampler.number)
            next += count
            let kept = min(5000, next - 1)
            let recent = log.recent(limit: .max)
            #expect(recent.map(\.event.summary.firstOffset) == (0..<kept).map { Int64(next - 1 - $0) })
            #expect(log.decision(about: Self.event(next - kept).summary.traceID) != nil)
            #expect(log.decision(about: Self.event(next - kept - 1).summary.traceID) == nil)
        }
        #expect(log.recent(limit: 3).count == 3)
        #expect(log.recent(limit: 0).isEmpty)
        let entry = try #require(log.recent(limit: 1).first)
        #expect(entry.votes.map(\.outcome) == [.sampled, .notSampled, .notSampled])
        #expect(entry.explanation.hasPrefix("sampled by always_sample_errors"))
    }

    @Test func `a sampler is forgotten with the last decision that it made`() throws {
        let log = DecisionLog(capacity: 4)
        let sampler = try Sampler(policies: SimpleSampling().policies())
        let first = log.register(sampler)
        log.append([Self.event(1)], number: first.number)
        var last = log.register(sampler)
        #expect(log.decision(about: Self.event(1).summary.traceID)?.votes.isEmpty == false)
        for number in 2...10 {
            log.append([Self.event(number)], number: last.number)
            last = log.register(sampler)
        }
        #expect(log.samplerCount <= 6)
        #expect(log.recent(limit: 4).allSatisfy { $0.votes.count == 3 })
    }
}
