import Foundation
import Glibc
import HTTPClient
import JSON
import Testing
import TraceGenerator
import TraceModel
import Workers

extension WholeProgram {
    /// Health, decisions and queries of a running server.
    @Suite struct AdminTests {
        private static func withServer(
            _ name: String, _ settings: [String: String] = [:],
            _ body: (ServerUnderTest, Traces) throws -> Void
        ) throws {
            try TestFolder.with(name) { folder in
                let server = try ServerUnderTest(folder, ServerUnderTest.shortWaits.merging(settings) { $1 })
                try server.startAndWait()
                try body(server, Traces(seed: .random(in: 0 ... .max)))
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        /// Sends traces and waits until what is kept of them is in the table.
        private static func fill(_ server: ServerUnderTest, _ traces: [GeneratedTrace]) throws {
            for trace in traces { try #require(try server.export(trace.requestBytes).status == 200) }
            try server.waitUntilSettled(after: traces[traces.count - 1].traceID)
        }

        private static func text(_ response: ClientResponse) -> String {
            String(decoding: response.body, as: UTF8.self)
        }

        // MARK: Health

        @Test func `health says who it is, what it keeps and how each part is`() throws {
            try Self.withServer("health") { server, _ in
                // The query engine comes last.
                #expect(
                    try waitUntil(.seconds(60)) {
                        try server.json("/health")["components"]?["query"]?["datafusion"]?.text != nil
                    })
                let health = try server.json("/health")
                #expect(health["status"] == "healthy" && health["version"] == "0.1.0" && health["auth"] == "none")
                for key in ["instance_id", "timestamp"] { #expect(health[key]?.text != nil) }
                #expect(health["policy_version"]?.uint64 != nil)
                #expect(health["policies"]?.array?.count == 3)
                for key in ["traces", "spans", "bytes", "max_traces", "max_bytes"] {
                    #expect(health["buffer"]?[key]?.int64 != nil, "\(key)")
                }
                for part in ["iceberg", "log", "query", "shards"] {
                    let component = health["components"]?[part]
                    #expect(component?["status"] == "healthy" && component?["since"]?.text != nil, "\(part)")
                    #expect(component?["last_error"] == .null, "\(part)")
                }
                #expect(try server.json("/health/live")["status"] == "alive")
                #expect(try server.json("/health/ready")["status"] == "ready")
            }
        }

        @Test func `is live from the first answer, ready once the table was reached, and not while it stops`() throws {
            try TestFolder.with("ready") { folder in
                let server = try ServerUnderTest(folder)
                try server.start()
                var states: [Int] = []
                let isReady = try waitUntil(ServerUnderTest.startLimit) {
                    guard let live = try? server.get(server.adminURL + "/health/live") else { return false }
                    #expect(live.status == 200)
                    let ready = try server.get(server.adminURL + "/health/ready")
                    if ready.status != states.last { states.append(ready.status) }
                    if ready.status == 503 {
                        let reasons = try JSONValue(parsing: ready.body)["reasons"]?.array ?? []
                        #expect(!reasons.isEmpty)
                    }
                    return ready.status == 200
                }
                #expect(isReady && states.last == 200 && states.count <= 2)
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        @Test func `a token guards admin calls, and is never shown`() throws {
            try Self.withServer("token", ["TSS__ADMIN__TOKEN": "s3cret-of-the-test"]) { server, _ in
                let url = server.adminURL + "/admin/decisions"
                #expect(try server.get(url).status == 401)
                #expect(try server.get(url, headers: [("Authorization", "Bearer other")]).status == 401)
                #expect(try server.get(url, headers: [("Authorization", "Bearer s3cret-of-the-test")]).status == 200)
                let health = try server.json("/health")
                #expect(health["auth"] == "token")
                #expect(!server.log.contains("s3cret-of-the-test"))
            }
        }

        // MARK: Decisions

        @Test func `tells why a trace was kept, why another was not, and what it does not know`() throws {
            try Self.withServer("decisions") { server, traces in
                let (kept, dropped) = (traces.next(.error), traces.next(.ok))
                try Self.fill(server, [kept, dropped])
                let decision = try #require(try server.decision(kept.traceID))
                #expect(decision["trace_id"]?.text == kept.traceID.description)
                #expect(decision["verdict"] == "sampled" && decision["reason"] == "error")
                #expect(decision["policy"] == "always_sample_errors" && decision["span_count"] == 5)
                #expect(decision["ripe_because"] == "root" && decision["adjusted_count"]?.double == 1)
                for key in ["first_span_at", "last_span_at", "decided_at"] { #expect(decision[key]?.text != nil) }
                let votes = (decision["votes"]?.array ?? []).map { [$0["policy"]?.text, $0["vote"]?.text] }
                #expect(votes.contains(["always_sample_errors", "sampled"]))
                #expect(votes.contains(["sample_latency", "not_sampled"]))
                let evidence = try #require(decision["evidence"]?.array?.first)
                #expect(evidence["key"] == "status" && evidence["value"] == "ERROR")
                #expect(kept.request.spans.contains { $0.spanID.description == evidence["span_id"]?.text })
                #expect(decision["explanation"]?.text?.contains("status ERROR") == true)
                try Self.tellsWhy(server, kept.traceID, decision)
                let other = try #require(try server.decision(dropped.traceID))
                #expect(other["verdict"] == "not_sampled" && other["policy"] == .null)
                #expect(other["explanation"]?.text?.contains("errors no, latency ") == true)
                let unknown = try server.get(server.adminURL + "/admin/decisions/" + String(repeating: "a", count: 32))
                #expect(unknown.status == 404 && Self.text(unknown).contains("\"success\":false"))
                #expect(try server.get(server.adminURL + "/admin/decisions/xyz").status == 400)
                let newest = try server.json("/admin/decisions?limit=1")["data"]?.array ?? []
                #expect(newest.count == 1)
                #expect(try server.json("/admin/decisions")["data"]?.array?.count == 2)
                #expect(try server.get(server.adminURL + "/admin/decisions?limit=0").status == 400)
                let store = try server.json("/admin/store/stats")["data"]
                #expect(store?["trace_count"] == 0 && store?["storage_type"] == "embedded")
                #expect(store?["disk_bytes"]?.int64 ?? 0 > 0)
            }
        }

        /// `tss why`, for people and as JSON, and about a trace that nobody knows.
        private static func tellsWhy(_ server: ServerUnderTest, _ traceID: TraceID, _ decision: JSONValue) throws {
            func why(_ arguments: [String]) throws -> Program.Outcome {
                var outcome: Program.Outcome?
                try TestFolder.with("why") { folder in
                    outcome = try Program.run(
                        Program.path, ["why", "--admin-url", server.adminURL] + arguments, folder: folder)
                }
                return try #require(outcome)
            }
            let table = try why([traceID.description])
            #expect(table.status == .exited(code: 0))
            #expect(table.output.contains("sampled by always_sample_errors, reason error: span \""), "\(table.output)")
            #expect(table.output.contains("sample_latency        not_sampled  latency "), "\(table.output)")
            let json = try why([traceID.description, "--output", "json"])
            #expect(try JSONValue(parsing: json.output) == decision)
            let unknown = try why([String(repeating: "a", count: 32)])
            #expect(unknown.status == .exited(code: 1) && unknown.output == "")
            #expect(unknown.errors.contains("no decision about") && unknown.errors.contains("tss query"))
            #expect(try why(["xyz"]).status == .exited(code: 64))
        }

        // MARK: Queries

        @Test func `answers SQL as JSON, CSV and Arrow, in both shapes, with whole numbers or texts`() throws {
            try Self.withServer("query") { server, traces in
                let (error, slow) = (traces.next(.error), traces.next(.slow))
                try Self.fill(server, [error, slow, traces.next(.ok)])
                let sql = "SELECT trace_id, count(*) AS n FROM spans GROUP BY trace_id ORDER BY trace_id"
                let ids = [error, slow].map(\.traceID.description).sorted()
                let data = try JSONValue(parsing: server.query(sql).body)["data"]
                #expect(data?["rows"]?.array == ids.map { ["trace_id": .string($0), "n": 5] })
                #expect(data?["row_count"] == 2 && data?["truncated"] == false)
                #expect(data?["files_total"]?.int64 ?? 0 >= 1 && data?["elapsed_ms"]?.int64 != nil)
                #expect(data?["columns"]?.array?.last == ["name": "n", "type": "int64"])
                let texts = try JSONValue(parsing: server.query(sql, "?int64=text").body)["data"]
                #expect(texts?["rows"]?.array?.first?["n"] == "5")
                let legacy = try JSONValue(parsing: server.query(sql, "?shape=legacy").body)["data"]
                #expect(legacy?["rows"]?.array?.first == ["columns": [["trace_id", .string(ids[0])], ["n", 5]]])
                let csv = try server.query(sql, headers: [("Accept", "text/csv")])
                #expect(csv.header("Content-Type")?.hasPrefix("text/csv") == true)
                let lines = Self.text(csv).split(whereSeparator: \.isNewline).map(String.init)
                #expect(lines == ["trace_id,n"] + ids.map { "\($0),5" })
                let arrow = try server.query(sql, headers: [("Accept", "application/vnd.apache.arrow.stream")])
                #expect(arrow.status == 200 && arrow.header("X-Row-Count") == "2")
                // A stream begins with the continuation mark of its schema message.
                #expect(arrow.body.prefix(4) == [0xFF, 0xFF, 0xFF, 0xFF])
                let named = try server.rows("SELECT trace_id, status_code, duration_ms FROM default.spans LIMIT 10")
                #expect(named.count == 10)
                for name in ["slowest-traces", "error-traces", "service-stats"] {
                    let rows = try server.json("/admin/query/\(name)")["data"]?["rows"]?.array ?? []
                    #expect(!rows.isEmpty, "\(name)")
                }
            }
        }

        @Test func `refuses what is no question: writing, other types, bad SQL, foreign hosts`() throws {
            try Self.withServer("refused") { server, traces in
                try Self.fill(server, [traces.next(.error)])
                let statements = [
                    "CREATE TABLE t AS SELECT 1", "DROP TABLE spans", "INSERT INTO spans SELECT * FROM spans",
                    "SET datafusion.execution.batch_size = 1", "COPY spans TO '/tmp/x.csv'",
                    "CREATE EXTERNAL TABLE e STORED AS CSV LOCATION '/etc/passwd'",
                ]
                for sql in statements { #expect(try server.query(sql).status == 403, "\(sql)") }
                #expect(try server.query("SELEC 1").status == 400)
                #expect(try server.query("SELECT nothing FROM spans").status == 400)
                #expect(try server.query("SELECT * FROM '/etc/passwd'").status == 400)
                #expect(try server.query("SELECT 1", "?shape=round").status == 400)
                let url = server.adminURL + "/admin/query"
                let client = try ServerUnderTest.client.get()
                let body = Array("{\"sql\":\"SELECT 1\"}".utf8)
                let form = ClientRequest("POST", url, headers: [("Content-Type", "text/plain")], body: body)
                #expect(try client.send(form).status == 415)
                let foreign = ClientRequest(
                    "POST", url, headers: [("Content-Type", "application/json"), ("Host", "evil.example:8080")],
                    body: body)
                #expect(try client.send(foreign).status == 403)
                #expect(try server.get(server.adminURL + "/health", headers: [("Host", "evil.example")]).status == 403)
                #expect(
                    try server.get(server.metricsURL + "/metrics", headers: [("Host", "evil.example")]).status == 403)
                #expect(try server.get(server.adminURL + "/health", headers: [("Host", "localhost:1")]).status == 200)
                #expect(try server.rows("SELECT count(*) AS n FROM spans") == [["n": 5]])
            }
        }

        @Test func `a statement that takes too long is ended and the next one is answered`() throws {
            try Self.withServer("timeout", ["TSS__QUERY__TIMEOUT_SECS": "2"]) { server, traces in
                let trace = traces.next(.error)
                try Self.fill(server, [trace])
                // 5^24 rows: years. (5^14 took DataFusion two seconds on an idle machine.)
                let names = (0..<24).map { "spans AS s\($0)" }.joined(separator: ", ")
                let response = try server.query("SELECT sum(s0.duration_ms + s23.duration_ms) FROM \(names)")
                #expect(response.status == 504, "\(Self.text(response))")
                // A new worker takes its time to start.
                #expect(
                    waitUntil(.seconds(60)) {
                        (try? server.rows("SELECT count(*) AS n FROM spans")) == [["n": 5]]
                    })
                #expect(try server.metric("queries_total{result=\"timeout\"}") == 1)
                #expect(try server.export(traces.next(.ok).requestBytes).status == 200)
            }
        }

        @Test func `tss query needs no server, and says what is missing when there is no table`() throws {
            try TestFolder.with("tss-query") { folder in
                let server = try ServerUnderTest(folder)
                let sql = "SELECT trace_id, count(*) AS n FROM spans GROUP BY trace_id"
                let none = try Program.run(
                    Program.path, ["query", "--data-dir", server.dataFolder, sql], folder: folder)
                #expect(none.status == .exited(code: 1) && none.errors.contains("tss serve"))
                try server.startAndWait()
                let trace = Traces(seed: .random(in: 0 ... .max)).next(.error)
                try Self.fill(server, [trace])
                #expect(try server.stop() == .exited(code: 0))
                let outcome = try Program.run(
                    Program.path, ["query", "--data-dir", server.dataFolder, "--format", "json", sql], folder: folder)
                #expect(outcome.status == .exited(code: 0), "\(outcome.errors)")
                let rows = try JSONValue(parsing: Array(outcome.output.utf8))
                #expect(rows == [["trace_id": .string(trace.traceID.description), "n": 5]])
                let refused = try Program.run(
                    Program.path, ["query", "--data-dir", server.dataFolder, "DROP TABLE spans"], folder: folder)
                #expect(refused.status == .exited(code: 1) && refused.output == "")
            }
        }
    }
}
