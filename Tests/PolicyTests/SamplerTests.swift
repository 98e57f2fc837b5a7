import Configuration
import OTLPWire
import Testing
import TraceModel

@testable import Sampling

struct SamplerTests {
    private func policies(_ simple: SimpleSampling, written: [PolicyConfiguration] = []) throws -> Sampler {
        try Sampler(policies: simple.policies(written: written))
    }

    @Test func `the defaults keep errors and slow traces and say why not`() throws {
        let sampler = try policies(SimpleSampling())
        #expect(sampler.warnings.isEmpty)
        let error = TraceSummary.fixture(statuses: [.ok, .error])
        let slow = TraceSummary.fixture(milliseconds: 5000)
        let normal = TraceSummary.fixture(milliseconds: 38)
        #expect(sampler.decide(error).reason == .error)
        #expect(sampler.decide(slow).reason == .latency)
        #expect(sampler.decide(slow).policy == "sample_latency")
        let decision = sampler.decide(normal)
        #expect(decision.verdict == .notSampled)
        #expect(decision.adjustedCount == 0)
        #expect(
            sampler.explanation(of: decision, for: normal)
                == "not_sampled: errors no, latency 38 ms < 5000 ms, base rate 0")
        #expect(
            sampler.explanation(of: sampler.decide(error), for: error)
                == "sampled by always_sample_errors: errors yes")
    }

    @Test func `simple keys become policies in the order of credit`() throws {
        var simple = SimpleSampling()
        simple.alwaysSampleErrors = false
        simple.errorSampleRate = 0.5
        simple.latencySampleRate = 0.25
        simple.sampleCardinality = true
        simple.baseSampleRate = 0.1
        let written = PolicyConfiguration(name: "mine", kind: TraceFlags())
        let sampler = try policies(simple, written: [written])
        #expect(
            sampler.policies.map(\.words) == [
                "error_sample_rate keeps traces in which a span has status ERROR, of these a share of 0.5",
                "sample_latency keeps traces that take at least 5000 ms, of these a share of 0.25",
                "sample_cardinality keeps traces of at least 501 spans",
                "mine keeps traces in which a span has the sampled flag",
                "base_sample_rate keeps a share of 0.1 of the traces",
            ])
        #expect(
            sampler.policies.map(\.reason) == [.error, .latency, .cardinality, .policy, .probabilistic])
        let slow = TraceSummary.fixture(spans: 501, milliseconds: 9000, randomness: 0)
        #expect(sampler.decide(slow).reason == .cardinality)
        #expect(sampler.votes(slow)[1].explanation == "latency 9000 ms >= 5000 ms and rate 0.25 no")
    }

    @Test func `warns when nothing keeps errors, and when nothing keeps anything`() throws {
        var simple = SimpleSampling()
        simple.alwaysSampleErrors = false
        #expect(try policies(simple).warnings.map(\.message).first?.hasPrefix("nothing keeps errors") == true)
        simple.baseSampleRate = 0.5
        #expect(try policies(simple).warnings.count == 1)
        simple.baseSampleRate = 1
        #expect(try policies(simple).warnings.isEmpty)
        simple.baseSampleRate = 0
        simple.sampleLatency = false
        #expect(try policies(simple).warnings.map(\.message).first?.hasPrefix("nothing keeps anything") == true)
        let failing = PolicyConfiguration(name: "x", kind: StatusCode([.error, .ok]))
        #expect(try policies(simple, written: [failing]).warnings.isEmpty)
        #expect(try !Sampler(policies: []).warnings.isEmpty)
    }

    @Test func `names all misused names at once`() {
        let policies = ["a", "", "a", String(repeating: "x", count: 200)].map {
            PolicyConfiguration(name: $0, kind: AlwaysSample())
        }
        let error = #expect(throws: SamplingError.self) { try Sampler(policies: policies) }
        #expect(error?.problems.count == 3)
    }

    @Test func `refuses more policies than the limit`() {
        let policies = (0...Sampler.policyCountLimit).map {
            PolicyConfiguration(name: "p\($0)", kind: AlwaysSample())
        }
        #expect(throws: SamplingError.self) { try Sampler(policies: policies) }
        #expect(throws: Never.self) { try Sampler(policies: policies.dropLast()) }
    }

    @Test func `the hash is FNV-1a`() {
        // The authors' test vectors: draft-eastlake-fnv, appendix C.
        #expect(FNV1a().state == 0xCBF2_9CE4_8422_2325)
        #expect(FNV1a().adding("a").state == 0xAF63_DC4C_8601_EC8C)
        #expect(FNV1a().adding("foobar").state == 0x8594_4171_F739_67E8)
    }

    @Test func `the limit of a percentage is exact`() {
        #expect(Probabilistic.limit(ratio: 0.5) == 0x7FFF_FFFF_FFFF_FFFF)
        #expect(Probabilistic.limit(ratio: 0.25) == 0x3FFF_FFFF_FFFF_FFFF)
        #expect(Probabilistic.limit(ratio: 0.75) == 0xBFFF_FFFF_FFFF_FFFF)
        // 0.1 as a double is 3602879701896397 / 2^55.
        #expect(Probabilistic.limit(ratio: 0.1) == 1_844_674_407_370_955_263)
        #expect(Probabilistic.limit(ratio: 1e-300) == 0)
        #expect(Probabilistic.limit(ratio: 1.0.nextDown) == 18_446_744_073_709_549_567)
    }

    @Test func `a force rule's decision is explained by the rule`() throws {
        let sampler = try policies(SimpleSampling())
        let decision = Decision(verdict: .dropped, reason: .forceRule, policy: "r1", adjustedCount: 0)
        #expect(sampler.explanation(of: decision, for: .fixture()) == "dropped by force rule r1")
    }
}

struct AttributeLimitTests {
    @Test func `refuses more questions about attributes than the scanner has bits`() throws {
        func sampler(_ count: Int) throws(SamplingError) -> Sampler {
            try Sampler(
                policies: (0..<count).map { index in
                    PolicyConfiguration(name: "p\(index)", kind: BooleanAttribute(key: "k\(index)", value: true))
                })
        }
        #expect(try !sampler(64).program.isEmpty)
        let error = #expect(throws: SamplingError.self) { try sampler(65) }
        #expect(error?.description.contains("65 different questions about attributes; at most 64") == true)
    }

    @Test func `a set without attributes asks the scanner nothing`() throws {
        #expect(try Sampler(policies: SimpleSampling().policies()).program.isEmpty)
    }
}
