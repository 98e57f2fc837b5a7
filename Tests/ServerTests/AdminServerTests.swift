import AdminAPI
import HTTPServer
import JSON
import Sampling
import Synchronization
import Telemetry
import Testing
import TraceModel

private final class FakeProgram: HealthReporting, DecisionLookup, StoreReporting {
    let isAliveFlag = Atomic<Bool>(true)
    let obstacleTexts: [String]
    let known = TraceID(high: 1, low: 2)

    init(obstacles: [String] = []) { obstacleTexts = obstacles }

    var isAlive: Bool { isAliveFlag.load(ordering: .relaxed) }
    var obstacles: [String] { obstacleTexts }
    var report: HealthReport {
        HealthReport(
            status: .degraded, version: "0.1.0", instanceID: "me", timestampMilliseconds: 0, policies: ["errors"],
            policyVersion: 3, authentication: "none", buffer: ["traces": 4],
            components: [.init(name: "iceberg", status: .degraded, sinceMilliseconds: 1000, lastError: "gone")])
    }

    func decision(about traceID: TraceID) -> DecisionReport? { traceID == known ? made(traceID) : nil }

    let rememberedDecisionCount = 100_000

    func recentDecisions(limit: Int) -> [DecisionReport] {
        (0..<min(limit, 5)).map { made(TraceID(high: 9, low: UInt64($0))) }
    }

    var store: StoreReport {
        StoreReport(spanCount: 1, traceCount: 2, memoryBytes: 3, diskBytes: 4, storageType: "embedded")
    }

    private static let piece = VoteEvidence(
        policy: "always_sample_errors", part: "status_code", subject: .field, spanID: SpanID(5),
        spanName: "POST /orders",
        key: "status", value: "ERROR")
    private static let absence = VoteEvidence(policy: "always_sample_errors", subject: .absence, key: "k", value: "")

    private func made(_ traceID: TraceID) -> DecisionReport {
        DecisionReport(
            traceID: traceID,
            decision: Decision(
                verdict: .sampled, reason: .error, policy: "always_sample_errors", adjustedCount: 1, policyVersion: 3),
            cause: .root, firstSpanMilliseconds: 0, lastSpanMilliseconds: 1000, decidedMilliseconds: 31_000,
            spanCount: 2, explanation: "a span has status ERROR",
            votes: [
                .init(
                    policy: "always_sample_errors", vote: "sampled", explanation: "ERROR",
                    evidence: [Self.piece, Self.absence])
            ],
            evidence: [Self.piece])
    }
}

private struct Admin {
    let program: FakeProgram
    let server: AdminServer

    init(
        _ program: FakeProgram = FakeProgram(), token: String? = nil, allowedHosts: [String] = []
    ) throws {
        self.program = program
        let metrics = Metrics(version: "0.1.0")
        let services = AdminServices(
            health: program, decisions: program, store: program, queries: nil,
            metricsPage: { accept in
                let page = MetricPage(accept: accept)
                return MetricsPage(contentType: page.contentType, text: metrics.page(page))
            })
        server = try AdminServer(
            HTTPServerOptions(),
            access: AdminAccess(address: "127.0.0.1", allowedHosts: allowedHosts, token: token),
            services: services, queryThreadCount: 1, observeQuery: { _ in })
    }

    func get(_ path: String, headers: [String] = []) throws -> RawClient.Answer {
        let client = try RawClient(port: server.port)
        client.request("GET", path, headers: headers)
        return try #require(client.answer())
    }

    func data(_ path: String) throws -> JSONValue {
        let answer = try get(path)
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        return try JSONValue(parsing: answer.body)
    }

    /// A request whose `Host` is all there is of it.
    func status(host: String) throws -> Int? {
        let client = try RawClient(port: server.port)
        client.send("GET /health/live HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return client.answer()?.status
    }
}

@Suite struct AdminServerTests {
    @Test func `liveness follows the loops alone`() throws {
        let admin = try Admin(FakeProgram(obstacles: ["the disk is full"]))
        defer { admin.server.stop() }
        #expect(try admin.get("/health/live").status == 200)
        admin.program.isAliveFlag.store(false, ordering: .relaxed)
        #expect(try admin.get("/health/live").status == 503)
    }

    @Test func `readiness names its obstacles`() throws {
        let ready = try Admin()
        defer { ready.server.stop() }
        #expect(try ready.get("/health/ready").status == 200)
        let full = try Admin(FakeProgram(obstacles: ["the disk is full", "starting"]))
        defer { full.server.stop() }
        let answer = try full.get("/health/ready")
        #expect(answer.status == 503)
        #expect(try JSONValue(parsing: answer.body)["reasons"] == ["the disk is full", "starting"])
    }

    @Test func `health is always 200 and tells all`() throws {
        let admin = try Admin(FakeProgram(obstacles: ["starting"]))
        defer { admin.server.stop() }
        let health = try admin.data("/health")
        #expect(health["status"] == "degraded")
        #expect(health["version"] == "0.1.0")
        #expect(health["instance_id"] == "me")
        #expect(health["timestamp"] == "1970-01-01T00:00:00.000Z")
        #expect(health["policies"] == ["errors"])
        #expect(health["policy_version"] == 3)
        #expect(health["auth"] == "none")
        #expect(health["components"]?["iceberg"]?["status"] == "degraded")
        #expect(health["components"]?["iceberg"]?["last_error"] == "gone")
        #expect(health["components"]?["iceberg"]?["since"] == "1970-01-01T00:00:01.000Z")
    }

