import Foundation
import Iceberg
import IcebergSink
import Testing
import TraceGenerator
import TraceModel

/// The same table, read by three programs that are not ours, value by value.
@Suite(.serialized) struct RowsInReadersTests {
    private static let decidedAtMilliseconds: Int64 = 1_780_000_300_000

    /// Chosen and random spans, in an empty snapshot, one with rows, an empty one, another with rows.
    private func table(seed: UInt64) throws -> (table: SampleTable, expected: String) {
        let service = GeneratedAttribute("service.name", "checkout")
        let requests = [
            GeneratedRequest(
                resource: [service] + SampleSpans.attributes, scopeName: "my scope", scopeVersion: "1.2.3",
                spans: SampleSpans.chosen),
            GeneratedRequest(
                resource: [GeneratedAttribute("host.name", "a")], scopeName: "", scopeVersion: "",
                spans: SampleSpans.random(count: 300, seed: seed)),
            GeneratedRequest(
                resource: [service], scopeName: "my scope", scopeVersion: "",
                spans: SampleSpans.alike(count: 200, seed: seed)),
        ]
        let origins = requests.enumerated().map { offset, request in
            ExpectedRows.Origin(
                request: request, offset: offset,
                serviceName: offset != 1 ? "checkout" : SpanTable.unknownService,
                decidedAtMilliseconds: Self.decidedAtMilliseconds)
        }
        let traces = try Sampled.traces(
            requests.map { $0.encoded() },
            decision: Decision(verdict: .sampled, reason: .latency, policy: "slow", adjustedCount: 2.5),
            decidedAtMilliseconds: Self.decidedAtMilliseconds)
        let source = SourceID(topic: "otlp:readers", generation: 3)
        let table = try SampleTable()
        let half = traces.count / 2
        try table.append([], source: source)
        try table.append(Array(traces[..<half]), source: source)
        try table.append([], source: source)
        try table.append(Array(traces[half...]), source: source)
        let expected = table.folder + "/expected.json"
        try ExpectedRows.json(origins).write(to: URL(filePath: expected))
        return (table, expected)
    }

    @Test(arguments: ["pyiceberg", "duckdb", "datafusion"])
    func `a reader finds every value with the type it was sent with`(reader: String) throws {
        let seed: UInt64 = 20_261_124
        print("seed \(seed)")
        let (table, expected) = try table(seed: seed)
        let outcome = try PythonReader.run(
            "check_rows.py", environment: reader == "datafusion" ? "query" : "test",
            [reader, table.metadataPath, expected]
                + table.dataFiles.map { String($0.path.dropFirst("file://".count)) },
            folder: table.folder)
        #expect(outcome.isSuccess, Comment(rawValue: outcome.text))
        #expect(outcome.text.contains("504 rows"))
    }

    @Test func `the comparison finds a value that differs`() throws {
        let (table, expected) = try table(seed: 7)
        let text = try String(contentsOf: URL(filePath: expected), encoding: .utf8)
        let changed = text.replacingOccurrences(of: "\"int\":[\"int\",\"5\"]", with: "\"int\":[\"double\",\"5\"]")
        #expect(changed != text)
        try changed.write(to: URL(filePath: expected), atomically: true, encoding: .utf8)
        let outcome = try PythonReader.run(
            "check_rows.py", environment: "test", ["pyiceberg", table.metadataPath, expected], folder: table.folder)
        #expect(!outcome.isSuccess)
        #expect(outcome.text.contains("differences"))
    }
}
