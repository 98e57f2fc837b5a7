import Testing
import TraceModel

@testable import Sampling

struct SamplerPropertyTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `decides as the naive evaluation does`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<500 {
            let policies = PolicyConfiguration.randomSet(using: &generator)
            let sampler = try Sampler(policies: policies, version: seed)
            let naive = NaiveSampler(policies: policies)
            for _ in 0..<20 {
                let trace = TraceSummary.random(using: &generator)
                let decision = sampler.decide(trace)
                let expected = naive.decide(trace)
                try #require(
                    decision.verdict == expected.verdict && decision.policy == expected.policy,
                    "seed \(seed), round \(round): \(policies.map(\.words)), \(trace)")
                #expect(decision.policyVersion == seed)
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
            let trace = TraceSummary.random(using: &generator)
            let decision = sampler.decide(trace)
            let votes = sampler.votes(trace)
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
            #expect(!sampler.explanation(of: decision, for: trace).isEmpty)
        }
    }

    @Test(arguments: [7, 8, 9] as [UInt64])
    func `the inclusion probability is the share of randomness that keeps the trace`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let policies = PolicyConfiguration.randomSet(using: &generator, hashes: false)
            let naive = NaiveSampler(policies: policies)
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