    @Test func `one decision with its reasons`() throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        let answer = try admin.data("/admin/decisions/\(admin.program.known)")
        #expect(answer["success"] == true)
        #expect(answer["error"] == .null)
        let data = try #require(answer["data"])
        #expect(data["trace_id"] == "00000000000000010000000000000002")
        #expect(data["verdict"] == "sampled")
        #expect(data["reason"] == "error")
        #expect(data["policy"] == "always_sample_errors")
        #expect(data["ripe_because"] == "root")
        #expect(data["decided_at"] == "1970-01-01T00:00:31.000Z")
        #expect(data["span_count"] == 2)
        #expect(data["votes"]?.array?.count == 1)
        let text = #"span "POST /orders" status ERROR"#
        let piece: JSONValue = [
            "part": "status_code", "subject": "field", "span_id": "0000000000000005", "span_name": "POST /orders",
            "key": "status", "value": "ERROR", "text": .string(text),
        ]
        #expect(data["evidence"] == [piece])
        let vote = try #require(data["votes"]?.array?.first)
        #expect(vote["vote"] == "sampled" && vote["explanation"] == "ERROR")
        let absence: JSONValue = [
            "part": nil, "subject": "absence", "span_id": nil, "span_name": nil, "key": "k", "value": nil,
            "text": "no span has k",
        ]
        #expect(vote["evidence"] == [piece, absence])
    }

    @Test func `who asks about an unknown trace is told how much is remembered`() throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        let answer = try admin.get("/admin/decisions/00000000000000010000000000000009")
        #expect(try JSONValue(parsing: answer.body)["error"]?.text?.contains("the newest 100000 decisions") == true)
    }

    @Test(arguments: [
        ("/admin/decisions/00000000000000010000000000000009", 404), ("/admin/decisions/xyz", 400),
        ("/admin/decisions?limit=0", 400), ("/admin/decisions?limit=x", 400), ("/admin/nothing", 404),
        ("/admin/force-rules", 409), ("/admin/force-rules/a", 409), ("/admin/query", 405),
    ])
    func `a failure is in the envelope`(path: String, status: Int) throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        let answer = try admin.get(path)
        #expect(answer.status == status)
        let value = try JSONValue(parsing: answer.body)
        #expect(value["success"] == false)
        #expect(value["data"] == .null)
        #expect(value["error"]?.text?.isEmpty == false)
        if path.contains("force-rules") { #expect(value["error"]?.text?.contains("force_sampling.enabled") == true) }
    }

    @Test func `the newest decisions, as many as asked for`() throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        #expect(try admin.data("/admin/decisions?limit=3")["data"]?.array?.count == 3)
        #expect(try admin.data("/admin/decisions")["data"]?.array?.count == 5)
    }

    @Test(arguments: ["/admin/store/stats", "/admin/stats"])
    func `what is held`(path: String) throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        #expect(
            try admin.data(path)["data"] == [
                "span_count": 1, "trace_count": 2, "memory_bytes": 3, "disk_bytes": 4, "storage_type": "embedded",
            ])
    }

    @Test func `the metrics page in the format that is asked for`() throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        let text = try admin.get("/metrics")
        #expect(text.headers["content-type"] == MetricPage.text.contentType)
        let open = try admin.get("/metrics", headers: ["Accept: application/openmetrics-text; version=1.0.0"])
        #expect(open.headers["content-type"] == MetricPage.openMetrics.contentType)
        #expect(open.text.hasSuffix("# EOF\n"))
    }

    @Test(arguments: [
        ("localhost", 200), ("LOCALHOST:8080", 200), ("127.0.0.1:9", 200), ("[::1]:8080", 200), ("tss.local:1", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:8080", 403),
    ])
    func `a host name that is not ours is refused`(host: String, status: Int) throws {
        let admin = try Admin(allowedHosts: ["tss.local"])
        defer { admin.server.stop() }
        #expect(try admin.status(host: host) == status)
    }

    @Test func `a token is asked for admin calls, not for health and metrics`() throws {
        let admin = try Admin(token: "secret")
        defer { admin.server.stop() }
        for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
            #expect(try admin.get(path).status == 200)
        }
        for header in ["X: y", "Authorization: Bearer wrong!", "Authorization: Bearer secre", "Authorization: secret"] {
            let answer = try admin.get("/admin/stats", headers: [header])
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"] == "Bearer")
        }
        #expect(try admin.get("/admin/stats", headers: ["Authorization: Bearer secret"]).status == 200)
        #expect(try admin.get("/admin/force-rules").status == 401)
    }

    @Test(arguments: [("application/json", 503), ("text/plain", 415), ("application/x-www-form-urlencoded", 415)])
    func `a query's body must be JSON, and without a table there is no answer`(type: String, status: Int) throws {
        let admin = try Admin()
        defer { admin.server.stop() }
        let client = try RawClient(port: admin.server.port)
        client.request(
            "POST", "/admin/query", headers: ["Content-Type: \(type)"], body: Array("{\"sql\":\"SELECT 1\"}".utf8))
        #expect(client.answer()?.status == status)
    }
}
