import Configuration
import Testing
import TraceModel

@testable import Sampling

struct TokenBucketTests {
    /// Spans of `trace` each that pass in a second of one every millisecond.
    private func passed(_ rate: TokenRate, spans: Int64, partitions: Int64, seconds: Int64) -> Int64 {
        var bucket = TokenBucket(rate)
        var passed: Int64 = 0
        for millisecond in 0..<(seconds * 1000) where bucket.take(spans, partitionCount: partitions, at: millisecond) {
            passed += spans
        }
        return passed
    }

    @Test func `is full at the start, whenever that is`() {
        for start in [Int64.min / 2, -1, 0, 1_700_000_000_000] {
            var bucket = TokenBucket(TokenRate(perSecond: 10, burst: 5))
            let all = bucket.take(5, partitionCount: 1, at: start)
            let more = bucket.take(1, partitionCount: 1, at: start)
            #expect(all && !more)
        }
    }

    @Test func `gives every token once, and no more than the rate`() {
        #expect(passed(TokenRate(perSecond: 7, burst: 3), spans: 1, partitions: 1, seconds: 60) == 3 + 7 * 60 - 1)
        #expect(passed(TokenRate(perSecond: 1), spans: 2, partitions: 1, seconds: 60) == 2 + 58)
    }

    @Test(arguments: [1, 2, 7, 64, 1000] as [Int64])
    func `partitions share the rate, and starve no large trace`(partitions: Int64) {
        let rate = TokenRate(perSecond: 1000, burst: 100)
        for spans in [1, 3, 100] as [Int64] {
            let one = passed(rate, spans: spans, partitions: partitions, seconds: 100)
            let all = one * partitions
            // Over a hundred seconds: the rate, the burst, and the one trace of each partition that is paid afterwards.
            #expect(all <= 100_000 + 100 + spans * partitions, "\(spans) spans, \(partitions) partitions: \(all)")
            #expect(all >= 100_000 - spans * partitions, "\(spans) spans, \(partitions) partitions: \(all)")
        }
        #expect(passed(rate, spans: 101, partitions: partitions, seconds: 100) == 0, "larger than the burst")
    }

    @Test func `a clock that goes back gives nothing`() {
        var bucket = TokenBucket(TokenRate(perSecond: 1, burst: 1))
        let answers = [(5000, true), (0, false), (5999, false), (6000, true)].map { at, expected in
            bucket.take(1, partitionCount: 1, at: Int64(at)) == expected
        }
        #expect(answers.allSatisfy { $0 })
    }

    @Test func `numbers of any size do not overflow`() {
        let rate = TokenRate(perSecond: .max, burst: .max)
        #expect(rate.perSecond == TokenRate.limit && rate.burst == TokenRate.limit)
        var bucket = TokenBucket(rate)
        let tooLarge = bucket.take(.max, partitionCount: .max, at: .min)
        let largest = bucket.take(TokenRate.limit, partitionCount: 1 << 40, at: 0)
        let inDebt = bucket.take(1, partitionCount: 1, at: 1)
        #expect(!tooLarge && largest && !inDebt)
        _ = bucket.take(1, partitionCount: 1, at: .max / 2)
        #expect(TokenRate(perSecond: -5) == TokenRate(perSecond: 0))
        #expect(TokenRate(perSecond: 5, burst: -1).burst == 10)
    }
}

struct SamplerStateTests {
    private static func sampler(_ kinds: [(String, any PolicyKind)]) throws -> Sampler {
        try Sampler(policies: kinds.map { PolicyConfiguration(name: $0.0, kind: $0.1) })
    }

    private static let composite = Composite(
        spansPerSecond: 10,
        parts: [
            Composite.Part(name: "a", kind: StatusCode([.error]), percent: 60),
            Composite.Part(name: "b", kind: AlwaysSample()),
        ])

    @Test func `another set of policies goes on with the limiters that it shares`() throws {
        let limiter = RateLimiting(TokenRate(perSecond: 1, burst: 5))
        let first = try Self.sampler([("limit", limiter), ("mixed", Self.composite)])
        var state = first.makeState(partitionCount: 1)
        let trace = TraceSummary.fixture(spans: 5)
        #expect(first.decide(trace, state: &state, now: StreamTick(0)).policy == "limit")
        #expect(state.votes == [.sampled, .sampled])
        #expect(first.decide(trace, state: &state, now: StreamTick(0)).verdict == .notSampled)

        let second = try Self.sampler([("new", TraceFlags()), ("mixed", Self.composite), ("limit", limiter)])
        var carried = second.makeState(partitionCount: 1, carrying: state)
        #expect(second.decide(trace, state: &carried, now: StreamTick(0)).verdict == .notSampled)
        #expect(second.decide(trace, state: &carried, now: StreamTick(10)).policy == "mixed")

        // With another rate, or under another name, it is another limiter.
        let other = try Self.sampler([("limit", RateLimiting(TokenRate(perSecond: 1, burst: 6))), ("x", limiter)])
        var fresh = other.makeState(partitionCount: 1, carrying: carried)
        _ = other.decide(trace, state: &fresh, now: StreamTick(0))
        #expect(fresh.votes == [.sampled, .sampled])
    }

