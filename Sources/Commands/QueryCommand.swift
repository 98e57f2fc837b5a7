internal import Arguments
internal import Glibc
internal import Iceberg
internal import IcebergCatalogs
internal import JSON
internal import QueryEngine
internal import Settings
internal import Telemetry
internal import Threads
internal import Workers

/// `tss query`: SQL over the table, with a worker of its own; no server has to run.
enum QueryCommand {
    static let declaration = Command(
        "query", "Run SQL over the table of kept spans",
        details: """
            The table is `spans`, and also `<namespace>.<table_name>`. Only reading is allowed. Needs no running \
            server: it reads the catalog that the settings name.
            """,
        options: CommandSettings.options + [
            Option("format", .choice(["table", "json", "csv", "arrow"]), default: "table", "How to print the answer"),
            Option("max-rows", .integer(1...10_000_000), "Rows at most (default: query.max_rows)"),
            Option("data-dir", .folder, "The server's data folder (default: app.data_dir)"),
        ],
        operands: [Operand("SQL", .text, "The statement")])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        var flags: [String: String] = [:]
        if let folder = arguments.text("data-dir") {
            flags["app.data_dir"] = ProcessEnvironment.absolute(folder)
        }
        guard let loaded = CommandSettings.load(arguments, flags: flags) else { return CommandSettings.exitCode }
        let form = arguments.text("format") ?? "table"
        var request = QueryRequest(
            sql: arguments.operand("SQL")[0], format: QueryRequest.Format(rawValue: form) ?? .json)
        request.maxRows = arguments.integer("max-rows")
        do {
            let result = try answer(request, settings: loaded.settings)
            write(result, form: form)
            return 0
        } catch let error as QueryError {
            Terminal.error("tss query: \(error.message)")
        } catch {
            Terminal.error("tss query: \(error)")
        }
        return 1
    }

    private static func answer(_ request: QueryRequest, settings: Settings) throws -> QueryAnswer {
        guard access(settings.storage.iceberg.catalogDatabase, F_OK) == 0 else {
            throw QueryError(
                .unavailable,
                "no catalog at \(settings.storage.iceberg.catalogDatabase): "
                    + "start `tss serve` first, or name the data folder with --data-dir")
        }
        let table = try EmbeddedTable(settings)
        let launcher = try ProcessLauncher()
        defer { launcher.stop() }
        var options = QueryOptions(spillFolder: "\(settings.app.dataFolder)/query-\(getpid())")
        options.workerCount = 1
        options.timeout = settings.query.timeout
        options.memoryBytes = settings.query.memoryBytes
        options.maxRows = request.maxRows ?? settings.query.maximumRows
        let engine = QueryEngine(
            options: options, table: table, files: table.files, launcher: launcher, logger: .none)
        try engine.start()
        defer {
            engine.stop()
            ScratchFolder(path: options.spillFolder).remove()
        }
        return try engine.run(request)
    }

    private static func write(_ result: QueryAnswer, form: String) {
        switch form {
        case "table":
            print(AnswerTable(result).text, terminator: "")
        case "json":
            print("[\(String(decoding: result.body, as: UTF8.self))]")
        default:
            writeAll(result.body)
        }
        let files = "\(result.scannedFileCount) of \(result.fileCount) files"
        let cut = result.isTruncated ? ", more were left out: --max-rows" : ""
        Terminal.error("\(result.rowCount) rows, \(files), \(result.elapsedMilliseconds) ms\(cut)")
    }

    private static func writeAll(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var at = 0
            while at < buffer.count {
                let count = Glibc.write(1, buffer.baseAddress! + at, buffer.count - at)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                at += count
            }
        }
    }
}

/// Rows as aligned columns for a terminal.
struct AnswerTable {
    /// Longer values are cut, with an ellipsis.
    static let widthLimit = 60

    let text: String

    init(_ result: QueryAnswer) {
        let names = result.columns.map(\.name)
        let rows = (try? JSONValue(parsing: Array("[".utf8) + result.body + Array("]".utf8)))?.array ?? []
        let cells = [names] + rows.map { row in names.map { Self.cell(row[$0] ?? .null) } }
        let widths = names.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        var lines = cells.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }
        lines.insert(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "), at: 1)
        text = lines.map { $0 + "\n" }.joined()
    }

    private static func cell(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): line(text)
        default: line((try? value.serialized()) ?? "")
        }
    }

    /// A text as it fits into a line.
    static func line(_ text: String) -> String {
        let text = text.map { $0.isNewline || $0 == "\t" ? " " : String($0) }.joined()
        return text.count <= widthLimit ? text : text.prefix(widthLimit - 1) + "…"
    }
}
