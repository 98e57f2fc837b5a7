import HTTPClient
import JSON
import Testing
import Threads
import TraceGenerator
import TraceModel
import Workers

extension WholeProgram {
    /// Force rules, from the admin call to the row in the table.
    @Suite struct ForceRuleTests {
        private static let path = "/admin/force-rules"
        /// Long enough to do something while a trace waits for its decision.
        private static let longWaits = [
            "TSS__APP__INACTIVITY_TIMEOUT_SECS": "6", "TSS__APP__ROOT_INACTIVITY_TIMEOUT_SECS": "6",
        ]

        private static func withServer(
            _ name: String, _ settings: [String: String] = [:], _ body: (ServerUnderTest, Traces) throws -> Void
        ) throws {
            try TestFolder.with(name) { folder in
                let server = try ServerUnderTest(folder, ServerUnderTest.shortWaits.merging(settings) { $1 })
                try server.startAndWait()
                try body(server, Traces(seed: .random(in: 0 ... .max)))
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        /// The `data` of an admin call's answer.
        @discardableResult
        private static func call(
            _ server: ServerUnderTest, _ method: String, _ path: String = "", _ body: JSONValue? = nil,
            expecting status: Int = 200
        ) throws -> JSONValue {
            var request = ClientRequest(method, server.adminURL + Self.path + path)
            if let body {
                request.headers = [("Content-Type", "application/json")]
                request.body = try body.bytes()
            }
            let response = try ServerUnderTest.client.get().send(request)
            let value = try JSONValue(parsing: response.body)
            try #require(response.status == status, "\(method) \(path): \(value)")
            return value["data"] ?? .null
        }

        /// A rule over the service that all of `Traces` are of.
        @discardableResult
        private static func make(
            _ server: ServerUnderTest, _ id: String, _ action: String = "force_keep", seconds: Int64 = 600,
            priority: Int64 = 100, service: String = "api-gateway"
        ) throws -> JSONValue {
            try call(
                server, "POST", "",
                [
                    "id": .string(id), "description": "test", "duration_secs": .integer(seconds),
                    "action": .string(action), "priority": .integer(priority),
                    "match": ["resource": [["key": "service.name", "op": "eq", "value": .string(service)]]],
                ], expecting: 201)
        }

        private static func send(_ server: ServerUnderTest, _ trace: GeneratedTrace) throws {
            try #require(try server.export(trace.requestBytes).status == 200)
        }

        private static func expect(
            _ server: ServerUnderTest, _ trace: GeneratedTrace, _ verdict: String, _ reason: String, by policy: String?,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let decision = try server.waitForDecision(trace.traceID)
            #expect(
                decision["verdict"]?.text == verdict && decision["reason"]?.text == reason
                    && decision["policy"]?.text == policy, "\(decision)", sourceLocation: sourceLocation)
        }

        @Test func `rules decide before policies, keep and drop alike, the first by priority`() throws {
            let drop = """
                [{"name": "no-gateway", "type": "drop", "drop": {"drop_sub_policy": [{"name": "gateway",
                  "type": "string_attribute",
                  "string_attribute": {"key": "service.name", "values": ["api-gateway"]}}]}}]
                """
            try Self.withServer("rules", ["TSS__SAMPLING__POLICIES": drop]) { server, traces in
                for series in ["traces_force_sampled_total", "traces_force_dropped_total"] {
                    #expect(try server.metric(series) == 0, "\(series)")
                }
                let (unruled, kept) = (traces.next(.error), traces.next(.ok))
                try Self.send(server, unruled)
                try Self.expect(server, unruled, "dropped", "drop_policy", by: "no-gateway")
                try Self.make(server, "keep")
                try Self.send(server, kept)
                try Self.expect(server, kept, "sampled", "force_rule", by: "keep")
                // A drop beats the policy that keeps errors, and the rule of lower priority.
                try Self.make(server, "drop", "force_drop", priority: 200)
                try Self.make(server, "others", "force_drop", priority: 300, service: "somebody-else")
                let dropped = traces.next(.error)
                try Self.send(server, dropped)
                try Self.expect(server, dropped, "dropped", "force_rule", by: "drop")
                try server.waitUntilSettled(after: dropped.traceID)
                #expect(try server.metric("traces_force_sampled_total") == 1)
                #expect(try server.metric("traces_force_dropped_total") == 1)
                #expect(try server.metric("traces_sampled_total{reason=\"force_rule\"}") == 1)
                #expect(try server.metric("force_rule_matches_total{rule_id=\"keep\"}") == 1)
                #expect(try server.metric("force_rule_matches_total{rule_id=\"others\"}") == 0)
                let rule = try Self.call(server, "GET", "/drop")
                #expect(rule["traces_matched"] == 1 && rule["last_matched_at"]?.text != nil)
                let rows = try server.rows("SELECT DISTINCT trace_id, decision_reason, decision_policy FROM spans")
                #expect(
                    rows == [
                        [
                            "trace_id": .string(kept.traceID.description), "decision_reason": "force_rule",
                            "decision_policy": "keep",
                        ]
                    ])
                try Self.call(server, "DELETE", "/keep")
                #expect(try server.metric("force_rule_matches_total{rule_id=\"keep\"}") == nil)
                #expect(try server.json("/health")["components"]?["force_rules"]?["active"] == 2)
            }
        }

