public import Pipeline
internal import RDKafka
internal import Synchronization
public import Telemetry
internal import Threads
internal import TraceModel

/// What health says of the group.
public struct KafkaStatus: Sendable {
    /// Whether the group has told us what is ours, be it nothing.
    public var hasJoined = false
    public var partitionCount = 0
    public var clusterID: String?
    public var error: String?
    public var errorSinceMilliseconds: Int64?
    public var lastError: String?
    /// The client is of no further use.
    public var isFatal = false

    public init() {}
}

/// Partitions of a topic as a consumer group shares them out.
///
///     group ─▶ assigned: taken up paused ─▶ owner: FENCE, RECOVER, seek, resume ─▶ shard reads its queue
///           ─▶ revoked: owner commits for the last time, at most 5 s ─▶ handed back
///
/// One thread polls: rebalances, errors and membership, never messages, so that a busy shard cannot cost the
/// membership. Source: Documentation/Positions.md, "FENCE".
public final class KafkaGroup: SpanSources {
    private static let pollInterval: Duration = .milliseconds(100)
    private static let standingInterval: Duration = .seconds(1)
    private static let makeInterval: Duration = .seconds(1)
    /// The same error is said again after this.
    private static let quietTime: Duration = .seconds(60)

    private let options: KafkaSourceOptions
    private let metrics: KafkaMetrics
    private let logger: Logger
    private let clock: any Clock
    private let state = Lock(State())
    private let hasError = Atomic<Bool>(false)

    private struct State {
        var consumer: KafkaConsumer?
        var owner: (any SourceOwner)?
        var thread: NamedThread?
        var isStopping = false
        var sources: [KafkaPartition: KafkaPartitionSource] = [:]
        /// Ours, and waiting for a source: made outside of the rebalance, for the brokers are asked.
        var unmade: Set<KafkaPartition> = []
        var makeAt = MonotonicInstant.now
        /// Sources that cannot go on, to be taken up anew.
        var failed: [KafkaPartitionSource] = []
        var status = KafkaStatus()
        var said: [String: MonotonicInstant] = [:]
    }

    public init(_ options: KafkaSourceOptions, metrics: KafkaMetrics, logger: Logger, clock: any Clock) {
        self.options = options
        self.metrics = metrics
        self.logger = logger
        self.clock = clock
    }

    public var group: String { options.group }
    public var status: KafkaStatus { state.withLock { $0.status } }

    // MARK: Life

    public func start(_ owner: any SourceOwner) throws(SourceError) {
        if let problem = KafkaLibrary.problem { throw SourceError(code: .refused, message: problem) }
        do {
            let consumer = try KafkaConsumer(
                options.consumerConfiguration, listener: listener(), committed: { [weak self] in self?.committed($0) },
                rebalance: { [weak self] in self?.rebalanced($0) })
            state.withLock { state in
                state.consumer = consumer
                state.owner = owner
            }
            try consumer.subscribe([options.topic])
            let thread = try NamedThread.start(name: "kafka-group") { [self] in run(consumer) }
            state.withLock { $0.thread = thread }
        } catch {
            throw SourceError(code: .refused, message: "Kafka: \(error)")
        }
    }

    public func stop() {
        let thread = state.withLock { state in
            state.isStopping = true
            return state.thread
        }
        thread?.join()
        state.withLock { state in
            state.consumer = nil
            state.thread = nil
            state.owner = nil
        }
    }

    private func run(_ consumer: KafkaConsumer) {
        var nextStanding = MonotonicInstant.now
        while !state.withLock({ $0.isStopping }) {
            if let error = consumer.poll(within: Self.pollInterval) { note(error) }
            retake()
            makeSources(consumer)
            if .now >= nextStanding {
                nextStanding = .now + Self.standingInterval
                let sources = state.withLock { Array($0.sources.values) }
                for source in sources { source.showStanding() }
            }
        }
        consumer.close()
        // Whatever the group did not ask back any more.
        let left = state.withLock { Array($0.sources.values) }
        giveBack(left, isLost: true)
    }

    // MARK: Rebalances, on the polling thread

