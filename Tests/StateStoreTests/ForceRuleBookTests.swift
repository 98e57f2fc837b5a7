import JSON
import Pipeline
import Sampling
import StateStores
import Synchronization
import Telemetry
import Testing
import Threads
import TraceModel

/// A clock that the test moves.
private final class HandClock: Clock {
    private let wall = Atomic<Int64>(1_700_000_000_000)

    var wallMilliseconds: Int64 { wall.load(ordering: .relaxed) }
    var monotonicMilliseconds: Int64 { wallMilliseconds }
    func move(byMilliseconds milliseconds: Int64) { wall.add(milliseconds, ordering: .relaxed) }
}

private final class Fixture {
    let store: MemoryForceRules
    let clock = HandClock()
    let metrics = Metrics(version: "test")
    let book: ForceRuleBook
    let adopted = Lock<[Sampler]>([])

    init(_ store: MemoryForceRules = MemoryForceRules(), isStarted: Bool = true) throws {
        self.store = store
        var options = ForceRuleBook.Options()
        options.retryInterval = .milliseconds(10)
        options.writeBackInterval = .milliseconds(20)
        book = ForceRuleBook(
            options: options, store: store, sampler: try Sampler(policies: []), clock: clock,
            metrics: metrics.forceRules, logger: .none)
        if isStarted { try book.start { [adopted] sampler in adopted.withLock { $0.append(sampler) } } }
    }

    deinit { book.stop() }

    func change(_ change: ForceRuleBook.Change) throws -> Result<ForceRuleBook.Answer, ForceRuleProblem> {
        let slot = ReplySlot<Result<ForceRuleBook.Answer, ForceRuleProblem>>()
        #expect(book.submit(change) { slot.fill($0) })
        return try #require(slot.take(until: .now + .seconds(20)))
    }

    func create(_ id: String, seconds: Int = 10) throws -> ForceRule {
        let body = """
            {"id": "\(id)", "description": "d", "duration_secs": \(seconds), "action": "force_keep",
             "match": {"span": [{"key": "a", "op": "exists"}]}}
            """
        guard case .rule(let rule) = try change(.create(Array(body.utf8))).get() else { throw Unexpected() }
        return rule
    }

    struct Unexpected: Error {}

    var newest: Sampler? { adopted.withLock { $0.last } }
    var page: String { metrics.page(.text) }
}

/// Looks again and again until it is so.
private func waitUntil(_ limit: Duration = .seconds(20), _ look: () -> Bool) -> Bool {
    let deadline = MonotonicInstant.now + limit
    while !look() {
        guard .now < deadline else { return false }
        Wakeup().sleep(.milliseconds(2))
    }
    return true
}

@Suite struct ForceRuleBookTests {
    @Test func `a rule is stored and told to the shards before the answer`() throws {
        let fixture = try Fixture()
        let rule = try fixture.create("r")
        #expect(fixture.store.rules["r"] == rule)
        #expect(fixture.newest?.forceRules.entries.map(\.rule.id) == ["r"])
        #expect(fixture.book.rules == [rule] && fixture.book.rule("r") == rule && fixture.book.rule("s") == nil)
        guard case .rule(let gone) = try fixture.change(.delete(id: "r")).get() else { throw Fixture.Unexpected() }
        #expect(gone == rule && fixture.newest?.forceRules.count == 0 && fixture.book.rules.isEmpty)
    }

    @Test func `the rules of the life before are there before the first trace`() throws {
        let store = MemoryForceRules()
        _ = try Fixture(store).create("r")
        let second = try Fixture(store, isStarted: false)
        #expect(second.book.sampler?.forceRules.entries.map(\.rule.id) == ["r"])
        #expect(second.book.rules.map(\.id) == ["r"] && second.book.isLoaded)
        #expect(second.page.contains("force_rule_matches_total{rule_id=\"r\"} 0"))
    }