        @Test func `a rule acts on traces that wait already, and one that is disabled or deleted does not`() throws {
            try Self.withServer("rules-buffered", Self.longWaits) { server, traces in
                let (waiting, first) = (traces.next(.ok), traces.next(.ok))
                try Self.send(server, waiting)
                #expect(try waitUntil(.seconds(20)) { try server.json("/health")["buffer"]?["traces"] == 1 })
                try Self.make(server, "late")
                try Self.expect(server, waiting, "sampled", "force_rule", by: "late")
                // Scanned while it acts, decided when it does no more.
                try Self.send(server, first)
                #expect(try waitUntil(.seconds(20)) { try server.json("/health")["buffer"]?["traces"] == 1 })
                try Self.call(server, "PUT", "/late/disable")
                try Self.expect(server, first, "not_sampled", "not_sampled", by: nil)
                try Self.call(server, "PUT", "/late/enable")
                let second = traces.next(.ok)
                try Self.send(server, second)
                #expect(try waitUntil(.seconds(20)) { try server.json("/health")["buffer"]?["traces"] == 1 })
                try Self.call(server, "DELETE", "/late")
                try Self.expect(server, second, "not_sampled", "not_sampled", by: nil)
            }
        }

        @Test func `an expired rule still decides about the traces of its life, and about no other`() throws {
            try Self.withServer("rules-expired", Self.longWaits) { server, traces in
                try Self.make(server, "short", seconds: 3)
                let (before, after) = (traces.next(.ok), traces.next(.ok))
                try Self.send(server, before)
                #expect(
                    try waitUntil(.seconds(20)) { try Self.call(server, "GET", "/short")["remaining_secs"] == 0 })
                #expect(try server.decision(before.traceID) == nil)
                // The shards learn it a moment later than the list shows it.
                Wakeup().sleep(.seconds(1))
                try Self.send(server, after)
                try Self.expect(server, before, "sampled", "force_rule", by: "short")
                try Self.expect(server, after, "not_sampled", "not_sampled", by: nil)
                #expect(try Self.call(server, "POST", "/cleanup") == ["removed": 1])
            }
        }

        @Test func `a rule that was answered outlives kill -9, and decides what waited`() throws {
            try Self.withServer("rules-killed", Self.longWaits) { server, traces in
                let waiting = traces.next(.ok)
                try Self.send(server, waiting)
                try Self.make(server, "kept")
                server.kill()
                _ = server.ended(within: .seconds(20))
                try server.startAndWait()
                #expect(try Self.call(server, "GET").array?.map { $0["id"]?.text } == ["kept"])
                try Self.expect(server, waiting, "sampled", "force_rule", by: "kept")
                try Self.call(server, "DELETE", "/kept")
                server.kill()
                _ = server.ended(within: .seconds(20))
                try server.startAndWait()
                #expect(try Self.call(server, "GET") == [])
                #expect(server.log.contains("force rules are asked before the policies"))
            }
        }

        @Test func `tss rules makes, shows, changes and ends them`() throws {
            try TestFolder.with("tss-rules") { folder in
                let server = try ServerUnderTest(
                    folder, ServerUnderTest.shortWaits.merging(["TSS__ADMIN__TOKEN": "secret"]) { $1 })
                let environment = ["TSS_ADMIN_URL": server.adminURL, "TSS__ADMIN__TOKEN": "secret", "USER": "anna"]
                func tss(_ arguments: String..., environment: [String: String]? = nil) throws -> Program.Outcome {
                    try Program.run(
                        Program.path, ["rules"] + arguments,
                        environment: environment ?? ["TSS_ADMIN_URL": server.adminURL, "TSS__ADMIN__TOKEN": "secret"],
                        folder: folder)
                }
                let none = try tss("list")
                #expect(none.status == .exited(code: 1) && none.errors.contains("is the server running there?"))
                try server.startAndWait()
                let refused = try tss("list", environment: ["TSS_ADMIN_URL": server.adminURL])
                #expect(refused.status == .exited(code: 1) && refused.errors.contains("a bearer token is required"))
                #expect(try tss("list").output == "There are no force rules.\n")
                let added = try tss(
                    "add", "--id", "r", "-d", "checkout fails", "--for", "1h", "--service", "api-gateway", "--span",
                    "http.status_code in 500,503", "--span", "name starts_with POST /", "-o", "json",
                    environment: environment)
                #expect(added.status == .exited(code: 0), "\(added.errors)")
                let rule = try JSONValue(parsing: Array(added.output.utf8))
                #expect(
                    rule["created_by"] == "anna" && rule["remaining_secs"] == 3600 && rule["action"] == "force_keep")
                #expect(rule["match"]?["resource"]?.array?[0]["value"] == "api-gateway")
                #expect(rule["match"]?["span"]?.array?[0]["values"] == ["500", "503"])
                #expect(rule["match"]?["span"]?.array?[1]["value"] == "POST /")
                let table = try tss("list").output.split(separator: "\n")
                #expect(table.count == 2 && table[0].hasPrefix("ID") && table[1].hasPrefix("r "))
                #expect(table[1].contains("active") && table[1].hasSuffix("checkout fails"))
                let extended = try tss("extend", "r", "--by", "1h").output
                #expect(extended.contains("2h") || extended.contains("1h 59m"))
                #expect(try tss("disable", "r").output.contains("disabled"))
                #expect(try tss("enable", "r").output.contains("active"))
                let wrong = try tss("add", "-d", "x", "--span", "a eqals 1")
                #expect(wrong.status == .exited(code: 1) && wrong.errors.contains("unknown: \"eqals\""))
                #expect(
                    try tss("add", "-d", "x", "--span", "a").errors.contains("write a key, an operator and a value"))
                #expect(try tss("add", "--action", "drop", "-d", "x").errors.contains("\"match_all\": true"))
                #expect(try tss("delete", "r").status == .exited(code: 0))
                #expect(try tss("delete", "r").errors.contains("there is no force rule \"r\" (404)"))
                #expect(try tss("cleanup").output == "0 expired rules taken off the list\n")
                #expect(try tss("list", "-o", "json").output == "[]\n")
                #expect(try server.stop() == .exited(code: 0))
            }
        }
    }
}
