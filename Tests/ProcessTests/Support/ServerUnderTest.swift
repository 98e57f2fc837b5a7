import Foundation
import Glibc
import HTTPClient
import JSON
import Testing
import Threads
import TraceModel
import Workers

/// A running `tss serve`: a child with a data folder of its own on free ports, spoken to through its ports only.
final class ServerUnderTest: Sendable {
    /// From the start until it takes spans; half a second here, a loaded machine takes longer.
    static let startLimit: Duration = .seconds(60)
    static let stopLimit: Duration = .seconds(40)
    /// Waits short enough for a test, long enough that a trace is not cut in two by a busy machine.
    static let shortWaits = [
        "TSS__APP__INACTIVITY_TIMEOUT_SECS": "2",
        "TSS__APP__ROOT_INACTIVITY_TIMEOUT_SECS": "1",
        "TSS__STORAGE__ICEBERG__COMMIT_INTERVAL_SECS": "0.5",
        "TSS__QUERY__WORKERS": "1",
    ]

    let folder: TestFolder
    let dataFolder: String
    let logPath: String
    let ports: [UInt16]
    private let settings: [String: String]
    private let child = Lock<ChildProcess?>(nil)

    static let client: Result<HTTPClient, any Error> = Result { try HTTPClient() }

    /// - Parameter settings: Environment beside data folder and ports; nothing is started yet.
    init(_ folder: TestFolder, _ settings: [String: String] = shortWaits, dataFolder: String? = nil) throws {
        self.folder = folder
        self.dataFolder = dataFolder ?? folder.file("data")
        self.settings = settings
        logPath = folder.file("serve.log")
        ports = try FreePorts.find(3)
    }

    /// Whatever happens, no server outlives its test.
    deinit { child.withLock { $0 }?.kill() }

    var environment: [String: String] {
        [
            "TSS__APP__DATA_DIR": dataFolder, "TSS__OTLP__HTTP_PORT": "\(ports[0])",
            "TSS__OBSERVABILITY__HEALTH_PORT": "\(ports[1])", "TSS__OBSERVABILITY__METRICS_PORT": "\(ports[2])",
        ].merging(settings) { $1 }
    }

    var otlpURL: String { "http://127.0.0.1:\(ports[0])" }
    var adminURL: String { "http://127.0.0.1:\(ports[1])" }
    var metricsURL: String { "http://127.0.0.1:\(ports[2])" }
    var processID: Int32? { child.withLock { $0?.processID } }
    var log: String { (try? Program.text(logPath)) ?? "" }

    // MARK: Life

    /// Starts it; its log goes on in the same file over all starts.
    func start(_ extra: [String: String] = [:], arguments: [String] = ["serve"]) throws {
        let log = try Program.newFile(logPath)
        defer { close(log) }
        var command = ChildCommand(path: Program.path)
        command.arguments = arguments
        command.environment = Program.environment.merging(environment) { $1 }.merging(extra) { $1 }
        command.folder = folder.path
        command.standardOutput = log
        command.standardError = log
        let started = try Program.launcher.get().launch(command)
        child.withLock { $0 = started }
    }

    func startAndWait(_ extra: [String: String] = [:], arguments: [String] = ["serve"]) throws {
        try start(extra, arguments: arguments)
        try waitReady()
    }

    func waitReady() throws {
        let isReady = try waitUntil(Self.startLimit) {
            if let status = ended(within: .zero) {
                throw Failure("the server ended while it started (\(status)): \(log.suffix(2000))")
            }
            return (try? get(adminURL + "/health/ready"))?.status == 200
        }
        guard isReady else { throw Failure("not ready within \(Self.startLimit): \(log.suffix(2000))") }
    }

    /// How the process ended; nil when it still runs after `limit`.
    func ended(within limit: Duration) -> Workers.ExitStatus? {
        child.withLock { $0 }?.wait(milliseconds: Int(limit / .milliseconds(1)))
    }

