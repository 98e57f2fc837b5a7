import Testing
import Workers

extension WholeProgram {
    /// `tss demo`, and that it does not pass by itself.
    @Suite struct DemoTests {
        @Test func `every step passes`() throws {
            try TestFolder.with("demo") { folder in
                let outcome = try Program.run(
                    Program.path, ["demo"], environment: ["TMPDIR": folder.path], folder: folder, limit: .seconds(120))
                #expect(outcome.status == .exited(code: 0), "\(outcome.output)\(outcome.errors)")
                let lines = outcome.output.split(separator: "\n").map(String.init)
                let steps = [
                    "application starts", "A error trace kept", "B slow trace kept", "C normal trace dropped",
                    "D force rule", "metrics", "rows committed", "Parquet files", "table metadata", "SQL", "health",
                    "stops cleanly",
                ]
                for step in steps {
                    #expect(
                        lines.contains { $0.hasPrefix(step) && $0.contains(" pass  ") }, "\(step): \(outcome.output)")
                }
                #expect(lines.contains { $0.contains(" passed, 0 failed, ") })
                let rule = try #require(lines.first { $0.hasPrefix("D force rule") })
                #expect(rule.contains("demo-service: kept, traces_force_sampled_total 0 → 1"), "\(rule)")
                #expect(outcome.output.contains("sampled by always_sample_errors: span \""))
                #expect(outcome.output.contains("load_catalog") && outcome.output.contains("duckdb.sql"))
            }
        }

        @Test func `fails at its first trace when nothing keeps errors`() throws {
            try TestFolder.with("demo-fails") { folder in
                let outcome = try Program.run(
                    Program.path, ["demo"],
                    environment: ["TSS__SAMPLING__ALWAYS_SAMPLE_ERRORS": "false", "TMPDIR": folder.path],
                    folder: folder, limit: .seconds(180))
                #expect(outcome.status == .exited(code: 1))
                let lines = outcome.output.split(separator: "\n")
                let step = try #require(lines.first { $0.hasPrefix("A error trace kept") }, "\(outcome.output)")
                #expect(step.contains(" fail  ") && step.contains("expected sampled because of error"))
                #expect(lines.contains { $0.hasPrefix("B slow trace kept") && $0.contains(" pass  ") })
            }
        }
    }
}
