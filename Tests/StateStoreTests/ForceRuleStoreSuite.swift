import Sampling
import StateStores
import Testing
import Threads

/// What every store of force rules must do; each implementation runs all of it.
///
/// A suite makes a new, empty store with `make` and opens the same one again with `reopen`, as after a restart.
struct ForceRuleStoreSuite {
    var make: () throws -> any ForceRuleStore
    var reopen: (any ForceRuleStore) throws -> any ForceRuleStore

    static func rule(_ id: String, created: Int64 = 1_700_000_000_000) -> ForceRule {
        var rule = ForceRule(
            id: id, description: "why ✓ \"\(id)\"", durationSeconds: 600, priority: -3,
            resource: [.init("service.name", .isIn, [.text("a"), .integer(5), .real(0.5), .flag(true)])],
            span: [.init("http.status_code", .atLeast, [.integer(500)]), .init("name", .regex, [.text("^a|b$")])],
            action: .drop, matchesAll: true, isEnabled: false, createdBy: "anna", createdMilliseconds: created)
        rule.expiresMilliseconds += 1234
        rule.tracesMatched = 7
        rule.lastMatchedMilliseconds = created + 5
        return rule
    }

    private func loaded(_ store: any ForceRuleStore) throws -> [ForceRule] {
        let stored = try store.load()
        #expect(stored.unreadable == [])
        return stored.rules.sorted { $0.id < $1.id }
    }

    func run() throws {
        try emptyAtFirst()
        try returnsWhatWasPut()
        try putReplaces()
        try deletes()
        try addsCounts()
        try holdsAThousand()
    }

    private func emptyAtFirst() throws {
        let store = try make()
        #expect(try loaded(store) == [])
        #expect(!store.words.isEmpty)
    }

    private func returnsWhatWasPut() throws {
        let store = try make()
        let rules = [Self.rule("a"), Self.rule("b.C_9-"), Self.rule(String(repeating: "z", count: 64))]
        for rule in rules { try store.put(rule) }
        #expect(try loaded(store) == rules)
        #expect(try loaded(reopen(store)) == rules)
    }

    private func putReplaces() throws {
        let store = try make()
        try store.put(Self.rule("a"))
        var other = Self.rule("a", created: 1_800_000_000_000)
        other.isEnabled = true
        other.lastMatchedMilliseconds = nil
        other.createdBy = nil
        try store.put(other)
        #expect(try loaded(reopen(store)) == [other])
    }

    private func deletes() throws {
        let store = try make()
        for id in ["a", "b", "c"] { try store.put(Self.rule(id)) }
        try store.delete(["a", "c", "never"])
        try store.delete([])
        #expect(try loaded(reopen(store)).map(\.id) == ["b"])
    }

    private func addsCounts() throws {
        let store = try make()
        try store.put(Self.rule("a"))
        try store.add([
            ForceRuleMatches(id: "a", traceCount: 3, lastMilliseconds: 1_700_000_000_009),
            ForceRuleMatches(id: "never", traceCount: 3, lastMilliseconds: 1),
        ])
        try store.add([ForceRuleMatches(id: "a", traceCount: 1, lastMilliseconds: 2)])
        let rule = try #require(try loaded(reopen(store)).first)
        #expect(rule.tracesMatched == 11 && rule.lastMatchedMilliseconds == 1_700_000_000_009)
    }

    private func holdsAThousand() throws {
        let store = try make()
        for number in 0..<1000 { try store.put(Self.rule("r\(number)")) }
        #expect(try loaded(store).count == 1000)
        try store.delete((0..<999).map { "r\($0)" })
        #expect(try loaded(store).map(\.id) == ["r999"])
    }
}

/// In memory; can be told to fail.
final class MemoryForceRules: ForceRuleStore {
    private struct State {
        var rules: [String: ForceRule] = [:]
        var isFailing = false
        var unreadable: [StoredForceRules.Unreadable] = []
        var writes = 0
    }

    private let state = Lock(State())

    var words: String { "memory" }
    var rules: [String: ForceRule] { state.withLock { $0.rules } }
    var writes: Int { state.withLock { $0.writes } }
    func fail(_ isFailing: Bool = true) { state.withLock { $0.isFailing = isFailing } }

    func load() throws(ForceRuleStoreError) -> StoredForceRules {
        let state = state.withLock { $0 }
        guard !state.isFailing else { throw ForceRuleStoreError("the disk is full") }
        return StoredForceRules(rules: Array(state.rules.values), unreadable: state.unreadable)
    }

    func put(_ rule: ForceRule) throws(ForceRuleStoreError) {
        try change { $0.rules[rule.id] = rule }
    }

    func delete(_ ids: [String]) throws(ForceRuleStoreError) {
        try change { state in ids.forEach { state.rules[$0] = nil } }
    }

    func add(_ matches: [ForceRuleMatches]) throws(ForceRuleStoreError) {
        try change { state in
            for match in matches {
                guard let last = state.rules[match.id].map({ $0.lastMatchedMilliseconds ?? 0 }) else { continue }
                state.rules[match.id]?.tracesMatched += match.traceCount
                state.rules[match.id]?.lastMatchedMilliseconds = max(last, match.lastMilliseconds)
            }
        }
    }

    private func change(_ body: (inout State) -> Void) throws(ForceRuleStoreError) {
        let isDone = state.withLock { state in
            guard !state.isFailing else { return false }
            state.writes += 1
            body(&state)
            return true
        }
        if !isDone { throw ForceRuleStoreError("the disk is full") }
    }
}
