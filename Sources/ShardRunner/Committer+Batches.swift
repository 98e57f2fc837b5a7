internal import Iceberg
internal import Pipeline
internal import Telemetry
internal import Threads
internal import TraceModel

/// When to commit.
struct CommitPace {
    private let options: RunnerOptions
    private(set) var interval: Duration
    var due: MonotonicInstant
    var lastPosition = MonotonicInstant.now

    init(_ options: RunnerOptions) {
        self.options = options
        interval = options.commitInterval
        due = .now + Self.phase(of: options.writer, in: options.commitInterval)
    }

    /// The part of the interval at which this process commits: processes that share a table spread over it.
    private static func phase(of writer: String, in interval: Duration) -> Duration {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in writer.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return interval * (Double(hash >> 11) / Double(1 << 53))
    }

    var isPositionDue: Bool { .now - lastPosition >= options.positionInterval }

    /// Doubles while others' commits are in the way, and comes back when they are not.
    mutating func adapt(to receipt: CommitReceipt) {
        if receipt.attempts > 2 {
            interval = min(interval * 2, max(options.commitIntervalLimit, options.commitInterval))
        } else {
            interval = max(interval / 2, options.commitInterval)
        }
    }
}

extension Committer {
    /// Commits when the interval is over or somebody pressed, and for the last time when the program stops.
    ///
    /// - Returns: False when that was the last one.
    func commitWhatIsDue(_ ownership: inout Ownership, _ pace: inout CommitPace) -> Bool {
        let isLast = stopBy != nil
        guard takesCommitWish() || isLast || pace.due <= .now else { return true }
        let startedAt = MonotonicInstant.now
        pace.due = startedAt + pace.interval
        let parts = seal(nil)
        let hasRows = parts.contains { !$0.traces.isEmpty }
        let moves = parts.contains { ownership.owned[$0.id]?.draft != $0.draft }
        guard hasRows || (moves && (isLast || pace.isPositionDue)) else {
            abort(parts)
            remember(parts, ownership)
            return !isLast
        }
        pace.lastPosition = .now
        let receipt = commit(parts, &ownership) {
            // The last batch has until the deadline; the log has everything that is not in it.
            self.stopBy.map { .now < $0 } ?? true
        }
        guard let receipt else {
            if isLast || stopBy != nil { return false }
            abandon(&ownership)
            return true
        }
        context.metrics.storage.icebergCommitDuration.observe(.now - startedAt)
        pace.adapt(to: receipt)
        reclaim(receipt.fenced, &ownership)
        return !isLast
    }

    /// The shards of these go, and the partitions that are still given to us are taken over anew.
    func reclaim(_ ids: [PartitionID], _ ownership: inout Ownership) {
        let sources = ids.compactMap { ownership.owned[$0]?.source }
        close(ids, &ownership)
        ownership.waiting += sources.filter(\.isAssigned)
        if !sources.isEmpty { ownership.retryAt = .now }
    }

    /// What is decided of partitions that go away, in a batch of its own: it is dropped at the deadline.
    func commitLast(_ ids: Set<PartitionID>, _ ownership: inout Ownership, _ deadline: MonotonicInstant) -> Bool {
        let parts = seal(ids)
        let moves = parts.contains { !$0.traces.isEmpty || ownership.owned[$0.id]?.draft != $0.draft }
        guard moves else {
            abort(parts)
            remember(parts, ownership)
            return true
        }
        return commit(parts, &ownership, while: { .now < deadline }) != nil
    }

    private func seal(_ ids: Set<PartitionID>?) -> [SealedPartition] {
        let replies = context.workers.map { worker in
            let reply = ReplySlot<[SealedPartition]>()
            worker.order(.seal(ids, reply))
            return reply
        }
        return replies.flatMap { $0.take(until: nil) ?? [] }
    }

    private func abort(_ parts: [SealedPartition]) {
        let ids = parts.map(\.id)
        for worker in context.workers { worker.order(.aborted(ids)) }
    }

