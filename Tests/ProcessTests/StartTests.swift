import Foundation
import Glibc
import HTTPClient
import JSON
import Testing
import TraceGenerator
import TraceModel
import Workers

extension WholeProgram {
    /// How `tss serve` starts, refuses to start, and stops.
    @Suite struct StartTests {
        @Test func `starts without any configuration and says where everything is, in order`() throws {
            try TestFolder.with("start") { folder in
                let server = try ServerUnderTest(folder, [:])
                try server.startAndWait()
                let data = server.dataFolder
                let lines = [
                    "Starting Tail Sampling Selector v0.1.0", "Initializing Iceberg storage backend",
                    "  Catalog URI: sqlite://\(data)/catalog.db", "Connected to Iceberg catalog",
                    "DataFusion session initialized", "Started 4 evaluation workers",
                    "Health/Admin API server listening on 127.0.0.1:\(server.ports[1])",
                    "Listening for OTLP on 127.0.0.1:\(server.ports[0]) (HTTP)",
                    "policy: always_sample_errors keeps traces in which a span has status ERROR",
                    "policy: sample_latency keeps traces that take at least 5000 ms", "data folder: \(data)",
                    "traces: http://127.0.0.1:\(server.ports[0])/v1/traces",
                    "metrics: http://127.0.0.1:\(server.ports[2])/metrics",
                ]
                // The first query worker may take its time, and the lines after it wait.
                #expect(waitUntil(.seconds(60)) { server.log.contains(lines[lines.count - 1]) })
                var rest = Substring(server.log)
                for line in lines {
                    let place = try #require(rest.range(of: line), "\(line) is missing, or out of order: \(server.log)")
                    rest = rest[place.upperBound...]
                }
                #expect(try server.stop() == .exited(code: 0))
                #expect(server.log.contains("INFO tail_sampling_selector: stopped all_decided_committed=true"))
            }
        }

