import Foundation
import JSON
import Testing
import Workers

/// `tss evaluate` as people run it: files in, lines out, exit codes.
extension WholeProgram {
    @Suite struct EvaluateTests {
        private static let policies = """
            processors:
              tail_sampling/first:
                decision_wait: 10s
                policies:
                  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
                  - {name: few, type: rate_limiting, rate_limiting: {spans_per_second: 1}}
            """

        private static func line(_ number: Int, code: Int, at milliseconds: Int? = nil) -> String {
            let id = String(repeating: "0", count: 31) + "\(number)"
            let trace =
                #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"\#(id)","spanId":"00000000000000a\#(number)","#
                + #""name":"POST /orders","status":{"code":\#(code)}}]}]}]}"#
            return milliseconds.map { #"{"at_ms":\#($0),"trace":\#(trace)}"# } ?? trace
        }

        private static func answer(_ number: Int, _ decision: String, _ policy: String, _ votes: String) -> String {
            let id = String(repeating: "0", count: 31) + "\(number)"
            let reason = decision == "sampled" ? "policy" : "not_sampled"
            return
                #"{"trace_id":"\#(id)","decision":"\#(decision)","policy":\#(policy),"reason":"\#(reason)","#
                + #""per_policy":{\#(votes)}}"#
        }

        private func run(
            _ arguments: [String], policies: String, lines: [String]
        ) throws -> Program.Outcome {
            var outcome: Program.Outcome?
            try TestFolder.with("evaluate") { folder in
                let files = (folder.path + "/policies.yaml", folder.path + "/lines.json")
                try Data(policies.utf8).write(to: URL(filePath: files.0))
                try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: files.1))
                outcome = try Program.run(
                    Program.path, ["evaluate", "--policies", files.0] + arguments + [files.1], folder: folder)
            }
            return try #require(outcome)
        }

        @Test func `JSON lines only on standard output, in the order of the input`() throws {
            let outcome = try run(
                ["--json"], policies: Self.policies,
                lines: [
                    Self.line(1, code: 2, at: 0), Self.line(2, code: 0), Self.line(3, code: 0), "", "nonsense",
                    Self.line(4, code: 0, at: 1000), Self.line(3, code: 2),
                ])
            #expect(outcome.status == .exited(code: 0))
            let lines = outcome.output.split(separator: "\n").map(String.init)
            let expected = [
                Self.answer(1, "sampled", #""errors""#, #""errors":"sampled","few":"sampled""#),
                Self.answer(2, "sampled", #""few""#, #""errors":"not_sampled","few":"sampled""#),
                Self.answer(3, "not_sampled", "null", #""errors":"not_sampled","few":"not_sampled""#),
                #"{"line":5,"error":"1:1: expected an object"}"#,
                Self.answer(4, "sampled", #""few""#, #""errors":"not_sampled","few":"sampled""#),
                Self.answer(3, "not_sampled", "null", #""errors":"not_sampled","few":"not_sampled""#),
            ]
            #expect(lines == expected)
            #expect(outcome.errors.contains("line 5: 1:1: expected an object"))
        }

        @Test func `a table for people names the span and the value`() throws {
            let outcome = try run([], policies: Self.policies, lines: [Self.line(1, code: 2)])
            #expect(outcome.status == .exited(code: 0))
            #expect(outcome.output.contains("sampled      sampled by errors: span \"POST /orders\" status ERROR\n"))
            #expect(outcome.errors.contains("1 sampled, 0 not sampled, 0 dropped"))
        }

        @Test(arguments: [
            ("policies: [{name: a, type: ottl_condition}]", "ottl_condition"),
            ("policies: [{name: a, type: latencyy}]", "latency"), ("policies: 5", "policies"), ("", "empty"),
            ("policies: [{name: a, type: always_sample}, {name: a, type: always_sample}]", "taken already"),
        ])
        func `policies that cannot be used are exit 2, with every reason`(policies: String, words: String) throws {
            let outcome = try run(["--json"], policies: policies, lines: [Self.line(1, code: 2)])
            #expect(outcome.status == .exited(code: 2))
            #expect(outcome.output == "")
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }

        @Test func `a file that is not there is exit 2 before any answer`() throws {
            let outcome = try run(["--json", "/nowhere/lines.json"], policies: Self.policies, lines: [])
            #expect(outcome.status == .exited(code: 2))
            #expect(outcome.output == "" && outcome.errors.contains("/nowhere/lines.json"))
        }

        @Test func `ten thousand traces are quick`() throws {
            let lines = (0..<10_000).map { number -> String in
                let id = String(repeating: "0", count: 24) + String(10_000_000 + number)
                return Self.line(1, code: number % 7 == 0 ? 2 : 0).replacing(
                    String(repeating: "0", count: 31) + "1", with: id)
            }
            let clock = ContinuousClock()
            var outcome: Program.Outcome?
            let elapsed = try clock.measure { outcome = try run(["--json"], policies: Self.policies, lines: lines) }
            let output = try #require(outcome).output
            #expect(output.split(separator: "\n").count == 10_000)
            #expect(output.split(separator: "\n").filter { $0.contains("\"errors\":\"sampled\"") }.count == 1429)
            // A debug build on a busy machine takes most of it.
            #expect(elapsed < .seconds(30))
        }
    }
}
