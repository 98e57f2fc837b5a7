import Foundation
import JSON
import Workers

/// Runs the scripts of `Python` with the test environment that the set-up makes.
enum Python {
    /// - Throws: When it did not exit with 0, with what it wrote.
    static func run(
        _ script: String, _ arguments: [String], folder: TestFolder, limit: Duration = .seconds(120)
    ) throws -> String {
        let python = Program.checkout + ".venv/test/bin/python"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw Failure("no test environment at \(python): run scripts/setup --tests")
        }
        let path = Program.checkout + "Tests/ProcessTests/Python/" + script
        let outcome = try Program.run(
            python, [path] + arguments, environment: ["PYICEBERG_HOME": folder.path], folder: folder, limit: limit)
        guard outcome.status == .exited(code: 0) else {
            throw Failure(
                "\(script) ended with \(outcome.status): \(outcome.errors.suffix(3000))\(outcome.output.suffix(2000))")
        }
        return outcome.output
    }
}

/// The table as pyiceberg reads it: not our own reader, for accounting.
struct TableReader {
    var rows: [JSONValue] = []
    var snapshotCount = 0

    init() {}

    /// Reads the embedded table below a data folder.
    ///
    /// - Parameter columns: None means all.
    init(dataFolder: String, columns: [String] = [], folder: TestFolder) throws {
        let text = try Python.run(
            "read_table.py", ["\(dataFolder)/catalog.db", "\(dataFolder)/warehouse", "default.spans"] + columns,
            folder: folder)
        for line in text.split(separator: "\n") { rows.append(try JSONValue(parsing: Array(line.utf8))) }
        guard let last = rows.popLast(), last["rows"]?.int64 == Int64(rows.count),
            let snapshots = last["snapshots"]?.int64
        else { throw Failure("read_table.py did not end with its closing line") }
        snapshotCount = Int(snapshots)
    }
}