        @Test func `--dev says so first and decides after two seconds`() throws {
            try TestFolder.with("dev") { folder in
                let server = try ServerUnderTest(folder, [:])
                try server.startAndWait(arguments: ["serve", "--dev"])
                let first = try #require(server.log.split(separator: "\n").first)
                #expect(first.contains("development mode: decisions after 2 s, commits every 1 s"))
                let traces = Traces(seed: .random(in: 0 ... .max))
                let trace = traces.next(.error)
                #expect(try server.export(trace.requestBytes).status == 200)
                let decision = try server.waitForDecision(trace.traceID)
                #expect(decision["verdict"] == "sampled")
                // One line for each decision, with its reason.
                #expect(
                    waitUntil(.seconds(10)) {
                        server.log.contains("\(trace.traceID) sampled by always_sample_errors: span \"")
                    })
                #expect(waitUntil(.seconds(30)) { (try? server.rows("SELECT span_id FROM spans").count) == 5 })
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        @Test func `what was undecided at the stop is decided after the restart`() throws {
            try TestFolder.with("restart") { folder in
                let server = try ServerUnderTest(folder)
                try server.startAndWait()
                let traces = Traces(seed: .random(in: 0 ... .max))
                let sent = [traces.next(.error), traces.next(.ok), traces.next(.slow)]
                for trace in sent { #expect(try server.export(trace.requestBytes).status == 200) }
                #expect(try server.stop() == .exited(code: 0))
                let before = try TableReader(dataFolder: server.dataFolder, folder: folder)
                #expect(before.rows.isEmpty, "nothing was decided yet")
                try server.startAndWait()
                try server.waitUntilSettled(after: sent[2].traceID)
                #expect(try server.waitForDecision(sent[1].traceID)["verdict"] == "not_sampled")
                #expect(try server.stop() == .exited(code: 0))
                try Accounting.check(
                    [sent[0], sent[2]].flatMap(\.spans),
                    in: TableReader(
                        dataFolder: server.dataFolder, columns: Accounting.columns, folder: folder))
            }
        }

        @Test func `what was decided is committed before the end, however long the commit interval`() throws {
            try TestFolder.with("stop") { folder in
                var settings = ServerUnderTest.shortWaits
                settings["TSS__STORAGE__ICEBERG__COMMIT_INTERVAL_SECS"] = "3600"
                let server = try ServerUnderTest(folder, settings)
                try server.startAndWait()
                let trace = Traces(seed: .random(in: 0 ... .max)).next(.error)
                #expect(try server.export(trace.requestBytes).status == 200)
                _ = try server.waitForDecision(trace.traceID)
                #expect(try server.json("/health")["buffer"]?["kept_traces_waiting"] == 1)
                #expect(try server.stop() == .exited(code: 0))
                try Accounting.check(
                    trace.spans,
                    in: TableReader(
                        dataFolder: server.dataFolder, columns: Accounting.columns, folder: folder))
            }
        }

        @Test func `a second instance on the same folder is refused and told who has it`() throws {
            try TestFolder.with("second") { folder in
                let server = try ServerUnderTest(folder)
                try server.startAndWait()
                let second = try ServerUnderTest(folder, dataFolder: server.dataFolder)
                let outcome = try Program.run(
                    Program.path, ["serve"], environment: second.environment, folder: folder)
                #expect(outcome.status == .exited(code: 1))
                let processID = try #require(server.processID)
                #expect(
                    outcome.errors.contains(server.dataFolder) && outcome.errors.contains("\(processID)"),
                    "\(outcome.errors)")
                // The first has noticed nothing.
                let trace = Traces(seed: .random(in: 0 ... .max)).next(.error)
                #expect(try server.export(trace.requestBytes).status == 200)
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        @Test func `ports that are taken are all named in one line, with who has them`() throws {
            try TestFolder.with("ports") { folder in
                let taken = try [ListeningPort(), ListeningPort(), ListeningPort()]
                let server = try ServerUnderTest(folder)
                var environment = server.environment
                environment["TSS__OTLP__HTTP_PORT"] = "\(taken[0].port)"
                environment["TSS__OBSERVABILITY__HEALTH_PORT"] = "\(taken[1].port)"
                environment["TSS__OBSERVABILITY__METRICS_PORT"] = "\(taken[2].port)"
                let outcome = try Program.run(Program.path, ["serve"], environment: environment, folder: folder)
                #expect(outcome.status == .exited(code: 1))
                let line = try #require(
                    outcome.errors.split(separator: "\n").last { $0.hasPrefix("tss serve: ") }, "\(outcome.errors)")
                for port in taken { #expect(line.contains("port \(port.port) is taken (pid \(getpid()) ")) }
                for remedy in ["TSS__OTLP__HTTP_PORT", "otlp.enabled: false", "HEALTH_PORT", "METRICS_PORT"] {
                    #expect(line.contains(remedy))
                }
                withExtendedLifetime(taken) {}
            }
        }

        @Test func `says every ten seconds what came in, was decided and went out`() throws {
            try TestFolder.with("lines") { folder in
                let server = try ServerUnderTest(folder)
                try server.startAndWait()
                let traces = Traces(seed: .random(in: 0 ... .max))
                for kind in [GeneratedTrace.Kind.error, .slow, .ok, .ok] {
                    #expect(try server.export(traces.next(kind).requestBytes).status == 200)
                }
                let wanted = [
                    #/first span received over otlp; traces are decided 1 s after .* \(root seen\), 2 s otherwise/#,
                    #/ingested 20 spans of 4 traces \(kafka 0, otlp 20\) spans=20 traces=4 kafka=0 otlp=20/#,
                    #/evaluated 4 traces: 2 sampled \(error 1, latency 1\), 2 dropped \(not_sampled 2\)/#,
                    #/exported 10 spans of 2 traces to iceberg, snapshot \d+/#,
                ]
                let isSaid = waitUntil(.seconds(40)) {
                    let log = server.log
                    return wanted.allSatisfy { log.contains($0) }
                }
                #expect(isSaid, "\(server.log)")
                #expect(try server.stop() == .exited(code: 0))
            }
        }

        @Test func `every line is an object when logging is JSON`() throws {
            try TestFolder.with("json") { folder in
                let server = try ServerUnderTest(folder)
                let json = ["TSS__OBSERVABILITY__JSON_LOGGING": "true", "TSS__OBSERVABILITY__LOG_LEVEL": "debug"]
                try server.startAndWait(json)
                let trace = Traces(seed: .random(in: 0 ... .max)).next(.error)
                #expect(try server.export(trace.requestBytes).status == 200)
                _ = try server.waitForDecision(trace.traceID)
                #expect(try server.stop() == .exited(code: 0))
                let lines = server.log.split(separator: "\n")
                #expect(lines.count > 10)
                for line in lines {
                    let object = try JSONValue(parsing: Array(line.utf8)).object
                    for key in ["timestamp", "level", "target", "message"] { #expect(object?[key]?.text != nil) }
                }
                #expect(lines.contains { $0.contains("\(trace.traceID) sampled by") })
            }
        }
    }
}
