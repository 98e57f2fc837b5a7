internal import Glibc
public import Iceberg
internal import JSON
public import Telemetry
public import Threads
public import Workers

/// Where the engine gets the table from.
public protocol QueryTable: Sendable {
    /// The table as it is now, its name, and the live data files that can hold a row for the predicates.
    var identifier: TableIdentifier { get }
    func load() throws(CatalogError) -> LoadedTable
}

/// Answers SQL over one Iceberg table with DataFusion, in processes of their own.
///
/// A statement goes to a free worker: planned against an empty table of the same schema, its predicates rule
/// out data files by Iceberg's statistics, then it runs over the files that are left. Whatever a
/// statement does, it ends at the deadline, in its own memory, and cannot write: ingest never notices.
public final class QueryEngine: Sendable {
    /// How soon a worker that would not start is tried again, doubling from the first to the second.
    static let restartPause: ClosedRange<Duration> = .seconds(1) ... .seconds(30)

    private let options: QueryOptions
    let table: any QueryTable
    let files: any TableFiles
    private let launcher: ProcessLauncher
    private let logger: Logger
    private let idle: Mailbox<QueryWorker>
    /// Slots whose worker is to be started.
    private let empty: Mailbox<Int>
    private let state = Lock(State())
    private let supervisor = Lock<NamedThread?>(nil)
    private let stopping = Wakeup()

    private struct State {
        var isStopping = false
        var runningCount = 0
        var lastError: String?
        var dataFusionVersion: String?
        var live: [Int: QueryWorker] = [:]
    }

    /// What health tells of the engine.
    public struct Status: Sendable {
        /// Nil when it works.
        public var error: String?
        public var workerCount: Int
        public var runningCount: Int
        public var dataFusionVersion: String?
    }

    public init(
        options: QueryOptions, table: any QueryTable, files: any TableFiles, launcher: ProcessLauncher,
        logger: Logger
    ) {
        self.options = options
        self.table = table
        self.files = files
        self.launcher = launcher
        self.logger = logger
        idle = Mailbox(capacity: options.workerCount)
        empty = Mailbox(capacity: options.workerCount)
    }

    /// Begins to start workers and returns at once: nothing waits for the query engine.
    public func start() throws(ThreadError) {
        for slot in 0..<options.workerCount { _ = empty.offer(slot) }
        let thread = try NamedThread.start(name: "query-starter") { self.startWorkers() }
        supervisor.withLock { $0 = thread }
    }

    /// Kills every worker, running statements included, and ends the thread.
    public func stop() {
        let live = state.withLock { state in
            state.isStopping = true
            return Array(state.live.values)
        }
        stopping.signal()
        empty.close()
        idle.close()
        live.forEach { $0.stop() }
        supervisor.withLock { $0.take() }?.join()
    }

    public var status: Status {
        state.withLock {
            Status(
                error: $0.lastError, workerCount: $0.live.count, runningCount: $0.runningCount,
                dataFusionVersion: $0.dataFusionVersion)
        }
    }

    /// Runs one statement and waits for the whole answer.
    public func run(_ request: QueryRequest) throws(QueryError) -> QueryAnswer {
        let startedAt = MonotonicInstant.now
        let deadline = startedAt + options.timeout
        let loaded = try load()
        let worker = try takeWorker(until: deadline)
        state.withLock { $0.runningCount += 1 }
        defer { state.withLock { $0.runningCount -= 1 } }
        do throws(WorkerFailure) {
            let scan = try plan(request, of: loaded, with: worker, until: deadline)
            let answer = try worker.execute(
                request, files: scan.paths, maxRows: min(request.maxRows ?? options.maxRows, options.maxRows),
                answerLimitBytes: options.answerLimitBytes, until: deadline)
            putBack(worker)
            return QueryAnswer(
                columns: answer.columns, body: answer.body, rowCount: answer.rowCount,
                isTruncated: answer.isTruncated,
                elapsedMilliseconds: (MonotonicInstant.now - startedAt).wholeMilliseconds,
                fileCount: scan.total, scannedFileCount: scan.paths.count)
        } catch {
            switch error {
            case .answered(let failure):
                putBack(worker)
                throw failure
            case .unusable(let failure):
                replace(worker, because: failure)
                throw failure
            }
        }
    }

    private func load() throws(QueryError) -> LoadedTable {
        do throws(CatalogError) {
            return try table.load()
        } catch {
            throw QueryError(.unavailable, "the table \(table.identifier) cannot be loaded: \(error.message)")
        }
    }

    // MARK: Workers

    private func takeWorker(until deadline: MonotonicInstant) throws(QueryError) -> QueryWorker {
        let (error, liveCount) = state.withLock { ($0.lastError, $0.live.count) }
        if let error, liveCount == 0 { throw QueryError(.unavailable, error) }
        guard let worker = idle.take(until: deadline) else {
            throw QueryError(
                .unavailable,
                "all \(options.workerCount) query workers were busy for "
                    + "\(options.timeout): try again, or set query.workers")
        }
        return worker
    }

    private func putBack(_ worker: QueryWorker) {
        if !idle.offer(worker) { discard(worker) }
    }

    private func replace(_ worker: QueryWorker, because error: QueryError) {
        logger.info(
            "query worker replaced", metadata: ["code": "\(error.code)", "message": "\(error.message)"])
        discard(worker)
        _ = empty.offer(worker.slot)
    }

    private func discard(_ worker: QueryWorker) {
        worker.stop()
        state.withLock { _ = $0.live.removeValue(forKey: worker.slot) }
    }

    private func startWorkers() {
        var pause = Self.restartPause.lowerBound
        while let slot = empty.take(until: nil) {
            do throws(QueryError) {
                let worker = try startWorker(slot)
                pause = Self.restartPause.lowerBound
                if !idle.offer(worker) { discard(worker) }
            } catch {
                let isNews = state.withLock { state in
                    defer { state.lastError = error.message }
                    return state.lastError != error.message && !state.isStopping
                }
                if isNews { logger.warning("query engine unavailable", metadata: ["error": "\(error.message)"]) }
                _ = empty.offer(slot)
                if !self.pause(pause) { return }
                pause = min(pause * 2, Self.restartPause.upperBound)
            }
        }
    }

    private func startWorker(_ slot: Int) throws(QueryError) -> QueryWorker {
        guard let python = PythonEnvironment.find(configured: options.pythonPath) else {
            throw QueryError(
                .unavailable,
                "no Python environment for queries at \(options.pythonPath ?? PythonEnvironment.relativePath): "
                    + "run `make setup`")
        }
        let worker = try QueryWorker(slot: slot, python: python, options: options, launcher: launcher)
        let isStopping = state.withLock { state in
            state.live[slot] = worker
            state.lastError = nil
            state.dataFusionVersion = worker.dataFusionVersion
            return state.isStopping
        }
        if isStopping { discard(worker) }
        return worker
    }

    /// False when the engine stops meanwhile.
    private func pause(_ duration: Duration) -> Bool {
        stopping.wait(until: MonotonicInstant.now + duration) { self.state.withLock { $0.isStopping } ? true : nil }
            == nil
    }
}
