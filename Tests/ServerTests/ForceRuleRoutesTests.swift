import AdminAPI
import Glibc
import HTTPServer
import JSON
import Pipeline
import Sampling
import StateStores
import Synchronization
import Telemetry
import Testing
import Threads
import TraceModel

/// What the admin port shows beside rules.
private struct QuietProgram: HealthReporting, DecisionLookup, StoreReporting {
    var isAlive: Bool { true }
    var obstacles: [String] { [] }
    var report: HealthReport {
        HealthReport(
            status: .healthy, version: "0", instanceID: "me", timestampMilliseconds: 0, policies: [], policyVersion: 1,
            authentication: "none", buffer: [:], components: [])
    }
    func decision(about traceID: TraceID) -> DecisionReport? { nil }
    var rememberedDecisionCount: Int { 0 }
    func recentDecisions(limit: Int) -> [DecisionReport] { [] }
    var store: StoreReport { StoreReport(spanCount: 0, traceCount: 0, memoryBytes: 0, diskBytes: 0, storageType: "t") }
}

private final class HandClock: Clock {
    private let wall = Atomic<Int64>(1_700_000_000_000)

    var wallMilliseconds: Int64 { wall.load(ordering: .relaxed) }
    var monotonicMilliseconds: Int64 { wallMilliseconds }
    func move(bySeconds seconds: Int64) { wall.add(seconds * 1000, ordering: .relaxed) }
}

/// An admin port over a book in a folder of its own.
private final class Rules {
    let folder: String
    let clock = HandClock()
    let metrics = Metrics(version: "0")
    let book: ForceRuleBook?
    let server: AdminServer

    init(ruleCount: Int = 1000, token: String? = nil, isEnabled: Bool = true, store path: String? = nil) throws {
        var template = Array("/tmp/tss-routes-XXXXXX".utf8CString)
        mkdtemp(&template)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var options = ForceRuleBook.Options()
        options.register.limits.ruleCount = ruleCount
        book =
            !isEnabled
            ? nil
            : ForceRuleBook(
                options: options, store: SQLiteForceRules(path: path ?? "\(folder)/state.db"),
                sampler: try Sampler(policies: []), clock: clock, metrics: metrics.forceRules, logger: .none)
        try book?.start { _ in }
        let program = QuietProgram()
        let services = AdminServices(
            health: program, decisions: program, store: program, queries: nil, forceRules: book,
            metricsPage: { _ in MetricsPage(contentType: "text/plain", text: "") })
        server = try AdminServer(
            HTTPServerOptions(), access: AdminAccess(address: "127.0.0.1", token: token), services: services,
            queryThreadCount: 1, observeQuery: { _ in })
    }

    deinit {
        server.stop()
        book?.stop()
    }

    func answer(
        _ method: String, _ path: String, _ body: String? = nil, headers: [String] = ["Content-Type: application/json"]
    ) throws -> RawClient.Answer {
        let client = try RawClient(port: server.port)
        client.request(
            method, "/admin/force-rules" + path, headers: body == nil ? [] : headers, body: body.map { Array($0.utf8) })
        return try #require(client.answer())
    }

