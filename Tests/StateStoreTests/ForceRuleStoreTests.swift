import Database
import Glibc
import Sampling
import StateStores
import Testing

@Suite struct ForceRuleStoreTests {
    private let folder: String

    init() {
        var template = Array("/tmp/tss-rules-XXXXXX".utf8CString)
        mkdtemp(&template)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private var path: String { "\(folder)/state.db" }

    @Test func `the embedded store does what a store must`() throws {
        var count = 0
        var paths: [String: String] = [:]
        try ForceRuleStoreSuite(
            make: {
                count += 1
                let path = "\(folder)/\(count).db"
                let store = SQLiteForceRules(path: path)
                paths[store.words] = path
                return store
            },
            reopen: { SQLiteForceRules(path: try #require(paths[$0.words])) }
        ).run()
        #expect(paths.count == count && count > 3)
    }

    @Test func `the store of these tests does too`() throws {
        try ForceRuleStoreSuite(make: { MemoryForceRules() }, reopen: { $0 }).run()
    }

    @Test(arguments: [
        ("UPDATE force_rules SET definition = '{' WHERE id = 'a'", "body:1:2"),
        ("UPDATE force_rules SET definition = '{\"id\":\"a\",\"op\":1}' WHERE id = 'a'", "description: is required"),
        ("UPDATE force_rules SET definition = replace(definition, '500', '\"many\"') WHERE id = 'a'", "gte compares"),
        ("UPDATE force_rules SET definition = replace(definition, '\"a\"', '\"b\"') WHERE id = 'a'", "that of b"),
    ])
    func `a row that is no rule is told, the others are read`(damage: String, message: String) throws {
        let store = SQLiteForceRules(path: path)
        try store.put(ForceRuleStoreSuite.rule("a"))
        try store.put(ForceRuleStoreSuite.rule("fine"))
        try Connection(path: path, busyTimeoutMilliseconds: 1000).execute(damage)
        let stored = try SQLiteForceRules(path: path).load()
        #expect(stored.rules == [ForceRuleStoreSuite.rule("fine")])
        #expect(stored.unreadable.map(\.id) == ["a"])
        #expect(stored.unreadable.first?.message.contains(message) == true, "\(stored.unreadable)")
        // It stays for somebody to look at, until a rule of its id is made.
        #expect(try store.load().unreadable.count == 1)
        try store.put(ForceRuleStoreSuite.rule("a"))
        #expect(try store.load().unreadable.isEmpty)
    }

    @Test func `a file that is no database, or a folder that is not there, is an error with its place`() throws {
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        let junk = [UInt8](repeating: 65, count: 8192)
        #expect(junk.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == 8192)
        close(descriptor)
        for path in [path, "\(folder)/nowhere/state.db"] {
            let store = SQLiteForceRules(path: path)
            #expect { try store.load() } throws: { error in "\(error)".contains(path) }
            #expect(throws: ForceRuleStoreError.self) { try store.put(ForceRuleStoreSuite.rule("a")) }
        }
    }
}
