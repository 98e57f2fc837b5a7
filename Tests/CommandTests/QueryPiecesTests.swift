import Glibc
import JSON
import Testing

@testable import Commands
@testable import QueryEngine

@Suite struct QueryPiecesTests {
    @Test func `a predicate of the worker is read with the type of its literal`() {
        func predicate(_ value: JSONValue) -> WorkerPredicate? { WorkerPredicate(value) }
        guard case .integer(5)? = predicate(["duration_ms", ">=", 5])?.literal else {
            Issue.record("a whole number is an integer")
            return
        }
        guard case .timestamp(7)? = predicate(["start_time", "<", ["microseconds": 7]])?.literal else {
            Issue.record("microseconds are a timestamp")
            return
        }
        #expect(predicate(["trace_id", "LIKE", "a%"]) == nil)
        #expect(predicate(["trace_id", "="]) == nil)
        #expect(predicate(["n", "=", nil]) == nil)
    }

    @Test func `the interpreter is looked for beside the program and above it, never elsewhere`() {
        var template = Array("/tmp/tss-python-XXXXXX".utf8CString)
        mkdtemp(&template)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for part in ["/.venv", "/.venv/query", "/.venv/query/bin"] { mkdir(folder + part, 0o700) }
        let python = folder + "/.venv/query/bin/python"
        symlink("/bin/sh", python)
        #expect(PythonEnvironment.find(configured: nil, programPath: folder + "/.build/debug/tss") == python)
        #expect(PythonEnvironment.find(configured: nil, programPath: "/usr/bin/tss") == nil)
        #expect(PythonEnvironment.find(configured: "/nonexistent", programPath: folder + "/tss") == nil)
        #expect(PythonEnvironment.find(configured: "/bin/sh", programPath: nil) == "/bin/sh")
        for part in ["/.venv/query/bin/python", "/.venv/query/bin", "/.venv/query", "/.venv", ""] {
            remove(folder + part)
        }
    }

    @Test func `an answer is shown as aligned columns`() {
        let answer = QueryAnswer(
            columns: [QueryColumn(name: "id", type: "string"), QueryColumn(name: "n", type: "int64")],
            body: Array("{\"id\": \"a\\nb\", \"n\": 12345}, {\"id\": null, \"n\": 1}".utf8), rowCount: 2,
            isTruncated: false, elapsedMilliseconds: 1, fileCount: 1, scannedFileCount: 1)
        #expect(AnswerTable(answer).text == "id   n    \n---  -----\na b  12345\n     1    \n")
    }
}
