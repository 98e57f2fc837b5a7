internal import Pipeline
internal import Sampling
internal import Synchronization
internal import Telemetry
internal import Threads
internal import TraceModel

/// What the committer asks of a worker. Never bounded: there is at most one of each kind for a partition.
enum WorkerOrder: Sendable {
    /// A partition to take up; made here, for a shard is born on its worker's thread.
    case open(RecoveredPartition, any SpanSource)
    /// Seal the parts of these partitions, of all when nil, for a batch.
    case seal(Set<PartitionID>?, ReplySlot<[SealedPartition]>)
    /// The sealed parts of these partitions are in the table.
    case committed([PartitionID], ReplySlot<Bool>)
    /// The sealed parts of these partitions wait for the next batch.
    case aborted([PartitionID])
    /// These partitions are not ours any more.
    case close([PartitionID], ReplySlot<Bool>)
    /// New policies.
    case adopt(NumberedSampler)
    /// Take nothing new any more; go on with orders.
    case drain(ReplySlot<Bool>)
    case stop
}

/// One thread that owns shards and shares none.
final class Worker: Sendable {
    /// How long a worker sleeps at most: a tick of the stream clock.
    private static let tick: Duration = .milliseconds(100)

    let name: String
    let wakeup = Wakeup()
    private let orders = Lock<[WorkerOrder]>([])
    private let lastTurn = Atomic<Int64>(0)
    private let heldGauges = Lock<[ShardGauges]>([])
    private let context: Context

    /// What all workers of a runner have in common.
    struct Context: Sendable {
        var options: RunnerOptions
        var verdicts: (any VerdictStore)?
        var decisions: DecisionLog
        var spill: SpillThread?
        var metrics: PipelineMetrics
        var logger: Logger
        /// Kept rows press: commit now.
        var wantsCommit: @Sendable () -> Void
        /// A shard cannot go on: take the partitions over anew.
        var wantsTakeover: @Sendable () -> Void
        var noteRuleMatches: (@Sendable ([String: Int]) -> Void)?
        var sampler: @Sendable () -> NumberedSampler
    }

    init(index: Int, context: Context) {
        name = "shard-\(index)"
        self.context = context
        lastTurn.store(MonotonicInstant.now.milliseconds, ordering: .relaxed)
    }

    func start() throws(ThreadError) -> NamedThread {
        try NamedThread.start(name: name) { self.run() }
    }

    func order(_ order: WorkerOrder) {
        orders.withLock { $0.append(order) }
        wakeup.signal()
    }

    /// When the loop last turned, on the monotonic clock in milliseconds.
    var lastTurnMilliseconds: Int64 { lastTurn.load(ordering: .relaxed) }

    /// Of every shard, as of its last turn.
    var gauges: [ShardGauges] { heldGauges.withLock { $0 } }

    private func run() {
        var shards: [OwnedShard] = []
        var isDraining = false
        while true {
            let ticket = wakeup.ticket()
            lastTurn.store(MonotonicInstant.now.milliseconds, ordering: .relaxed)
            let waiting = orders.withLock { orders in
                defer { orders = [] }
                return orders
            }
            for order in waiting {
                switch order {
                case .stop:
                    shards.forEach { $0.close() }
                    return
                case .drain(let reply):
                    isDraining = true
                    reply.fill(true)
                default:
                    obey(order, &shards)
                }
            }
            var isBusy = false
            for shard in shards {
                switch shard.turn(mayRead: !isDraining) {
                case .busy: isBusy = true
                case .idle: break
                case .blockedByCommit: context.wantsCommit()
                case .broken: context.wantsTakeover()
                }
            }
            let gauges = shards.map(\.gauges)
            heldGauges.withLock { $0 = gauges }
            if gauges.contains(where: { $0.keptBytes >= context.options.targetFileBytes }) { context.wantsCommit() }
            if !isBusy { wakeup.wait(past: ticket, until: .now + Self.tick) }
        }
    }

    private func obey(_ order: WorkerOrder, _ shards: inout [OwnedShard]) {
        switch order {
        case .open(let recovered, let source):
            shards.append(open(recovered, source))
        case .seal(let ids, let reply):
            reply.fill(shards.filter { ids?.contains($0.id) ?? true }.map { $0.seal() })
        case .committed(let ids, let reply):
            for shard in shards where ids.contains(shard.id) { shard.committed() }
            reply.fill(true)
        case .aborted(let ids):
            for shard in shards where ids.contains(shard.id) { shard.aborted() }
        case .close(let ids, let reply):
            for shard in shards where ids.contains(shard.id) { shard.close() }
            shards.removeAll { ids.contains($0.id) }
            reply.fill(true)
        case .adopt(let sampler):
            for shard in shards { shard.adopt(sampler) }
        case .drain, .stop:
            break
        }
    }

    private func open(_ recovered: RecoveredPartition, _ source: any SpanSource) -> OwnedShard {
        source.notify { [wakeup] in wakeup.signal() }
        let sampler = context.sampler()
        let entrance: EntranceName = recovered.id.source.topic.hasPrefix("kafka:") ? .kafka : .otlp
        var options = context.options.shard
        options.timestamps = source.timestamps
        options.divide(by: source.siblingCount)
        return OwnedShard(
            Shard(recovered: recovered, options: options, sampler: sampler.sampler),
            number: sampler.number, source: source, verdicts: context.verdicts, decisions: context.decisions,
            spill: context.spill?.channel(wakeup: wakeup), metrics: ShardMetrics(context.metrics, entrance: entrance),
            noteRuleMatches: context.noteRuleMatches, logger: context.logger, options: context.options)
    }
}
