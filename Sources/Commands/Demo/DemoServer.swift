internal import Glibc
internal import HTTPClient
internal import JSON
internal import Threads
internal import Workers

/// The server that the demo starts: a child of ours, set up by its environment, spoken to through its ports.
final class DemoServer {
    /// From the start until it takes spans: replay of nothing, a new table, the first query worker beside it.
    static let startLimit: Duration = .seconds(60)
    static let stopLimit: Duration = .seconds(40)

    let folder: String
    let logPath: String
    let otlpURL: String
    let adminURL: String
    let metricsURL: String
    private let child: ChildProcess
    private let client: HTTPClient

    /// Starts `tss serve --dev` of this very program.
    ///
    /// - Parameter outlivesUs: Whether it goes on when we end.
    init(folder: String, launcher: ProcessLauncher, outlivesUs: Bool) throws(DemoFailure) {
        self.folder = folder
        logPath = "\(folder)/serve.log"
        let ports = try FreePorts.find(count: 3)
        otlpURL = "http://127.0.0.1:\(ports[0])"
        adminURL = "http://127.0.0.1:\(ports[1])"
        metricsURL = "http://127.0.0.1:\(ports[2])"
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else {
            throw DemoFailure(message: "cannot write \(logPath): \(String(cString: strerror(errno)))")
        }
        defer { close(log) }
        guard let program = ProgramPath.absolute else { throw DemoFailure(message: "cannot find this program's file") }
        var command = ChildCommand(path: program)
        command.arguments = ["serve", "--dev"]
        // Settings of the caller's environment count: switch a policy off and the demo shows it.
        command.environment = ProcessEnvironment.variables
        command.environment["TSS__APP__DATA_DIR"] = folder
        command.environment["TSS__OTLP__HTTP_PORT"] = "\(ports[0])"
        command.environment["TSS__OBSERVABILITY__HEALTH_PORT"] = "\(ports[1])"
        command.environment["TSS__OBSERVABILITY__METRICS_PORT"] = "\(ports[2])"
        command.standardOutput = log
        command.standardError = log
        command.endsWithUs = !outlivesUs
        do throws(WorkerError) {
            child = try launcher.launch(command)
        } catch {
            throw DemoFailure(message: error.message)
        }
        do throws(HTTPError) {
            client = try HTTPClient()
        } catch {
            child.kill()
            throw DemoFailure(message: error.message)
        }
    }

    var processID: Int32 { child.processID }

    /// Waits until the server takes spans.
    func waitUntilReady() throws(DemoFailure) {
        _ = try wait(for: "the server to be ready", atMost: Self.startLimit) { () throws(DemoFailure) in
            (try? get(adminURL + "/health/ready"))?.status == 200 ? true : nil
        }
    }

    /// Asks until there is something, every 50 ms.
    func wait<Found>(
        for what: String, atMost limit: Duration, _ look: () throws(DemoFailure) -> Found?
    ) throws(DemoFailure) -> Found {
        let deadline = MonotonicInstant.now + limit
        while true {
            if let found = try look() { return found }
            if let status = child.wait(milliseconds: 0) {
                throw DemoFailure(message: "the server has ended (\(status)) while we waited for \(what)")
            }
            guard .now < deadline else { throw DemoFailure(message: "waited \(limit) for \(what) in vain") }
            Wakeup().sleep(.milliseconds(50))
        }
    }

    func get(_ url: String) throws(DemoFailure) -> ClientResponse {
        try send(ClientRequest("GET", url))
    }

    /// Posts JSON and reads JSON.
    func post(_ url: String, _ body: JSONValue) throws(DemoFailure) -> JSONValue {
        guard let bytes = try? body.bytes() else { throw DemoFailure(message: "cannot write the body for \(url)") }
        var request = ClientRequest("POST", url, headers: [("Content-Type", "application/json")], body: bytes)
        request.deadline = .seconds(40)
        let response = try send(request)
        return try json(response, from: url)
    }

    /// The answer's body as JSON; an answer that is no success is a failure with the server's own words.
    func json(_ response: ClientResponse, from url: String) throws(DemoFailure) -> JSONValue {
        guard let value = try? JSONValue(parsing: response.body) else {
            throw DemoFailure(message: "\(url) answered \(response.status) without JSON")
        }
        guard (200..<300).contains(response.status) else {
            throw DemoFailure(message: "\(url) answered \(response.status): \(value["error"]?.text ?? "no message")")
        }
        return value
    }

    /// The value of one series of the metrics page; 0 when it is not there.
    func metric(_ series: String) throws(DemoFailure) -> Double {
        let page = String(decoding: try get(metricsURL + "/metrics").body, as: UTF8.self)
        for line in page.split(separator: "\n") where line.hasPrefix(series + " ") {
            return Double(line.dropFirst(series.count + 1)) ?? 0
        }
        return 0
    }

    /// Asks the server to stop and waits for its end.
    func stop() throws(DemoFailure) -> ExitStatus {
        child.signal(SIGTERM)
        guard let status = child.wait(milliseconds: Int(Self.stopLimit.wholeMilliseconds)) else {
            child.kill()
            throw DemoFailure(message: "the server did not stop within \(Self.stopLimit) and was killed")
        }
        return status
    }

    private func send(_ request: ClientRequest) throws(DemoFailure) -> ClientResponse {
        do throws(HTTPError) {
            return try client.send(request)
        } catch {
            throw DemoFailure(message: error.message)
        }
    }
}

/// Ports of the loopback that nobody has at the moment.
enum FreePorts {
    static func find(count: Int) throws(DemoFailure) -> [UInt16] {
        var sockets: [Int32] = []
        // All stay open until the last is found: no port is found twice.
        defer { sockets.forEach { close($0) } }
        var ports: [UInt16] = []
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            sockets.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
                }
            }
            guard result else { throw DemoFailure(message: "no free port: \(String(cString: strerror(errno)))") }
            ports.append(UInt16(bigEndian: address.sin_port))
        }
        return ports
    }
}
