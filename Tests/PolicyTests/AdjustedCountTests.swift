import Testing
import TraceModel

@testable import Sampling

/// Weighted by its adjusted count, what was kept must count what came.
struct AdjustedCountTests {
    struct Setting: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var policies: [any PolicyKind]
        /// Of the traces in which every fifth has an error.
        var keptShare: Double
    }

    static let errors = StatusCode([.error])
    static let settings = [
        Setting(testDescription: "one rate", policies: [Rate(0.1)], keptShare: 0.1),
        Setting(testDescription: "two rates: the larger", policies: [Rate(0.1), Rate(0.3)], keptShare: 0.3),
        Setting(testDescription: "errors and a rate", policies: [errors, Rate(0.05)], keptShare: 0.2 + 0.8 * 0.05),
        Setting(
            testDescription: "errors at a rate above the base rate", policies: [And([errors, Rate(0.5)]), Rate(0.02)],
            keptShare: 0.2 * 0.5 + 0.8 * 0.02),
        Setting(
            testDescription: "errors at a rate below the base rate", policies: [And([errors, Rate(0.1)]), Rate(0.4)],
            keptShare: 0.4),
        Setting(
            testDescription: "rates are not independent", policies: [And([Rate(0.5), Rate(0.25)])], keptShare: 0.25),
        Setting(testDescription: "an inverted rate", policies: [Not(Rate(0.75))], keptShare: 0.25),
        Setting(testDescription: "a rate and the rest", policies: [Rate(0.25), Not(Rate(0.5))], keptShare: 0.75),
        Setting(
            testDescription: "errors dropped at a rate", policies: [AlwaysSample(), Drop([errors, Rate(0.9)])],
            keptShare: 0.8 + 0.2 * 0.1),
        Setting(
            testDescription: "a rate no float of the test knows", policies: [Rate(0.123_456_789)],
            keptShare: 0.123_456_789),
    ]

    @Test(arguments: settings)
    func `adjusted counts of 100,000 traces add up to 100,000`(setting: Setting) throws {
        let traceCount = 100_000
        let seed: UInt64 = 0x7455
        var generator = SeededGenerator(seed: seed)
        let policies = setting.policies.enumerated().map { PolicyConfiguration(name: "p\($0)", kind: $1) }
        let sampler = try Sampler(policies: policies)
        var kept = 0
        var counted = 0.0
        var variance = 0.0
        for index in 0..<traceCount {
            let trace = TraceSummary.fixture(
                id: generator.traceID(), statuses: index % 5 == 0 ? [.error] : [.ok])
            let probability = try #require(sampler.plan.inclusionProbability(trace))
            variance += (1 - probability) / probability
            let decision = sampler.decide(trace)
            guard decision.isKept else { continue }
            kept += 1
            counted += decision.adjustedCount
        }
        // Five standard deviations of the estimate: one run in two million fails by chance; this one is fixed.
        #expect(abs(counted - Double(traceCount)) <= 5 * variance.squareRoot() + 1e-6, "seed \(seed): \(counted)")
        let expected = setting.keptShare * Double(traceCount)
        #expect(abs(Double(kept) - expected) <= 5 * expected.squareRoot(), "seed \(seed): \(kept)")
    }

    @Test func `an adjusted count is exact, and unknown when a hash decides`() throws {
        let kept = TraceSummary.fixture(statuses: [.error], randomness: Rate.randomnessEnd - 1)
        func count(_ kinds: [any PolicyKind]) throws -> Double {
            let policies = kinds.enumerated().map { PolicyConfiguration(name: "p\($0)", kind: $1) }
            return try Sampler(policies: policies).decide(kept).adjustedCount
        }
        #expect(try count([Rate(0.25)]) == 4)
        #expect(try count([Rate(0.25), Self.errors]) == 1)
        #expect(try count([Rate(1)]) == 1)
        #expect(try count([Rate(0.25), Probabilistic(percentage: 50)]) == 0)
        #expect(try count([Self.errors, Probabilistic(percentage: 50)]) == 1)
        #expect(try count([Rate(0.25), Probabilistic(percentage: 0)]) == 4)
        #expect(try count([Probabilistic(percentage: 100)]) == 1)
        #expect(try count([Rate(0.25), And([StatusCode([.ok]), Probabilistic(percentage: 50)])]) == 4)
        #expect(try count([Rate(0.25), Drop([Probabilistic(percentage: 1e-15)])]) == 0)
    }

    @Test func `thresholds are those of the specification`() {
        // OpenTelemetry, TraceState: Probability Sampling: th:0 is 100 %, th:8 50 %, th:c 25 %, th:fd70a3d70a3d71 1 %.
        #expect(Rate.threshold(1) == 0)
        #expect(Rate.threshold(0.5) == 0x80_0000_0000_0000)
        #expect(Rate.threshold(0.25) == 0xC0_0000_0000_0000)
        #expect(Rate.threshold(0.01) == 0xFD_70A3_D70A_3D71)
        #expect(Rate.threshold(0) == 1 << 56)
        #expect(Rate.threshold(1e-30) == (1 << 56) - 1)
    }
}