    private func rebalanced(_ rebalance: KafkaRebalance) {
        guard let consumer = state.withLock({ $0.consumer }) else { return }
        metrics.rebalances.add(1)
        switch rebalance {
        case .assigned(let partitions): assigned(partitions, consumer)
        case .revoked(let partitions, let isLost): revoked(partitions, isLost: isLost, consumer)
        case .failed(let error): note(error)
        }
        let count = state.withLock { state in
            state.status.hasJoined = true
            state.status.partitionCount = state.sources.count
            return state.sources.count
        }
        metrics.assignedPartitions.set(count)
    }

    private func assigned(_ partitions: [KafkaPartition], _ consumer: KafkaConsumer) {
        do throws(KafkaError) {
            // Nothing is read before FENCE and RECOVER have said from where.
            try consumer.assign(partitions, at: .end)
            if !partitions.isEmpty { try consumer.pause(partitions) }
        } catch {
            note(error)
        }
        state.withLock { state in
            state.unmade.formUnion(partitions)
            state.makeAt = .now
        }
        logger.info(
            "partitions assigned", metadata: ["topic": "\(options.topic)", "partitions": "\(Self.words(partitions))"])
    }

    /// Makes the sources of what is ours; what the brokers do not answer for is tried again a second later.
    private func makeSources(_ consumer: KafkaConsumer) {
        let (partitions, owner) = state.withLock { state in
            (state.makeAt <= .now ? state.unmade.sorted { $0.number < $1.number } : [], state.owner)
        }
        guard let first = partitions.first, let owner else { return }
        do throws(KafkaError) {
            guard let cluster = consumer.clusterID(within: options.callTimeout) else {
                throw KafkaError(code: .timedOut, message: "the brokers did not say which cluster they are")
            }
            let siblings = try consumer.partitionCount(of: first.topic, within: options.callTimeout)
            var made: [KafkaPartitionSource] = []
            for partition in partitions {
                made.append(
                    try KafkaPartitionSource(
                        partition, topicName: "kafka:\(cluster)/\(partition.topic)", siblingCount: siblings ?? 1,
                        group: self, consumer: consumer, options: options, metrics: metrics))
            }
            let count = state.withLock { state in
                state.status.clusterID = cluster
                for source in made { state.sources[source.partition] = source }
                state.unmade.subtract(partitions)
                state.status.partitionCount = state.sources.count
                return state.sources.count
            }
            metrics.assignedPartitions.set(count)
            owner.assigned(made)
        } catch {
            note(error)
            state.withLock { $0.makeAt = .now + Self.makeInterval }
        }
    }

    private func revoked(_ partitions: [KafkaPartition], isLost: Bool, _ consumer: KafkaConsumer) {
        let sources = state.withLock { state in
            state.unmade.subtract(partitions)
            return partitions.compactMap { state.sources[$0] }
        }
        giveBack(sources, isLost: isLost)
        do throws(KafkaError) {
            try consumer.unassign(partitions)
        } catch {
            note(error)
        }
        logger.info(
            "partitions revoked",
            metadata: [
                "topic": "\(options.topic)", "partitions": "\(Self.words(partitions))", "lost": .boolean(isLost),
            ])
    }

    private func giveBack(_ sources: [KafkaPartitionSource], isLost: Bool) {
        guard !sources.isEmpty else { return }
        state.withLock { $0.owner }?.revoked(sources, isLost: isLost, within: options.revokeTimeout)
        for source in sources { source.lose() }
        state.withLock { state in
            for source in sources where state.sources[source.partition] === source {
                state.sources[source.partition] = nil
            }
        }
    }

    private static func words(_ partitions: [KafkaPartition]) -> String {
        partitions.map(\.number).sorted().map(String.init).joined(separator: " ")
    }

    // MARK: Sources that cannot go on

    /// Reading broke: retention overtook it, or the log was cut. The partition is taken up anew, and RECOVER decides.
    func failed(_ source: KafkaPartitionSource, _ error: KafkaError) {
        note(error)
        guard error.code == .offsetOutOfReach else { return }
        state.withLock { $0.failed.append(source) }
    }

