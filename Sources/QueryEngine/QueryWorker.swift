internal import Glibc
internal import JSON
internal import Threads
internal import Workers

/// What the engine allows one statement.
public struct QueryOptions: Sendable {
    /// Processes kept ready; as many statements run at once.
    public var workerCount = 2
    /// From the request to the answer; then the process is killed.
    public var timeout: Duration = .seconds(30)
    /// What DataFusion may hold before it spills or refuses.
    public var memoryBytes = 1 << 30
    public var maxRows = 10_000
    /// An answer that is larger is refused: it is held whole before it is sent on.
    public var answerLimitBytes = 64 << 20
    /// Interpreter that has DataFusion; nil looks beside the program.
    public var pythonPath: String?
    /// Absolute folder for what statements spill.
    public var spillFolder: String

    public init(spillFolder: String) {
        self.spillFolder = spillFolder
    }
}

/// One worker process with its channel. Runs one statement at a time; killed and replaced when it does not come back.
final class QueryWorker: Sendable {
    /// A process needs 0.3 s to import its libraries on an idle machine; CI under load, several.
    static let startLimit: Duration = .seconds(30)
    /// Address space beside DataFusion's own budget: interpreter, libraries, thread stacks, allocator arenas.
    static let addressOverheadBytes: UInt64 = 4 << 30

    let slot: Int
    let process: ChildProcess
    let dataFusionVersion: String
    /// Only whoever took this worker out of the pool talks over it.
    private let channel: WorkerChannel
    private let scratch: ScratchFolder

