public import Iceberg
public import Pipeline
public import Sampling
public import Telemetry
public import Threads
internal import TraceBuffering

/// Runs the shards of this process: worker threads that read, decide and hold, one committer that stores.
///
///     log ──▶ worker 0: shards of partitions 0, n, 2n …  ─┐ sealed parts
///     log ──▶ worker 1: shards of partitions 1, n+1 …    ─┼──▶ committer ──▶ table
///                                                         └◀── committed
public final class ShardRunner: Sendable {
    private let committer: Committer
    private let sources: any SpanSources
    private let workers: [Worker]
    private let threads = Lock<[NamedThread]>([])
    private let spill: SpillThread?
    private let sampler: Lock<NumberedSampler>
    private let logger: Logger
    /// The newest decisions.
    public let decisions: DecisionLog

    /// Everything it talks to.
    public struct Ports: Sendable {
        public var sources: any SpanSources
        public var catalog: any Catalog
        public var files: any TableFiles
        public var rows: any RowFiles
        public var verdicts: (any VerdictStore)?
        public var clock: any Clock
        /// Where full segments go; nil for files of `RunnerOptions.segmentFolder`.
        public var segments: (@Sendable () -> any SegmentStore)?
        /// Told after each turn how many traces force rules have decided in it, by the rules' ids; must not block.
        public var noteRuleMatches: (@Sendable ([String: Int]) -> Void)?

        public init(
            sources: any SpanSources, catalog: any Catalog, files: any TableFiles, rows: any RowFiles,
            verdicts: (any VerdictStore)?, clock: any Clock,
            segments: (@Sendable () -> any SegmentStore)? = nil,
            noteRuleMatches: (@Sendable ([String: Int]) -> Void)? = nil
        ) {
            self.sources = sources
            self.catalog = catalog
            self.files = files
            self.rows = rows
            self.verdicts = verdicts
            self.clock = clock
            self.segments = segments
            self.noteRuleMatches = noteRuleMatches
        }
    }

    public init(
        options: RunnerOptions, definition: TableDefinition, ports: Ports, sampler: Sampler, metrics: Metrics,
        logger: Logger
    ) {
        precondition(options.workerCount > 0, "shards need a worker")
        let decisions = DecisionLog(capacity: options.rememberedDecisions)
        let sampler = Lock(decisions.register(sampler))
        let spill = Self.spillThread(options, ports, metrics.pipeline, logger)
        let committing = Lock<Committer?>(nil)
        let context = Worker.Context(
            options: options, verdicts: ports.verdicts, decisions: decisions, spill: spill,
            metrics: metrics.pipeline, logger: logger,
            wantsCommit: { committing.withLock { $0 }?.commitSoon() },
            wantsTakeover: { committing.withLock { $0 }?.takeOverSoon() }, noteRuleMatches: ports.noteRuleMatches,
            sampler: { sampler.withLock { $0 } })
        // More workers than partitions only sleep, and are there when a partition comes.
        let workers = (0..<options.workerCount).map { Worker(index: $0, context: context) }
        let committer = Committer(
            Committer.Context(
                options: options, definition: definition, sources: ports.sources, catalog: ports.catalog,
                files: ports.files, rows: ports.rows, verdicts: ports.verdicts, workers: workers, clock: ports.clock,
                metrics: metrics, logger: logger))
        committing.withLock { $0 = committer }
        self.committer = committer
        sources = ports.sources
        self.workers = workers
        self.spill = spill
        self.sampler = sampler
        self.decisions = decisions
        self.logger = logger
    }

    private static func spillThread(
        _ options: RunnerOptions, _ ports: Ports, _ metrics: PipelineMetrics, _ logger: Logger
    ) -> SpillThread? {
        guard options.shard.buffer.spills else { return nil }
        var spilling = SpillThread.Options()
        spilling.limitBytes = options.segmentBytes
        spilling.retryDelay = options.segmentRetryDelay
        let folder = options.segmentFolder
        return SpillThread(
            options: spilling, metrics: metrics, logger: logger, clock: ports.clock,
            makeStore: ports.segments ?? { SegmentFolder(path: folder) })
    }

    /// Threads that own shards.
    public var workerCount: Int { workers.count }

    /// Starts the threads; the table is reached in the background.
    public func start() throws {
        if let spill {
            let thread = try spill.start()
            threads.withLock { $0.append(thread) }
        }
        for worker in workers {
            let thread = try worker.start()
            threads.withLock { $0.append(thread) }
        }
        let thread = try committer.start()
        threads.withLock { $0.append(thread) }
        try sources.start(committer)
    }

    /// Takes nothing new, commits what is decided and joins the threads; undecided spans stay in the log.
    ///
    /// - Returns: Whether all that was decided is in the table.
    @discardableResult
    public func stop(by deadline: MonotonicInstant) -> Bool {
        // Never started: nobody would answer.
        guard threads.withLock({ !$0.isEmpty }) else { return true }
        let drained = workers.map { worker in
            let reply = ReplySlot<Bool>()
            worker.order(.drain(reply))
            return reply
        }
        for reply in drained { _ = reply.take(until: deadline) }
        // A group takes its partitions back first: what is decided of them is committed then.
        sources.stop()
        committer.stop(by: deadline)
        let all = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        all.last?.join()
        let left = gauges.reduce(0) { $0 + $1.keptTraces }
        if left > 0 {
            logger.warning(
                "stopped before the last commit: kept traces are committed after the next start",
                metadata: ["traces": .count(left)])
        }
        for worker in workers { worker.order(.stop) }
        for thread in all.dropLast().reversed() {
            if thread.name == SpillThread.name { spill?.stop() }
            thread.join()
        }
        return left == 0
    }

    /// New policies and force rules decide from each worker's next turn on, about what is buffered too.
    public func adopt(_ sampler: Sampler) {
        let numbered = decisions.register(sampler)
        self.sampler.withLock { $0 = numbered }
        for worker in workers { worker.order(.adopt(numbered)) }
    }

    /// Of full segments on disk; nil when buffers do not spill.
    public var spillStatus: SpillStatus? { spill?.status }

    public var status: RunnerStatus { committer.status }

    /// Of every shard that is owned now.
    public var gauges: [ShardGauges] { workers.flatMap(\.gauges) }

    /// Whether every worker's loop has turned within the limit.
    public func isTurning(within limit: Duration) -> Bool {
        let now = MonotonicInstant.now.milliseconds
        return workers.allSatisfy { now - $0.lastTurnMilliseconds < limit.wholeMilliseconds }
    }
}