    /// The envelope, which every answer has.
    func call(_ method: String, _ path: String, _ body: String? = nil) throws -> (status: Int, value: JSONValue) {
        let answer = try answer(method, path, body)
        let value = try JSONValue(parsing: answer.body)
        #expect(value.object?.keys == ["success", "data", "error"])
        #expect(value["success"] == .bool((200..<300).contains(answer.status)))
        if value["success"] == true { #expect(value["error"] == .null) } else { #expect(value["data"] == .null) }
        return (answer.status, value)
    }

    static func body(_ id: String, seconds: Int = 60, _ more: String = "") -> String {
        """
        {"id": "\(id)", "description": "why", "duration_secs": \(seconds), "action": "force_keep",
         "match": {"span": [{"key": "a", "op": "eq", "value": 1}]}\(more)}
        """
    }
}

@Suite struct ForceRuleRoutesTests {
    @Test func `a rule is made, shown, changed and ended`() throws {
        let rules = try Rules()
        #expect(try rules.call("GET", "").value["data"] == [])
        let made = try rules.answer("POST", "", Rules.body("r", ", \"created_by\": \"anna\""))
        #expect(made.status == 201 && made.headers["location"] == "/admin/force-rules/r")
        #expect(
            try JSONValue(parsing: made.body)["data"] == [
                "id": "r", "description": "why", "duration_secs": 60, "priority": 100,
                "match": ["resource": [], "span": [["key": "a", "op": "eq", "value": 1]]], "action": "force_keep",
                "match_all": false, "enabled": true, "created_at": "2023-11-14T22:13:20.000Z", "created_by": "anna",
                "expires_at": "2023-11-14T22:14:20.000Z", "remaining_secs": 60, "traces_matched": 0,
                "last_matched_at": .null,
            ])
        rules.clock.move(bySeconds: 10)
        #expect(try rules.call("GET", "/r").value["data"]?["remaining_secs"] == 50)
        #expect(try rules.call("PUT", "/r/extend", "{\"additional_secs\": 30}").value["data"]?["remaining_secs"] == 80)
        #expect(try rules.call("PUT", "/r/disable").value["data"]?["enabled"] == false)
        #expect(try rules.call("GET", "").value["data"]?.array?.first?["enabled"] == false)
        #expect(try rules.call("PUT", "/r/enable", "{}").value["data"]?["enabled"] == true)
        rules.book?.noteMatches(["r": 3])
        let seen = try rules.call("GET", "/r").value["data"]
        #expect(seen?["traces_matched"] == 3 && seen?["last_matched_at"] == "2023-11-14T22:13:30.000Z")
        #expect(try rules.call("DELETE", "/r").value["data"]?["id"] == "r")
        #expect(try rules.call("GET", "/r").status == 404)
    }

    @Test func `rules are listed in the order in which they are asked`() throws {
        let rules = try Rules()
        for (id, priority) in [("low", 1), ("old", 5), ("new", 5)] {
            #expect(try rules.call("POST", "", Rules.body(id, ", \"priority\": \(priority)")).status == 201)
            rules.clock.move(bySeconds: 1)
        }
        let ids = try rules.call("GET", "").value["data"]?.array?.compactMap { $0["id"]?.text }
        #expect(ids == ["new", "old", "low"])
    }

    @Test(
        arguments: [
            ("POST", "", "{", 400), ("POST", "", "", 400), ("POST", "", "[]", 400),
            ("POST", "", "{\"id\":\"a\",\"id\":\"a\"}", 400), ("POST", "", "{}", 422),
            ("POST", "", Rules.body("a b"), 422), ("POST", "", Rules.body("a", seconds: 604_801), 422),
            ("POST", "", Rules.body("taken"), 409), ("GET", "/nobody", nil, 404), ("DELETE", "/nobody", nil, 404),
            ("PUT", "/nobody/extend", "{\"additional_secs\":1}", 404), ("PUT", "/nobody/disable", nil, 404),
            ("PUT", "/nobody/enable", nil, 404), ("PUT", "/taken/extend", "{", 400),
            ("PUT", "/taken/extend", "{}", 422),
            ("PUT", "/taken/extend", "{\"additional_secs\":604800}", 422), ("PUT", "/taken/explode", nil, 404),
            ("PUT", "", nil, 405), ("POST", "/taken", "{}", 405), ("DELETE", "/%2e%2e", nil, 404),
        ] as [(String, String, String?, Int)])
    func `what is wrong has its status`(method: String, path: String, body: String?, status: Int) throws {
        let rules = try Rules()
        #expect(try rules.call("POST", "", Rules.body("taken")).status == 201)
        let (found, value) = try rules.call(method, path, body)
        #expect(found == status, "\(value)")
        #expect(value["error"]?.text?.isEmpty == false)
        #expect(try rules.call("GET", "").value["data"]?.array?.count == 1)
    }