    /// SIGTERM, and how it ended.
    func stop() throws -> Workers.ExitStatus {
        child.withLock { $0 }?.signal(SIGTERM)
        guard let status = ended(within: Self.stopLimit) else {
            kill()
            throw Failure("the server did not stop within \(Self.stopLimit)")
        }
        return status
    }

    /// SIGKILL: no clean-up at all.
    func kill() {
        child.withLock { $0 }?.kill()
    }

    // MARK: Calls

    func get(_ url: String, headers: [(name: String, value: String)] = []) throws -> ClientResponse {
        var request = ClientRequest("GET", url, headers: headers)
        request.deadline = .seconds(10)
        return try Self.client.get().send(request)
    }

    /// Sends one export request.
    func export(
        _ body: [UInt8], headers: [(name: String, value: String)] = [("Content-Type", "application/x-protobuf")]
    ) throws -> ClientResponse {
        var request = ClientRequest("POST", otlpURL + "/v1/traces", headers: headers, body: body)
        request.deadline = .seconds(20)
        return try Self.client.get().send(request)
    }

    func json(_ path: String) throws -> JSONValue {
        try JSONValue(parsing: try get(adminURL + path).body)
    }

    /// One statement to the admin port.
    func query(
        _ sql: String, _ parameters: String = "", headers: [(name: String, value: String)] = []
    ) throws -> ClientResponse {
        let body = try JSONValue.object(["sql": .string(sql)]).bytes()
        var request = ClientRequest(
            "POST", adminURL + "/admin/query" + parameters,
            headers: [("Content-Type", "application/json")] + headers, body: body)
        request.deadline = .seconds(60)
        return try Self.client.get().send(request)
    }

    /// The rows of an answer that must be one.
    func rows(_ sql: String) throws -> [JSONValue] {
        let response = try query(sql)
        guard response.status == 200, let rows = try JSONValue(parsing: response.body)["data"]?["rows"]?.array else {
            throw Failure("\(sql): \(response.status) \(String(decoding: response.body, as: UTF8.self))")
        }
        return rows
    }

    /// The decision about a trace; nil while there is none.
    func decision(_ traceID: TraceID) throws -> JSONValue? {
        let response = try get(adminURL + "/admin/decisions/\(traceID)")
        return response.status == 200 ? try JSONValue(parsing: response.body)["data"] : nil
    }

    func waitForDecision(_ traceID: TraceID, _ limit: Duration = .seconds(30)) throws -> JSONValue {
        var found: JSONValue?
        _ = try waitUntil(limit) {
            found = try decision(traceID)
            return found != nil
        }
        return try #require(found, "no decision about \(traceID) within \(limit)")
    }

    /// The value of a series; nil when it is not on the page.
    func metric(_ series: String) throws -> Double? {
        MetricsPage(try metricsPage())[series]
    }

    func metricsPage() throws -> String {
        String(decoding: try get(metricsURL + "/metrics").body, as: UTF8.self)
    }

    /// Waits until nothing is undecided and nothing decided is uncommitted.
    ///
    /// What was sent last must be decided: the log is read in order, so all before it has been read then.
    func waitUntilSettled(after last: TraceID, _ limit: Duration = .seconds(60)) throws {
        _ = try waitForDecision(last, limit)
        let isSettled = try waitUntil(limit) {
            let buffer = try json("/health")["buffer"]
            return buffer?["traces"]?.int64 == 0 && buffer?["kept_traces_waiting"]?.int64 == 0
        }
        guard isSettled else { throw Failure("not settled within \(limit): \(try json("/health"))") }
    }
}

/// A page of Prometheus' text format.
struct MetricsPage {
    private var values: [String: Double] = [:]

    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
    }

    /// The name may leave out the program's prefix.
    subscript(series: String) -> Double? { values[series] ?? values["tail_sampling_" + series] }

    /// The sum over all series of a name.
    func sum(_ name: String) -> Double {
        values.filter { $0.key.hasPrefix("tail_sampling_\(name){") || $0.key == "tail_sampling_\(name)" }
            .reduce(0) { $0 + $1.value }
    }
}