    private func retake() {
        let (failed, consumer) = state.withLock { state in
            defer { state.failed = [] }
            return (state.failed.filter(\.isAssigned), state.consumer)
        }
        guard !failed.isEmpty, let consumer else { return }
        giveBack(failed, isLost: true)
        let partitions = failed.map(\.partition)
        do throws(KafkaError) {
            try consumer.pause(partitions)
        } catch {
            note(error)
        }
        state.withLock { state in
            state.unmade.formUnion(partitions)
            state.makeAt = .now
        }
    }

    // MARK: Offsets

    public func remember(_ offsets: [PartitionID: GroupOffset]) {
        let (consumer, sources) = state.withLock { ($0.consumer, $0.sources) }
        guard let consumer else { return }
        let commits = sources.values.compactMap { source -> KafkaCommit? in
            guard source.isAssigned, let offset = offsets[source.id] else { return nil }
            return KafkaCommit(
                partition: source.partition, offset: offset.offset, metadata: offset.stamp?.text ?? "")
        }
        guard !commits.isEmpty else { return }
        // Not waited for: a coordinator that is away must not hold up the table's commits.
        do throws(KafkaError) {
            try consumer.commitSoon(commits)
        } catch {
            notCommitted(error)
        }
    }

    private func committed(_ result: Result<[KafkaCommit], KafkaError>) {
        switch result {
        case .success(let commits):
            let sources = state.withLock { $0.sources }
            for commit in commits { sources[commit.partition]?.remembered(commit.offset) }
            heard()
        case .failure(let error):
            notCommitted(error)
        }
    }

    /// The table has it: the group learns it with the next commit.
    private func notCommitted(_ error: KafkaError) {
        logger.debug("the group's offsets were not committed", metadata: ["error": "\(error)"])
    }

    // MARK: Errors

    private func listener() -> KafkaListener {
        KafkaListener(
            log: { [logger] line in
                logger.debug("librdkafka", metadata: ["facility": "\(line.facility)", "message": "\(line.message)"])
            },
            error: { [weak self] in self?.note($0) })
    }

    /// The brokers answer again.
    func heard() {
        guard hasError.exchange(false, ordering: .relaxed) else { return }
        state.withLock { state in
            state.status.error = nil
            state.status.errorSinceMilliseconds = nil
        }
    }

    /// Counts an error, shows it in health, and says it once a minute.
    private func note(_ error: KafkaError) {
        metrics.errors.add(1)
        hasError.store(true, ordering: .relaxed)
        let wall = clock.wallMilliseconds
        let isNews = state.withLock { state in
            if state.status.error == nil { state.status.errorSinceMilliseconds = wall }
            state.status.error = error.description
            state.status.lastError = error.description
            state.status.isFatal = state.status.isFatal || error.isFatal
            let last = state.said["\(error.code)"]
            if let last, .now - last < Self.quietTime { return false }
            state.said["\(error.code)"] = .now
            return true
        }
        guard isNews else { return }
        let brokers = options.client["bootstrap.servers"] ?? ""
        if error.isFatal {
            logger.error("Kafka client failed for good", metadata: ["error": "\(error)"])
        } else if error.code == .unknownTopicOrPartition || error.code == .unknownTopic {
            logger.warning("the topic is not there yet, waiting for it", metadata: ["topic": "\(options.topic)"])
        } else {
            logger.warning("Kafka", metadata: ["brokers": "\(brokers)", "error": "\(error)"])
        }
    }
}

/// Several entrances at once.
public struct CombinedSources: SpanSources {
    private let all: [any SpanSources]

    public init(_ all: [any SpanSources]) {
        self.all = all
    }

    public var group: String { all.map(\.group).first { !$0.isEmpty } ?? "" }

    public func start(_ owner: any SourceOwner) throws(SourceError) {
        for sources in all { try sources.start(owner) }
    }

    public func remember(_ offsets: [PartitionID: GroupOffset]) {
        for sources in all { sources.remember(offsets) }
    }

    public func stop() {
        for sources in all.reversed() { sources.stop() }
    }
}
