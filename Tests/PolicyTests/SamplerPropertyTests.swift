import Testing
import TraceModel

@testable import Sampling

struct SamplerPropertyTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `decides and votes as the naive evaluation does`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<500 {
            let policies = PolicyConfiguration.randomSet(using: &generator)
            let stops = Int.random(in: 0..<4, using: &generator) == 0
            let sampler = try Sampler(policies: policies, version: seed, stopsAtFirstMatch: stops)
            var state = sampler.makeState(partitionCount: 1)
            var naive = NaiveSampler(policies: policies, stopsAtFirstMatch: stops)
            var occasion = NaiveSampler.Occasion(milliseconds: 1_700_000_000_000)
            for _ in 0..<30 {
                let trace = TraceSummary.random(using: &generator)
                occasion.milliseconds += Int64.random(in: 0...400, using: &generator)
                occasion.bytes = Int64.random(in: 0...500, using: &generator)
                let decision = sampler.decide(
                    trace, state: &state, atMilliseconds: occasion.milliseconds, traceBytes: Int(occasion.bytes))
                let expected = naive.decide(trace, occasion)
                let votes = policies.map { expected.votes[$0.name] ?? "not_evaluated" }
                try #require(
                    decision.verdict == expected.verdict && decision.policy == expected.policy
                        && state.votes.map(\.description) == votes,
                    "seed \(seed), round \(round): \(policies.map(\.words)), \(trace), \(state.votes), \(votes)")
                #expect(decision.policyVersion == seed)
                #expect(sampler.needsTraceBytes || !sampler.asksForBytes(trace))
                // What the trace alone says never keeps what was not kept.
                let alone = sampler.decide(trace)
                #expect(alone.verdict == .notSampled || alone.verdict == decision.verdict, "seed \(seed)")
            }
        }
    }

    @Test(arguments: [5, 6] as [UInt64])
    func `votes agree with the decision and with one another`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let policies = PolicyConfiguration.randomSet(using: &generator)
            let stops = Bool.random(using: &generator)
            let sampler = try Sampler(policies: policies, stopsAtFirstMatch: stops)
            var state = sampler.makeState(partitionCount: 3)
            let trace = TraceSummary.random(using: &generator)
            let decision = sampler.decide(trace, state: &state, now: StreamTick(5), traceBytes: 100)
            let votes = sampler.votes(trace, outcomes: state.votes)
            #expect(votes.map(\.policy.name) == policies.map(\.name))
            let credited = votes.first { $0.outcome == .dropped } ?? votes.first { $0.outcome == .sampled }
            #expect((credited?.policy.name ?? "") == decision.policy, "seed \(seed)")
            let notEvaluated = votes.filter { $0.outcome == .notEvaluated }
            switch decision.verdict {
            case .dropped: #expect(votes.allSatisfy { $0.outcome != .sampled }, "seed \(seed)")
            case .notSampled: #expect(notEvaluated.isEmpty, "seed \(seed)")
            case .sampled: #expect(stops || notEvaluated.isEmpty, "seed \(seed)")
            }
            #expect(votes.allSatisfy { !$0.explanation.isEmpty })
            #expect(!sampler.explanation(of: decision, for: trace, outcomes: state.votes).isEmpty)
            #expect(sampler.votes(trace).allSatisfy { !$0.explanation.isEmpty })
        }
    }

    @Test(arguments: [10, 11] as [UInt64])
    func `a count is claimed only where no limiter and no hash decides`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let policies = PolicyConfiguration.randomSet(using: &generator)
            let sampler = try Sampler(policies: policies)
            var state = sampler.makeState(partitionCount: 1)
            let trace = TraceSummary.random(using: &generator)
            let decision = sampler.decide(trace, state: &state, now: StreamTick(5), traceBytes: 100)
            guard decision.isKept, decision.adjustedCount > 0 else { continue }
            // Kept by a policy of the trace's own properties: an empty bucket, and full ones, change nothing.
            let alone = sampler.decide(trace)
            #expect(alone.isKept && alone.adjustedCount == decision.adjustedCount, "seed \(seed)")
        }
    }

    @Test(arguments: [7, 8, 9] as [UInt64])
    func `the inclusion probability is the share of randomness that keeps the trace`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let policies = PolicyConfiguration.randomSet(using: &generator, [])
            var naive = NaiveSampler(policies: policies)
            let sampler = try Sampler(policies: policies)
            var trace = TraceSummary.random(using: &generator)
            // The rates are eighths, so sixteen values of the randomness stand for all.
            let kept = (0..<16).count { sixteenth in
                trace.explicitRandomness = UInt64(sixteenth) << 52
                return naive.decide(trace).verdict == .sampled
            }
            #expect(
                sampler.plan.inclusionProbability(trace) == Double(kept) / 16, "seed \(seed): \(policies.map(\.words))")
        }
    }
}
