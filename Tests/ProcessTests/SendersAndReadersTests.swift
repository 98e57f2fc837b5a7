import Foundation
import HTTPClient
import JSON
import Testing
import TraceModel
import Workers

extension WholeProgram {
    /// Real senders in front, real readers behind, and every value compared.
    @Suite struct SendersAndReadersTests {
        private static func check(
            _ reader: String, _ place: [String], sent: String, folder: TestFolder
        ) throws {
            let output = try Python.run("check_sent.py", [sent, reader] + place, folder: folder)
            print(output, terminator: "")
            #expect(output.contains(" 0 differences"))
        }

        @Test func `what the OpenTelemetry SDK sends every reader reads, value by value`() throws {
            try TestFolder.with("readers") { folder in
                let server = try ServerUnderTest(folder)
                try server.startAndWait()
                let sent = folder.file("sent.jsonl")
                _ = try Python.run("send_traces.py", [server.otlpURL, sent], folder: folder)
                let last = try #require(try Program.text(sent).split(separator: "\n").last)
                let lastID = try #require(try JSONValue(parsing: Array(last.utf8))["trace_id"]?.text)
                try server.waitUntilSettled(after: try #require(TraceID(hexadecimal: lastID)))
                // DataFusion, by the server and by the command.
                let answer = try server.query(
                    "SELECT * FROM spans", headers: [("Accept", "application/vnd.apache.arrow.stream")])
                try #require(answer.status == 200)
                try Data(answer.body).write(to: URL(filePath: folder.file("server.arrow")))
                try Self.check("arrow", [folder.file("server.arrow")], sent: sent, folder: folder)
                try Self.checkSQL(server)
                try #require(try server.stop() == .exited(code: 0))
                // Its takeover leaves an empty snapshot as the current one.
                try server.startAndWait()
                try #require(try server.stop() == .exited(code: 0))
                let command = "exec \"$0\" query --data-dir \"$1\" --format arrow 'SELECT * FROM spans' > \"$2\""
                let outcome = try Program.run(
                    "/bin/sh", ["-c", command, Program.path, server.dataFolder, folder.file("command.arrow")],
                    folder: folder)
                try #require(outcome.status == .exited(code: 0), "\(outcome.errors)")
                try Self.check("arrow", [folder.file("command.arrow")], sent: sent, folder: folder)
                let table = ["\(server.dataFolder)/catalog.db", "\(server.dataFolder)/warehouse", "default.spans"]
                for reader in ["pyiceberg", "duckdb"] {
                    try Self.check(reader, table, sent: sent, folder: folder)
                }
            }
        }

        /// The same values as JSON rows.
        private static func checkSQL(_ server: ServerUnderTest) throws {
            let row = try #require(
                try server.rows(
                    """
                    SELECT attributes['whole']['int_value'] AS whole, attributes['real']['double_value'] AS real, \
                    attributes['flag']['bool_value'] AS flag, attributes['text']['string_value'] AS text, \
                    attributes['empty']['string_value'] AS empty, attributes['largest']['int_value'] AS largest, \
                    attributes['text']['int_value'] AS none FROM spans
                    WHERE trace_id = '5b8efff798038103d269b633813fc60c'
                    """
                ).first)
            #expect(row["whole"] == 5 && row["real"]?.double == 5 && row["flag"] == true && row["text"] == "5")
            #expect(row["empty"] == "" && row["largest"] == .integer(.max) && row["none"] == .null)
        }
    }
}
