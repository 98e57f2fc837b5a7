import Sampling
import StateStores
import Testing

@Suite struct ForceRuleRegisterTests {
    private static let start: Int64 = 1_700_000_000_000
    private let store = MemoryForceRules()

    private func register(ruleCount: Int = 1000) throws -> ForceRuleRegister {
        var options = ForceRuleRegister.Options()
        options.limits.ruleCount = ruleCount
        var register = ForceRuleRegister(options: options, store: store)
        #expect(try register.load(now: Self.start) == [])
        return register
    }

    private func rule(_ id: String, seconds: Int64 = 10, at now: Int64 = start, isEnabled: Bool = true) -> ForceRule {
        ForceRule(
            id: id, description: "why", durationSeconds: seconds, span: [.init("a", .exists)], action: .keep,
            isEnabled: isEnabled, createdMilliseconds: now)
    }

    private func states(_ register: ForceRuleRegister) -> [String: ForceRuleSet.State] {
        Dictionary(register.set.entries.map { ($0.rule.id, $0.state) }) { first, _ in first }
    }

    private func code(_ body: () throws -> Void) -> ForceRuleProblem.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ForceRuleProblem)?.code
        }
    }

    @Test func `a rule lives, expires, leaves the list, and is forgotten`() throws {
        var register = try register()
        try register.create(rule("r"))
        let end = Self.start + 10_000
        // Moment, state in the set, listed, stored.
        let steps: [(Int64, ForceRuleSet.State?, Bool, Bool)] = [
            (end - 1, .live, true, true), (end, .expired, true, true), (end + 59_999, .expired, true, true),
            (end + 60_000, .expired, false, true), (end + 599_999, .expired, false, true),
            (end + 600_000, .gone, false, false),
        ]
        for (now, state, isListed, isStored) in steps {
            try register.advance(to: now)
            #expect(states(register)["r"] == state, "\(now - end)")
            #expect(register.listed.isEmpty != isListed && (store.rules["r"] != nil) == isStored, "\(now - end)")
        }
        #expect(register.nextChangeMilliseconds == nil)
    }

    @Test func `it tells when it changes next`() throws {
        var register = try register()
        #expect(register.nextChangeMilliseconds == nil)
        try register.create(rule("r"))
        let end = Self.start + 10_000
        for moment in [end, end + 60_000, end + 600_000] {
            #expect(register.nextChangeMilliseconds == moment)
            try register.advance(to: moment)
        }
        #expect(register.nextChangeMilliseconds == nil)
    }

    @Test(arguments: [(5_000 as Int64, ForceRuleSet.State.live), (20_000, .expired), (600_000, .expired)])
    func `after a restart it goes on where it was`(later: Int64, state: ForceRuleSet.State) throws {
        var first = try register()
        try first.create(rule("r"))
        try first.create(rule("off", isEnabled: false))
        first.count([ForceRuleMatches(id: "r", traceCount: 4, lastMilliseconds: Self.start + 1)])
        #expect(try first.writeBack())
        var second = ForceRuleRegister(options: .init(), store: store)
        #expect(try second.load(now: Self.start + later) == [])
        #expect(states(second) == ["r": state])
        #expect(second.listed.map(\.id).sorted() == (later < 70_000 ? ["off", "r"] : []))
        if later < 70_000 {
            #expect(try second.rule("r").tracesMatched == 4)
            #expect(try second.rule("r").lastMatchedMilliseconds == Self.start + 1)
        }
        #expect(try second.load(now: Self.start + 610_000) == [])
        #expect(second.set.isEmpty && store.rules.isEmpty)
    }

    @Test func `an id is taken as long as its rule is listed`() throws {
        var register = try register()
        try register.create(rule("r"))
        #expect(code { try register.create(rule("r")) } == .conflict)
        try register.advance(to: Self.start + 10_000)
        #expect(code { try register.create(rule("r", at: Self.start + 10_000)) } == .conflict)
        // Off the list the id is free, and the old rule still decides traces of its time.
        #expect(register.cleanUp(now: Self.start + 10_000) == ["r"] && register.listed.isEmpty)
        try register.create(rule("r", at: Self.start + 10_000))
        #expect(register.set.entries.map(\.state) == [.live, .expired])
        try register.advance(to: Self.start + 610_000)
        #expect(register.set.entries.map(\.state) == [.expired, .gone])
    }

    @Test func `rules that still decide count against the limit`() throws {
        var register = try register(ruleCount: 2)
        try register.create(rule("a"))
        try register.create(rule("b", seconds: 100))
        #expect(code { try register.create(rule("c")) } == .conflict)
        try register.advance(to: Self.start + 100_000)
        #expect(code { try register.create(rule("c", at: Self.start + 100_000)) } == .conflict)
        try register.advance(to: Self.start + 610_000)
        try register.create(rule("c", at: Self.start + 610_000))
    }

    @Test func `it is extended up to the longest time from now`() throws {
        var register = try register()
        try register.create(rule("r"))
        try register.extend("r", bySeconds: 20, now: Self.start + 9_999)
        #expect(try register.rule("r").expiresMilliseconds == Self.start + 30_000)
        #expect(try register.rule("r").durationSeconds == 30)
        #expect(store.rules["r"]?.expiresMilliseconds == Self.start + 30_000)
        try register.advance(to: Self.start + 29_999)
        #expect(states(register)["r"] == .live)
        #expect(register.set.entries.first?.rule.expiresMilliseconds == Self.start + 30_000)
        let now = Self.start + 29_000
        #expect(code { try register.extend("r", bySeconds: 604_800, now: now) } == .refused)
        try register.extend("r", bySeconds: 604_799, now: now)
        #expect(code { try register.extend("r", bySeconds: .max, now: now) } == .refused)
        #expect(code { try register.extend("nobody", bySeconds: 1, now: now) } == .notFound)
        #expect(code { try register.extend("r", bySeconds: 1, now: Self.start + 700_000_000) } == .conflict)
    }

    @Test func `disabled it decides nothing, enabled it is a rule of its rank again`() throws {
        var register = try register()
        try register.create(rule("r"))
        try register.create(rule("s"))
        let serial = register.set.entries.first { $0.rule.id == "r" }?.serial
        let version = register.set.matcherVersion
        try register.setEnabled("r", false, now: Self.start)
        #expect(states(register)["r"] == .gone && register.set.matcherVersion == version)
        #expect(store.rules["r"]?.isEnabled == false)
        let writes = store.writes
        try register.setEnabled("r", false, now: Self.start)
        #expect(store.writes == writes)
        try register.setEnabled("r", true, now: Self.start)
        #expect(states(register) == ["r": .live, "s": .live] && register.set.matcherVersion != version)
        #expect(register.set.entries.first { $0.rule.id == "r" }?.serial != serial)
        #expect(code { try register.setEnabled("r", false, now: Self.start + 10_000) } == .conflict)
        #expect(code { try register.setEnabled("nobody", true, now: Self.start) } == .notFound)
    }

    @Test func `deleted it decides nothing and its id is free`() throws {
        var register = try register()
        try register.create(rule("r"))
        try register.delete("r")
        #expect(states(register)["r"] == .gone && register.listed.isEmpty && store.rules.isEmpty)
        #expect(code { try register.delete("r") } == .notFound)
        try register.create(rule("r"))
        #expect(states(register)["r"] == .live)
        // An expired one too, that still decided traces of its time.
        try register.advance(to: Self.start + 10_000)
        try register.delete("r")
        #expect(states(register)["r"] == .gone)
    }

    @Test func `a store that fails changes nothing`() throws {
        var register = try register()
        try register.create(rule("r"))
        register.count([ForceRuleMatches(id: "r", traceCount: 2, lastMilliseconds: 5)])
        let before = (try register.rule("r"), register.set.matcherVersion)
        store.fail()
        #expect(code { try register.create(rule("s")) } == .unavailable)
        #expect(code { try register.extend("r", bySeconds: 1, now: Self.start) } == .unavailable)
        #expect(code { try register.setEnabled("r", false, now: Self.start) } == .unavailable)
        #expect(code { try register.delete("r") } == .unavailable)
        #expect(throws: ForceRuleStoreError.self) { try register.writeBack() }
        #expect(try register.rule("r") == before.0 && register.set.matcherVersion == before.1)
        #expect(register.listed.count == 1 && states(register) == ["r": .live])
        // Time passes all the same.
        try register.advance(to: Self.start + 10_000)
        #expect(states(register)["r"] == .expired)
        #expect(code { try register.advance(to: Self.start + 610_000) } == .unavailable)
        store.fail(false)
        try register.advance(to: Self.start + 610_000)
        #expect(states(register)["r"] == .gone && store.rules.isEmpty)
    }

    @Test func `counts are added once, also beside other changes`() throws {
        var register = try register()
        try register.create(rule("r"))
        register.count([ForceRuleMatches(id: "r", traceCount: 2, lastMilliseconds: 50)])
        register.count([ForceRuleMatches(id: "r", traceCount: 1, lastMilliseconds: 40)])
        register.count([ForceRuleMatches(id: "nobody", traceCount: 1, lastMilliseconds: 40)])
        #expect(try register.rule("r").tracesMatched == 3 && register.rule("r").lastMatchedMilliseconds == 50)
        try register.extend("r", bySeconds: 1, now: Self.start)
        #expect(try register.writeBack() && !register.writeBack())
        #expect(store.rules["r"]?.tracesMatched == 3 && store.rules["r"]?.lastMatchedMilliseconds == 50)
        register.count([ForceRuleMatches(id: "r", traceCount: 1, lastMilliseconds: 60)])
        try register.setEnabled("r", false, now: Self.start)
        #expect(try register.writeBack())
        #expect(store.rules["r"]?.tracesMatched == 4)
        #expect(try register.rule("r").tracesMatched == 4)
    }
}