    /// Brings a batch into the table; nil when the table is another one, or the time is over.
    private func commit(
        _ parts: [SealedPartition], _ ownership: inout Ownership, while isWanted: () -> Bool
    ) -> CommitReceipt? {
        guard let uuid = ownership.tableUUID else { return nil }
        ownership.sequence += 1
        let storage = context.metrics.storage
        let spanCount = parts.reduce(0) { $0 + $1.traces.reduce(0) { $0 + $1.trace.spans.count } }
        storage.exportInFlight[.iceberg].set(spanCount)
        defer { storage.exportInFlight[.iceberg].set(0) }
        var machine = CommitMachine(
            identifier: context.definition.identifier,
            batch: CommitBatch(
                tableUUID: uuid, sequence: ownership.sequence, partitions: parts,
                histories: ownership.owned.mapValues(\.history)),
            writer: context.options.writer, options: context.options.steps, seed: .random(in: 0 ... .max))
        let outcome = drive(&machine, sources: [], while: isWanted) { machine in
            #if DEBUG
                switch machine.phase {
                case .writing: killPoint("writing")
                case .uploaded: killPoint("commit.uploaded")
                case .checking, .committing: break
                }
            #endif
        }
        storage.icebergCommits[.conflict].add(machine.conflicts)
        guard case .finished(let receipt) = outcome else {
            storage.icebergCommits[.failed].add(1)
            storage.exportRequests[.iceberg, .failure].add(1)
            if case .tableReplaced = outcome {
                context.logger.error(
                    "the table is another one now, its partitions are taken over anew",
                    metadata: ["table": "\(context.definition.identifier)"])
            }
            return nil
        }
        #if DEBUG
            killPoint("commit.committed")
        #endif
        accept(receipt, parts, &ownership)
        return receipt
    }

    private func accept(_ receipt: CommitReceipt, _ parts: [SealedPartition], _ ownership: inout Ownership) {
        let storage = context.metrics.storage
        storage.icebergCommits[.committed].add(1)
        storage.exportRequests[.iceberg, .success].add(1)
        storage.spansExported[.iceberg].add(Int(receipt.rowCount))
        storage.fencedPartitions.add(receipt.fenced.count)
        for id in receipt.fenced {
            context.logger.warning("fenced: another owner has the partition", metadata: ["partition": "\(id)"])
        }
        ownership.metadata = receipt.metadata
        let committed = parts.filter { receipt.committed[$0.id] != nil }
        for part in committed {
            ownership.owned[part.id]?.history = receipt.committed[part.id]!
            ownership.owned[part.id]?.draft = part.draft
        }
        update { status in
            status.lastCommitMilliseconds = context.clock.wallMilliseconds
            status.lastSnapshotID = receipt.snapshotID ?? status.lastSnapshotID
            status.committedSpanCount += receipt.rowCount
            status.committedTraceCount += Int64(receipt.traceCount)
            status.tableRowCount = receipt.metadata.currentSnapshot?.summary["total-records"].flatMap { Int64($0) }
        }
        // The group's offset before the claims: nothing below it is owed to the table.
        remember(committed, ownership)
        let ids = committed.map(\.id)
        waitForAll { .committed(ids, $0) }
    }

    /// Tells the group how far these are: its tools show it, and a new owner starts there.
    private func remember(_ parts: [SealedPartition], _ ownership: Ownership) {
        guard let uuid = ownership.tableUUID else { return }
        var offsets: [PartitionID: GroupOffset] = [:]
        for part in parts where part.traces.isEmpty || ownership.owned[part.id]?.draft == part.draft {
            offsets[part.id] = GroupOffset(
                offset: part.draft.resume,
                stamp: GroupStamp(
                    tableUUID: uuid, generation: part.id.source.generation, epoch: part.epoch,
                    sequence: ownership.sequence, settled: part.draft.settled))
        }
        if !offsets.isEmpty { context.sources.remember(offsets) }
    }
}
