import OTLPWire
import Testing
import TraceModel

@testable import Sampling

struct ForceRuleSetTests {
    private static func rule(
        _ id: String, priority: Int64 = 100, _ action: ForceRule.Action = .keep, created: Int64 = 0
    ) -> ForceRule {
        ForceRule(
            id: id, description: "d", durationSeconds: 10, priority: priority,
            span: [.init("a", .exists)], action: action, createdMilliseconds: created)
    }

    private static func trace(rank: UInt16, firstOffset: Int64 = 0, milliseconds: Int64 = 0) -> TraceSummary {
        var summary = TraceSummary.fixture()
        summary.forceRule = rank
        summary.firstOffset = firstOffset
        summary.firstTick = StreamTick(milliseconds: milliseconds)
        return summary
    }

    @Test func `ranks change only when a rule comes`() throws {
        var set = ForceRuleSet()
        let low = try set.insert(Self.rule("low", priority: 1))
        let version = set.matcherVersion
        let high = try set.insert(Self.rule("high", priority: 2))
        #expect(set.entries.map(\.rule.id) == ["high", "low"] && set.matcherVersion != version)
        let before = set.matcherVersion
        set.expire(high)
        set.remove(low)
        #expect(set.entries.map(\.state) == [.expired, .gone] && set.matcherVersion == before && set.count == 1)
        try set.insert(Self.rule("mid", priority: 2, created: 5))
        #expect(set.entries.map(\.rule.id) == ["mid", "high"] && set.matcherVersion != before)
        #expect(Set(set.entries.map(\.serial)).count == 2)
    }

    @Test func `keep and drop are symmetric, and the first in rank decides`() throws {
        let rules = try ForceRuleSet(rules: [
            Self.rule("old"), Self.rule("new", .drop, created: 1), Self.rule("b", created: 1),
        ])
        #expect(rules.entries.map(\.rule.id) == ["b", "new", "old"])
        let sampler = try Sampler(policies: [], forceRules: rules, version: 7)
        for (rank, verdict) in [(0, Verdict.sampled), (1, .dropped), (2, .sampled)] {
            let decision = sampler.forceDecision(
                about: Self.trace(rank: UInt16(rank)), ForceRuleBoundaries()
            ) { _ in SpanRecord.noForceRule }
            #expect(decision?.verdict == verdict && decision?.reason == .forceRule)
            #expect(decision?.policy == rules.entries[rank].rule.id && decision?.policyVersion == 7)
            #expect(decision?.adjustedCount == (verdict == .sampled ? 1 : 0))
        }
        let none = sampler.forceDecision(
            about: Self.trace(rank: SpanRecord.noForceRule), ForceRuleBoundaries()
        ) { _ in 0 }
        #expect(none == nil)
    }

    @Test func `an expired rule takes the traces that the shard had begun, and no later one`() throws {
        var rules = ForceRuleSet()
        let serial = try rules.insert(Self.rule("short", priority: 2))
        try rules.insert(Self.rule("long", priority: 1, .drop))
        var boundaries = ForceRuleBoundaries()
        boundaries.adopt(rules, next: 50)
        rules.expire(serial)
        boundaries.adopt(rules, next: 100)
        // Adopted again, for another reason.
        boundaries.adopt(rules, next: 200)
        let sampler = try Sampler(policies: [], forceRules: rules)
        func policy(_ firstOffset: Int64) -> String? {
            sampler.forceDecision(about: Self.trace(rank: 0, firstOffset: firstOffset), boundaries) { floor in
                floor == 1 ? 1 : SpanRecord.noForceRule
            }?.policy
        }
        #expect(policy(99) == "short" && policy(100) == "long" && policy(150) == "long")
        // Ranks move, the boundary stays the rule's.
        try rules.insert(Self.rule("newest", priority: 3))
        boundaries.adopt(rules, next: 300)
        #expect(boundaries.applies(rules.entries[1], to: Self.trace(rank: 1, firstOffset: 99)))
        #expect(!boundaries.applies(rules.entries[1], to: Self.trace(rank: 1, firstOffset: 100)))
    }

    @Test func `a shard that finds a rule expired takes the traces that began before`() throws {
        var rules = ForceRuleSet()
        rules.expire(try rules.insert(Self.rule("short", created: 1_000_000)))
        var boundaries = ForceRuleBoundaries()
        boundaries.adopt(rules, next: 0)
        // Ten seconds of life.
        for (milliseconds, isTaken) in [(1_009_900 as Int64, true), (1_010_000, false), (1_010_100, false)] {
            let trace = Self.trace(rank: 0, firstOffset: 5, milliseconds: milliseconds)
            #expect(boundaries.applies(rules.entries[0], to: trace) == isTaken)
        }
    }

    @Test func `the walk goes on behind rules that are gone until one applies`() throws {
        var rules = ForceRuleSet()
        let serials = try (0..<4).map { try rules.insert(Self.rule("r\($0)", priority: Int64(10 - $0))) }
        rules.remove(serials[0])
        rules.remove(serials[2])
        let sampler = try Sampler(policies: [], forceRules: rules)
        var asked: [UInt16] = []
        let decision = sampler.forceDecision(about: Self.trace(rank: 0), ForceRuleBoundaries()) { floor in
            asked.append(floor)
            return floor == 1 ? 2 : floor
        }
        #expect(decision?.policy == "r3" && asked == [1, 3])
    }

    @Test func `a sampler that adopts rules asks for them, and compiles only when ranks change`() throws {
        let sampler = try Sampler(policies: [])
        #expect(sampler.program.isEmpty)
        var rules = ForceRuleSet()
        let serial = try rules.insert(Self.rule("r"))
        let with = try sampler.adopting(rules)
        #expect(!with.program.isEmpty && with.matcherVersion != sampler.matcherVersion)
        rules.remove(serial)
        let without = try with.adopting(rules)
        #expect(without.matcherVersion == with.matcherVersion && without.forceRules.count == 0)
    }

    @Test func `a thousand rules fit, one more is refused`() throws {
        var rules = ForceRuleSet()
        for number in 0..<ForceRuleLimits.ruleCountLimit { try rules.insert(Self.rule("r\(number)")) }
        _ = try Sampler(policies: [], forceRules: rules)
        try rules.insert(Self.rule("more"))
        #expect(throws: SamplingError.self) { try Sampler(policies: [], forceRules: rules) }
    }
}