    @Test func `an unknown member is named with its place and the nearest right one`() throws {
        let rules = try Rules()
        let (status, value) = try rules.call("POST", "", Rules.body("r", ", \"priorty\": 5"))
        #expect(status == 422)
        #expect(
            value["error"]?.text?.contains("body:2:61: priorty: unknown member; did you mean priority?") == true,
            "\(value)")
    }

    @Test func `there is a limit`() throws {
        let rules = try Rules(ruleCount: 2)
        for id in ["a", "b"] { #expect(try rules.call("POST", "", Rules.body(id)).status == 201) }
        let (status, value) = try rules.call("POST", "", Rules.body("c"))
        #expect(status == 409 && value["error"]?.text?.contains("force_sampling.max_rules") == true)
    }

    @Test func `an expired rule is listed for a while, and cannot be changed`() throws {
        let rules = try Rules()
        #expect(try rules.call("POST", "", Rules.body("r", seconds: 5)).status == 201)
        rules.clock.move(bySeconds: 6)
        #expect(try rules.call("GET", "/r").value["data"]?["remaining_secs"] == 0)
        #expect(try rules.call("PUT", "/r/extend", "{\"additional_secs\":5}").status == 409)
        #expect(try rules.call("PUT", "/r/disable").status == 409)
        let cleaned = try rules.call("POST", "/cleanup")
        #expect(cleaned.status == 200 && cleaned.value["data"] == ["removed": 1])
        #expect(try rules.call("GET", "/r").status == 404)
        #expect(try rules.call("POST", "/cleanup", "{}").value["data"] == ["removed": 0])
    }

    @Test func `a body must be JSON by its type, and no larger than the limit`() throws {
        let rules = try Rules()
        for type in ["text/plain", "application/x-www-form-urlencoded"] {
            #expect(try rules.answer("POST", "", Rules.body("r"), headers: ["Content-Type: \(type)"]).status == 415)
            #expect(try rules.answer("POST", "/cleanup", "x", headers: ["Content-Type: \(type)"]).status == 415)
        }
        #expect(try rules.answer("POST", "", Rules.body("r"), headers: []).status == 415)
        #expect(try rules.answer("POST", "/cleanup", "x", headers: []).status == 415)
        let large = Rules.body("r", ", \"x\": \"\(String(repeating: "y", count: ForceRuleLimits.bodyBytes))\"")
        #expect(try rules.answer("POST", "", large).status == 413)
        #expect(try rules.answer("PUT", "/r/disable", String(repeating: " ", count: 5000)).status == 413)
        #expect(try rules.call("GET", "").value["data"] == [])
    }

    @Test func `the token and the host are asked for`() throws {
        let rules = try Rules(token: "secret")
        for (method, path) in [
            ("GET", ""), ("GET", "/r"), ("DELETE", "/r"), ("PUT", "/r/enable"), ("POST", "/cleanup"),
        ] {
            #expect(try rules.answer(method, path).status == 401)
        }
        #expect(try rules.answer("POST", "", Rules.body("r")).status == 401)
        let made = try rules.answer(
            "POST", "", Rules.body("r"), headers: ["Content-Type: application/json", "Authorization: Bearer secret"])
        #expect(made.status == 201)
        let client = try RawClient(port: rules.server.port)
        client.send(
            "DELETE /admin/force-rules/r HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer secret\r\n\r\n")
        #expect(client.answer()?.status == 403)
    }

    @Test func `switched off, every call says how to switch them on`() throws {
        let rules = try Rules(isEnabled: false)
        for (method, path, body) in [("GET", "", nil), ("POST", "", Rules.body("r")), ("DELETE", "/r", nil)] {
            let (status, value) = try rules.call(method, path, body)
            #expect(status == 409 && value["error"]?.text?.contains("force_sampling.enabled: true") == true)
        }
    }

    @Test func `a store that fails is 503, and nothing is changed`() throws {
        // A folder that is not there.
        let rules = try Rules(store: "/tmp/tss-nowhere-\(getpid())/state.db")
        for (method, path, body) in [("GET", "", nil), ("GET", "/r", nil), ("POST", "", Rules.body("r"))] {
            let (status, value) = try rules.call(method, path, body)
            #expect(status == 503 && value["error"]?.text?.contains("state.db") == true)
        }
        #expect(rules.book?.rules.isEmpty == true)
    }
}
