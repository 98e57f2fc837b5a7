internal import Arguments
internal import Glibc
internal import Threads
internal import Workers

/// `tss demo`: starts the built server as its user would, sends it traces, and shows what became of them.
enum DemoCommand {
    static let declaration = Command(
        "demo", "Start a server, send it traces, and show what it kept and why",
        details: """
            Everything goes through the server's ports; it is set up by its environment alone, on free ports and in a \
            folder of its own. The exit code is 0 when every step passed.
            """,
        options: [
            Option("keep", .flag, "Leave the server running at the end, and show its addresses"),
            Option("data", .folder, "Folder for the server's data (default: a new one below /tmp)"),
        ])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        do throws(DemoFailure) {
            let folder = try makeFolder(arguments.text("data"))
            let launcher = try makeLauncher()
            let server = try DemoServer(folder: folder, launcher: launcher, outlivesUs: arguments.flag("keep"))
            var report = DemoReport()
            print("tss serve   pid \(server.processID), OTLP \(server.otlpURL), data \(folder)")
            DemoScenario(server: server).run(&report)
            if arguments.flag("keep") {
                printAddresses(of: server)
            } else {
                DemoScenario(server: server).stop(&report)
            }
            report.finish(next: arguments.flag("keep") ? nil : "tss demo --keep")
            printReaders(of: folder)
            if report.failedCount > 0 { printLog(of: server) }
            launcher.stop()
            return report.failedCount == 0 ? 0 : 1
        } catch {
            Terminal.error("tss demo: \(error.message)")
            return 1
        }
    }

    private static func makeFolder(_ given: String?) throws(DemoFailure) -> String {
        if let given {
            let path = ProcessEnvironment.absolute(given)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
                throw DemoFailure(message: "cannot make \(path): \(String(cString: strerror(errno)))")
            }
            return path
        }
        var template = Array("/tmp/tss-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DemoFailure(message: "cannot make a folder below /tmp: \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func makeLauncher() throws(DemoFailure) -> ProcessLauncher {
        do throws(ThreadError) {
            return try ProcessLauncher()
        } catch {
            throw DemoFailure(message: error.message)
        }
    }

    private static func printAddresses(of server: DemoServer) {
        print(
            """

            The server goes on (kill \(server.processID) ends it):
              traces to   \(server.otlpURL)/v1/traces
              health      \(server.adminURL)/health
              decisions   \(server.adminURL)/admin/decisions
              metrics     \(server.metricsURL)/metrics
              log         \(server.logPath)
            """)
    }

    /// Two lines that read the table with other programs.
    private static func printReaders(of folder: String) {
        print(
            """

            The table is Apache Iceberg; others read it too (pip install 'pyiceberg[sql-sqlite,pyarrow]' duckdb):
              python -c "from pyiceberg.catalog import load_catalog as c; print(c('default', type='sql', \
            uri='sqlite:///\(folder)/catalog.db', warehouse='file://\(folder)/warehouse')\
            .load_table('default.spans').scan().to_arrow().select(['trace_id', 'operation_name', 'decision_reason']))"
              python -c "import duckdb; duckdb.sql(\\"SELECT trace_id, operation_name, decision_reason FROM \
            '\(folder)/warehouse/**/*.parquet'\\").show()"
            """)
    }

    private static func printLog(of server: DemoServer) {
        let text = (try? ProcessEnvironment.readText(server.logPath, limitBytes: 16 << 20)) ?? ""
        print("\nLast lines of the server's log, \(server.logPath):")
        for line in text.split(separator: "\n").suffix(20) { print("  \(line)") }
    }
}

/// Why the demo cannot go on.
struct DemoFailure: Error {
    /// One line: what failed and what to do.
    var message: String
}