    @Test func `every made id is another`() throws {
        let fixture = try Fixture()
        let body = Array("{\"description\":\"d\",\"duration_secs\":1,\"action\":\"force_keep\"}".utf8)
        let ids = try (0..<10).map { _ -> String in
            guard case .rule(let rule) = try fixture.change(.create(body)).get() else { throw Fixture.Unexpected() }
            return rule.id
        }
        #expect(Set(ids).count == 10 && ids.allSatisfy { $0.count == 16 })
    }

    @Test func `it expires by the clock, without being asked`() throws {
        let fixture = try Fixture()
        _ = try fixture.create("r")
        fixture.clock.move(byMilliseconds: 10_000)
        #expect(waitUntil { fixture.newest?.forceRules.entries.first?.state == .expired })
        #expect(fixture.book.rule("r")?.remainingSeconds(at: fixture.clock.wallMilliseconds) == 0)
        fixture.clock.move(byMilliseconds: 60_000)
        #expect(waitUntil { fixture.book.rule("r") == nil })
        #expect(!fixture.page.contains("rule_id=\"r\""))
        fixture.clock.move(byMilliseconds: 600_000)
        #expect(waitUntil { fixture.newest?.forceRules.count == 0 && fixture.store.rules.isEmpty })
    }

    @Test func `matches are counted at once and written back by and by`() throws {
        let fixture = try Fixture()
        _ = try fixture.create("r")
        fixture.book.noteMatches(["r": 2, "ghost": 5])
        fixture.book.noteMatches(["r": 1])
        #expect(fixture.book.rule("r")?.tracesMatched == 3)
        #expect(fixture.book.rule("r")?.lastMatchedMilliseconds == fixture.clock.wallMilliseconds)
        #expect(fixture.page.contains("force_rule_matches_total{rule_id=\"r\"} 3"))
        #expect(!fixture.page.contains("ghost"))
        #expect(waitUntil { fixture.store.rules["r"]?.tracesMatched == 3 })
        fixture.book.noteMatches(["r": 4])
        fixture.book.stop()
        #expect(fixture.store.rules["r"]?.tracesMatched == 7)
        #expect(!fixture.book.submit(.cleanUp) { _ in Issue.record("answered after the end") })
    }

    @Test func `the series goes with the rule`() throws {
        let fixture = try Fixture()
        _ = try fixture.create("r")
        #expect(fixture.page.contains("force_rule_matches_total{rule_id=\"r\"} 0"))
        _ = try fixture.change(.delete(id: "r"))
        #expect(!fixture.page.contains("rule_id=\"r\""))
        fixture.book.noteMatches(["r": 1])
        #expect(!fixture.page.contains("rule_id=\"r\""))
    }

    @Test func `a store that cannot be read is tried again, and until then nothing is known`() throws {
        let store = MemoryForceRules()
        _ = try Fixture(store).create("r")
        store.fail()
        let fixture = try Fixture(store)
        #expect(!fixture.book.isLoaded && fixture.book.obstacle?.message == "the disk is full")
        let answer = try fixture.change(.delete(id: "r"))
        guard case .failure(let problem) = answer else { throw Fixture.Unexpected() }
        #expect(problem.code == .unavailable && problem.message.contains("the disk is full"))
        store.fail(false)
        #expect(waitUntil { fixture.book.isLoaded && fixture.newest?.forceRules.count == 1 })
        #expect(fixture.book.obstacle == nil && fixture.book.rules.map(\.id) == ["r"])
    }

    @Test func `bodies are told apart: no JSON, no rule`() throws {
        let fixture = try Fixture()
        for (body, code) in [("{", ForceRuleProblem.Code.malformed), ("{}", .refused)] {
            guard case .failure(let problem) = try fixture.change(.create(Array(body.utf8))) else {
                throw Fixture.Unexpected()
            }
            #expect(problem.code == code)
        }
        guard case .failure(let problem) = try fixture.change(.extend(id: "nobody", [])) else {
            throw Fixture.Unexpected()
        }
        #expect(problem.code == .notFound)
    }
}