    @Test func `every policy is asked, so limiters spend on traces that others keep`() throws {
        let limiter = RateLimiting(TokenRate(perSecond: 1, burst: 1))
        let policies = [
            PolicyConfiguration(name: "errors", kind: StatusCode([.error])),
            PolicyConfiguration(name: "limit", kind: limiter),
        ]
        for stops in [false, true] {
            let sampler = try Sampler(policies: policies, stopsAtFirstMatch: stops)
            var state = sampler.makeState(partitionCount: 1)
            let kept = sampler.decide(.fixture(statuses: [.error]), state: &state, now: StreamTick(0))
            #expect(kept.policy == "errors")
            #expect(kept.adjustedCount == 1)
            #expect(state.votes == [.sampled, stops ? .notEvaluated : .sampled])
            let next = sampler.decide(.fixture(), state: &state, now: StreamTick(0))
            #expect(next.isKept == stops, "with sample_on_first_match the limiter has its token still")
            #expect(next.adjustedCount == 0)
        }
    }

    @Test func `a part before a limiter keeps it from spending, one behind it does not`() throws {
        let limiter = RateLimiting(TokenRate(perSecond: 1, burst: 1))
        let errors = StatusCode([.error])
        let sampler = try Self.sampler([("before", And([errors, limiter])), ("behind", And([limiter, errors]))])
        var state = sampler.makeState(partitionCount: 1)
        _ = sampler.decide(.fixture(), state: &state, now: StreamTick(0))
        #expect(state.votes == [.notSampled, .notSampled])
        _ = sampler.decide(.fixture(statuses: [.error]), state: &state, now: StreamTick(0))
        #expect(state.votes == [.sampled, .notSampled])
        let votes = sampler.votes(.fixture(statuses: [.error]), outcomes: state.votes)
        #expect(votes[0].explanation == "errors yes and within 1 spans a second yes")
        #expect(votes[1].explanation == "within 1 spans a second no and errors yes")
        let before = sampler.votes(.fixture(), outcomes: [.notSampled, .notSampled])
        #expect(before[0].explanation == "errors no and rate_limiting not told")
    }

    @Test func `votes are counted, and a force rule's decision asks nobody`() throws {
        let sampler = try Self.sampler([("errors", StatusCode([.error])), ("all", AlwaysSample())])
        var state = sampler.makeState(partitionCount: 1)
        for _ in 0..<3 { _ = sampler.decide(.fixture(), state: &state, now: StreamTick(0)) }
        state.skipPolicies()
        #expect(state.votes == [.notEvaluated, .notEvaluated])
        func drained() -> [String] {
            var lines: [String] = []
            state.drainVoteCounts { lines.append("\($0) \($1) \($2)") }
            return lines
        }
        #expect(drained() == ["0 not_sampled 3", "0 not_evaluated 1", "1 sampled 3", "1 not_evaluated 1"])
        #expect(drained().isEmpty)
    }

    @Test func `bytes are asked for only where they decide`() throws {
        let limiter = BytesLimiting(TokenRate(perSecond: 10))
        let sampler = try Self.sampler([("a", And([StatusCode([.error]), limiter]))])
        #expect(sampler.needsTraceBytes)
        #expect(!sampler.asksForBytes(.fixture()))
        #expect(sampler.asksForBytes(.fixture(statuses: [.error])))
        let composite = Composite(
            spansPerSecond: 10, parts: [Composite.Part(name: "x", kind: And([TraceFlags(), limiter]))])
        let nested = try Self.sampler([("c", composite)])
        #expect(!nested.asksForBytes(.fixture()))
        #expect(nested.asksForBytes(.fixture(isFlagged: true)))
        #expect(try !Self.sampler([("b", BytesLimiting(TokenRate(perSecond: 0)))]).needsTraceBytes)
    }

    @Test func `a composite that counts errors keeps errors`() throws {
        #expect(try Self.sampler([("c", Self.composite)]).warnings.isEmpty)
        let slow = Composite(spansPerSecond: 1, parts: [Composite.Part(name: "s", kind: TraceFlags())])
        #expect(
            try Self.sampler([("c", slow)]).warnings.map(\.message).first?.hasPrefix("nothing keeps errors") == true)
        let never = RateLimiting(TokenRate(perSecond: 0))
        #expect(
            try Self.sampler([("n", never)]).warnings.map(\.message).first?.hasPrefix("nothing keeps anything") == true)
    }

    @Test(arguments: [1, 3, 50] as [Int])
    func `a composite's seconds are shared by the partitions`(partitions: Int) throws {
        let sampler = try Self.sampler([("c", Self.composite)])
        for spans in [1, 2, 6] as [UInt32] {
            var kept = 0
            var state = sampler.makeState(partitionCount: partitions)
            for tick in 0..<10_000 {
                let trace = TraceSummary.fixture(spans: spans, statuses: [.error])
                if sampler.decide(trace, state: &state, now: StreamTick(Int64(tick))).isKept { kept += Int(spans) }
            }
            // A thousand seconds of six spans for all.
            let limit = 6000 + Int(spans) * partitions
            #expect(kept * partitions <= limit && kept * partitions >= 5000, "\(spans): \(kept * partitions)")
        }
    }
}