    /// Starts a worker and waits until it has said that it is ready.
    init(slot: Int, python: String, options: QueryOptions, launcher: ProcessLauncher) throws(QueryError) {
        self.slot = slot
        scratch = ScratchFolder(path: "\(options.spillFolder)/worker-\(slot)")
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw QueryError(.unavailable, "no socket pair for a query worker: \(String(cString: strerror(errno)))")
        }
        let ours = WorkerChannel(descriptor: ends[0])
        defer { close(ends[1]) }
        do {
            try scratch.reset()
            var command = ChildCommand(path: python)
            command.arguments = [
                "-I", "-c", String(decoding: PackageResources.query_worker_py, as: UTF8.self),
                "\(options.memoryBytes)", scratch.path,
            ]
            // mimalloc, pyarrow's default pool, is fine; a bounded arena count keeps the address space small.
            command.environment = [
                "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2",
                "TMPDIR": scratch.path,
            ]
            command.folder = scratch.path
            command.standardError = 2
            command.channel = ends[1]
            command.addressLimitBytes = UInt64(options.memoryBytes) + Self.addressOverheadBytes
            process = try launcher.launch(command)
        } catch {
            throw QueryError(.unavailable, error.message)
        }
        close(ends[1])
        ends[1] = -1
        do {
            let deadline = MonotonicInstant.now + Self.startLimit
            let hello = try ours.receive(until: deadline)
            let value = try? JSONValue(parsing: hello.payload)
            dataFusionVersion = value?["datafusion"]?.text ?? "unknown"
        } catch {
            let status = process.kill()
            throw QueryError(
                .unavailable,
                "a query worker did not start (\(status.map(String.init(describing:)) ?? "no status")): "
                    + "run `make setup` to install its Python environment again")
        }
        channel = ours
    }

    /// Plans a statement against the empty table.
    ///
    /// - Returns: For each scan of the plan the predicates that bound it; nil when no file may be left out.
    func plan(
        _ sql: String, tables: [String], schema: JSONValue, until deadline: MonotonicInstant
    ) throws(WorkerFailure) -> [[WorkerPredicate]]? {
        let answer = try exchange(
            "P",
            [
                "sql": .string(sql), "tables": .array(tables.map { .string($0) }), "schema": schema,
            ], expecting: "F", until: deadline)
        guard let scans = answer["scans"]?.array else { return nil }
        return scans.map { scan in (scan.array ?? []).compactMap(WorkerPredicate.init) }
    }

    /// Runs the planned statement over exactly these files.
    func execute(
        _ request: QueryRequest, files: [String], maxRows: Int, answerLimitBytes: Int, until deadline: MonotonicInstant
    ) throws(WorkerFailure) -> (columns: [QueryColumn], body: [UInt8], rowCount: Int, isTruncated: Bool) {
        let head = try exchange(
            "X",
            [
                "files": .array(files.map { .string($0) }), "max_rows": .integer(Int64(maxRows)),
                "format": .string(request.format.rawValue), "shape": .string(request.shape.rawValue),
                "int64": request.wideIntegersAsText ? "text" : "number",
            ], expecting: "S", until: deadline)
        let columns = (head["columns"]?.array ?? []).map {
            QueryColumn(name: $0["name"]?.text ?? "", type: $0["type"]?.text ?? "")
        }
        var body: [UInt8] = []
        while true {
            let frame = try receive(until: deadline)
            switch Character(UnicodeScalar(frame.kind)) {
            case "R":
                guard body.count + frame.payload.count <= answerLimitBytes else {
                    throw .unusable(
                        QueryError(
                            .resources,
                            "the answer is larger than \(answerLimitBytes) bytes: "
                                + "select fewer columns or rows"))
                }
                body += frame.payload
            case "D":
                let end = try parse(frame.payload)
                return (
                    columns, body, Int(end["rows"]?.int64 ?? 0), end["truncated"]?.bool ?? false
                )
            default:
                throw try failure(frame)
            }
        }
    }

    private func exchange(
        _ kind: Character, _ request: JSONValue, expecting answer: Character, until deadline: MonotonicInstant
    ) throws(WorkerFailure) -> JSONValue {
        guard let payload = try? request.bytes() else {
            throw .answered(QueryError(.invalid, "the request cannot be written as JSON"))
        }
        do throws(ChannelError) {
            try channel.send(kind, payload, until: deadline)
        } catch {
            throw lost(error)
        }
        let frame = try receive(until: deadline)
        guard Character(UnicodeScalar(frame.kind)) == answer else { throw try failure(frame) }
        return try parse(frame.payload)
    }

    private func receive(until deadline: MonotonicInstant) throws(WorkerFailure) -> WorkerChannel.Frame {
        do throws(ChannelError) {
            return try channel.receive(until: deadline)
        } catch {
            throw lost(error)
        }
    }

    private func parse(_ payload: [UInt8]) throws(WorkerFailure) -> JSONValue {
        do {
            return try JSONValue(parsing: payload)
        } catch {
            throw .unusable(QueryError(.unavailable, "a query worker sent what is not JSON"))
        }
    }

    /// What an error frame says; the worker goes on unless it ran out of memory.
    private func failure(_ frame: WorkerChannel.Frame) throws(WorkerFailure) -> WorkerFailure {
        guard Character(UnicodeScalar(frame.kind)) == "E" else {
            return .unusable(QueryError(.unavailable, "a query worker sent an unknown frame"))
        }
        let value = try parse(frame.payload)
        let message = value["message"]?.text ?? "no message"
        switch value["code"]?.text {
        case "invalid": return .answered(QueryError(.invalid, message))
        case "forbidden": return .answered(QueryError(.forbidden, "only reading is allowed: \(message)"))
        case "resources": return .unusable(QueryError(.resources, message))
        default: return .answered(QueryError(.failed, message))
        }
    }

    private func lost(_ error: ChannelError) -> WorkerFailure {
        switch error {
        case .deadline:
            .unusable(QueryError(.timeout, "the statement ran into its time limit and was stopped"))
        case .closed:
            .unusable(
                QueryError(
                    .resources, "the query process ended while it ran the statement, most likely for want of memory"))
        case .malformed(let detail):
            .unusable(QueryError(.unavailable, "a query worker broke the protocol: \(detail)"))
        }
    }

    /// Kills the process and removes what it left.
    func stop() {
        process.kill()
        scratch.remove()
    }
}

/// A failed exchange, and whether the worker can be used again.
enum WorkerFailure: Error {
    /// The worker answered with an error and is fine.
    case answered(QueryError)
    /// The worker must be killed and replaced.
    case unusable(QueryError)
}

/// `column operator literal`, as the worker found it in the plan.
struct WorkerPredicate {
    enum Literal {
        case boolean(Bool)
        case integer(Int64)
        case double(Double)
        case string(String)
        /// Microseconds since 1970, UTC.
        case timestamp(Int64)
    }

    enum Comparison: String {
        case equal = "="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    var column: String
    var comparison: Comparison
    var literal: Literal

    /// Nil for what bounds nothing we understand.
    init?(_ value: JSONValue) {
        guard let parts = value.array, parts.count == 3, let column = parts[0].text,
            let comparison = parts[1].text.flatMap(Comparison.init)
        else { return nil }
        self.column = column
        self.comparison = comparison
        if let flag = parts[2].bool {
            literal = .boolean(flag)
        } else if let number = parts[2].int64 {
            literal = .integer(number)
        } else if let number = parts[2].double {
            literal = .double(number)
        } else if let text = parts[2].text {
            literal = .string(text)
        } else if let moment = parts[2]["microseconds"]?.int64 {
            literal = .timestamp(moment)
        } else {
            return nil
        }
    }
}
