internal import Iceberg
internal import Pipeline
internal import Telemetry
internal import Threads
internal import TraceModel

/// The one thread that talks to the table: takes partitions over, reads what is there, commits batches.
///
/// Fences and commits happen one at a time. A batch is sealed from all shards at once, has one sequence number for
/// all its attempts, and until it is in the table its claims stand: nothing that it carries can be lost.
final class Committer: Sendable {
    private let context: Context
    let wakeup = Wakeup()
    private let state = Lock(State())

    struct Context: Sendable {
        var options: RunnerOptions
        var definition: TableDefinition
        var sources: [any SpanSource]
        var catalog: any Catalog
        var files: any TableFiles
        var rows: any RowFiles
        var verdicts: (any VerdictStore)?
        var workers: [Worker]
        var clock: any Clock
        var metrics: Metrics
        var logger: Logger
    }

    private struct State {
        var status = RunnerStatus()
        var wantsCommit = false
        var wantsTakeover = false
        /// Set once: the last batch must be in the table by then.
        var stopBy: MonotonicInstant?
        var lastWarning: (text: String, at: MonotonicInstant)?
    }

    init(_ context: Context) {
        self.context = context
        state.withLock { $0.status.phaseSinceMilliseconds = context.clock.wallMilliseconds }
    }

    var status: RunnerStatus { state.withLock { $0.status } }

    func start() throws(ThreadError) -> NamedThread {
        try NamedThread.start(name: "committer") { self.run() }
    }

    /// Kept rows press: commit without waiting for the interval.
    func commitSoon() {
        let isNews = state.withLock { state in
            defer { state.wantsCommit = true }
            return !state.wantsCommit
        }
        if isNews { wakeup.signal() }
    }

    /// A shard cannot go on: the partitions are given up and taken over anew, from the log.
    func takeOverSoon() {
        let isNews = state.withLock { state in
            defer { state.wantsTakeover = true }
            return !state.wantsTakeover
        }
        if isNews { wakeup.signal() }
    }

    /// Commits what is decided and ends; gives up at the deadline.
    func stop(by deadline: MonotonicInstant) {
        state.withLock { $0.stopBy = deadline }
        wakeup.signal()
    }

    private var stopBy: MonotonicInstant? { state.withLock { $0.stopBy } }

    // MARK: The thread

    private func run() {
        var sequence: Int64 = 0
        while stopBy == nil {
            guard let table = takeOver() else { break }
            enter(.running)
            if !commitBatches(table, &sequence) { break }
        }
        enter(.stopped)
    }

    /// What takeover found and commits change.
    private struct OwnedTable {
        var uuid: String
        var histories: [PartitionID: FileHistory]
        var drafts: [PartitionID: PositionDraft] = [:]
    }

    /// FENCE and RECOVER, then hands each partition to its worker; nil when the program stops meanwhile.
    private func takeOver() -> OwnedTable? {
        while true {
            enter(.fencing)
            var fence = FenceMachine(
                definition: context.definition, partitions: context.sources.map(\.id), writer: context.options.writer,
                options: context.options.steps, seed: .random(in: 0 ... .max))
            guard let fenced = drive(&fence) else { return nil }
            enter(.recovering)
            let bounds = Dictionary(uniqueKeysWithValues: context.sources.map { ($0.id, $0.bounds) })
            var recover = RecoverMachine(
                identifier: context.definition.identifier, fenced: fenced, sources: bounds,
                writer: context.options.writer, options: context.options.steps, seed: .random(in: 0 ... .max))
            guard let outcome = drive(&recover) else { return nil }
            guard case .recovered(let recovered) = outcome else { continue }
            var table = OwnedTable(uuid: fenced.metadata.tableUUID, histories: [:])
            for item in recovered {
                table.histories[item.partition.id] = item.history
                open(item)
            }
            state.withLock { $0.status.hasStarted = true }
            return table
        }
    }

    private func open(_ recovered: RecoveredSource) {
        let id = recovered.partition.id
        for remark in recovered.remarks { log(remark, of: id) }
        guard let source = context.sources.first(where: { $0.id == id }),
            var partition = follow(recovered, source)
        else { return }
        partition.remembered = context.verdicts?.load(id, at: partition.clock) ?? []
        context.logger.debug(
            "partition taken up",
            metadata: [
                "partition": "\(id)", "epoch": .integer(partition.epoch), "resume": .integer(partition.resume),
                "settled": .integer(partition.settled), "present": .count(partition.present.count),
                "kept": .count(partition.kept.count), "remembered": .count(partition.remembered.count),
            ])
        worker(of: id).order(.open(partition, source))
    }

    /// Moves a log that is older than the table behind its position: what it took below would never be read.
    ///
    /// - Returns: The partition where it goes on; nil when it may not be taken up.
    private func follow(_ recovered: RecoveredSource, _ source: any SpanSource) -> RecoveredPartition? {
        var partition = recovered.partition
        for case .logIsOlder(_, let next) in recovered.remarks {
            do {
                partition.resume = try source.skip(to: next)
                partition.settled = partition.resume
            } catch {
                context.logger.error(
                    "the log cannot go on behind the table's position, its partition is not taken up",
                    metadata: ["partition": "\(source.id)", "next": .integer(next), "error": "\(error.message)"])
                return nil
            }
        }
        return partition
    }

    private func log(_ remark: RecoveryRemark, of id: PartitionID) {
        switch remark {
        case .gap(let from, let to):
            context.metrics.pipeline.sourceGapMessages[.retention].add(Int(to - from))
            context.logger.error(
                "messages are gone before they were read",
                metadata: ["partition": "\(id)", "from": .integer(from), "to": .integer(to)])
        case .logIsOlder(let end, let next):
            context.logger.error(
                "the log ends below the table's position: an old copy came back",
                metadata: ["partition": "\(id)", "end": .integer(end), "next": .integer(next)])
        case .anchorDiffers(let anchor, _):
            context.logger.error(
                "the log is not the one that the table remembers",
                metadata: ["partition": "\(id)", "offset": .integer(anchor.offset)])
        }
    }

    private func worker(of id: PartitionID) -> Worker {
        context.workers[Int(id.partition) % context.workers.count]
    }

    // MARK: Batches

    /// Commits until the program stops (false) or the partitions must be taken over anew (true).
    private func commitBatches(_ table: OwnedTable, _ sequence: inout Int64) -> Bool {
        var table = table
        var interval = context.options.commitInterval
        var due = MonotonicInstant.now + phase(in: interval)
        var lastPosition = MonotonicInstant.now
        while true {
            waitUntilWanted(due)
            let isLast = stopBy != nil
            let isBroken = state.withLock { state in
                defer { (state.wantsCommit, state.wantsTakeover) = (false, false) }
                return state.wantsTakeover
            }
            if isBroken, !isLast {
                giveUp(context.sources.map(\.id))
                return true
            }
            let startedAt = MonotonicInstant.now
            due = startedAt + interval
            let parts = seal()
            let hasRows = parts.contains { !$0.traces.isEmpty }
            let moves = parts.contains { table.drafts[$0.id] != $0.draft }
            let isPositionDue = isLast || .now - lastPosition >= context.options.positionInterval
            guard hasRows || (moves && isPositionDue) else {
                abort(parts)
                if isLast { return false }
                continue
            }
            sequence += 1
            lastPosition = .now
            guard let receipt = commit(parts, &table, sequence: sequence) else {
                // Dropped while it stops: the log has everything, the next start goes on from the table.
                if isLast || stopBy != nil { return false }
                giveUp(parts.map(\.id))
                return true
            }
            context.metrics.storage.icebergCommitDuration.observe(.now - startedAt)
            interval = Self.interval(after: receipt, interval, context.options)
            if !receipt.fenced.isEmpty {
                giveUp(context.sources.map(\.id))
                return true
            }
            if isLast { return false }
        }
    }

    /// The part of the interval at which this process commits: processes that share a table spread over it.
    private func phase(in interval: Duration) -> Duration {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in context.options.writer.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return interval * (Double(hash >> 11) / Double(1 << 53))
    }

    /// Doubles while others' commits are in the way, and comes back when they are not.
    private static func interval(
        after receipt: CommitReceipt, _ interval: Duration, _ options: RunnerOptions
    ) -> Duration {
        if receipt.attempts > 2 { return min(interval * 2, max(options.commitIntervalLimit, options.commitInterval)) }
        return max(interval / 2, options.commitInterval)
    }

    private func waitUntilWanted(_ due: MonotonicInstant) {
        _ = wakeup.wait(until: due) {
            self.state.withLock { $0.wantsCommit || $0.wantsTakeover || $0.stopBy != nil } ? true : nil
        }
    }

    private func seal() -> [SealedPartition] {
        let replies = context.workers.map { worker in
            let reply = ReplySlot<[SealedPartition]>()
            worker.order(.seal(reply))
            return reply
        }
        return replies.flatMap { $0.take(until: nil) ?? [] }
    }

    private func abort(_ parts: [SealedPartition]) {
        let ids = parts.map(\.id)
        for worker in context.workers { worker.order(.aborted(ids)) }
    }

    /// The shards are dropped; whoever takes the partitions over reads again what was not committed.
    private func giveUp(_ ids: [PartitionID]) {
        waitForAll { .close(ids, $0) }
    }

    private func waitForAll(_ order: (ReplySlot<Bool>) -> WorkerOrder) {
        let replies = context.workers.map { worker in
            let reply = ReplySlot<Bool>()
            worker.order(order(reply))
            return reply
        }
        for reply in replies { _ = reply.take(until: nil) }
    }

    /// Brings a batch into the table; nil when the table is another one, or the program stopped first.
    private func commit(
        _ parts: [SealedPartition], _ table: inout OwnedTable, sequence: Int64
    ) -> CommitReceipt? {
        let storage = context.metrics.storage
        let spanCount = parts.reduce(0) { $0 + $1.traces.reduce(0) { $0 + $1.trace.spans.count } }
        storage.exportInFlight[.iceberg].set(spanCount)
        defer { storage.exportInFlight[.iceberg].set(0) }
        var machine = CommitMachine(
            identifier: context.definition.identifier,
            batch: CommitBatch(
                tableUUID: table.uuid, sequence: sequence, partitions: parts, histories: table.histories),
            writer: context.options.writer, options: context.options.steps, seed: .random(in: 0 ... .max))
        let outcome = drive(&machine) { machine in
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
        accept(receipt, parts, &table)
        return receipt
    }

    private func accept(_ receipt: CommitReceipt, _ parts: [SealedPartition], _ table: inout OwnedTable) {
        let storage = context.metrics.storage
        storage.icebergCommits[.committed].add(1)
        storage.exportRequests[.iceberg, .success].add(1)
        storage.spansExported[.iceberg].add(Int(receipt.rowCount))
        storage.fencedPartitions.add(receipt.fenced.count)
        for id in receipt.fenced {
            context.logger.warning("fenced: another owner has the partition", metadata: ["partition": "\(id)"])
        }
        for part in parts where receipt.committed[part.id] != nil {
            table.histories[part.id] = receipt.committed[part.id]
            table.drafts[part.id] = part.draft
        }
        state.withLock { state in
            state.status.lastCommitMilliseconds = context.clock.wallMilliseconds
            state.status.lastSnapshotID = receipt.snapshotID ?? state.status.lastSnapshotID
            state.status.committedSpanCount += receipt.rowCount
            state.status.committedTraceCount += Int64(receipt.traceCount)
            state.status.tableRowCount = receipt.metadata.currentSnapshot?.summary["total-records"].flatMap {
                Int64($0)
            }
        }
        let ids = Array(receipt.committed.keys)
        waitForAll { .committed(ids, $0) }
    }

    // MARK: Machines

    /// Runs a machine to its end; nil when the program stops and its time is over.
    private func drive<Machine: TableMachine>(
        _ machine: inout Machine, beforeEach: (Machine) -> Void = { _ in }
    ) -> Machine.Outcome? {
        let driver = TableDriver(
            catalog: context.catalog, files: context.files, rows: context.rows, sources: context.sources
        ) { milliseconds in
            let before = self.stopBy
            _ = self.wakeup.wait(until: .now + .milliseconds(milliseconds)) {
                self.stopBy != before ? true : nil
            }
        }
        let isStarting = status.phase != .running
        let outcome = driver.run(&machine, clock: context.clock) { machine in
            self.show(machine.obstacle)
            beforeEach(machine)
            guard let stopBy = self.stopBy else { return true }
            // While it starts there is nothing to save; while it runs, the last batch has until the deadline.
            return !isStarting && .now < stopBy
        }
        show(nil)
        return outcome
    }

    /// Keeps the obstacle for health, and warns once a minute.
    private func show(_ obstacle: TableObstacle?) {
        let text = obstacle?.description
        let wall = context.clock.wallMilliseconds
        let isNews = state.withLock { state in
            if text == nil {
                state.status.obstacle = nil
                state.status.obstacleSinceMilliseconds = nil
                return false
            }
            if state.status.obstacle == nil { state.status.obstacleSinceMilliseconds = wall }
            state.status.obstacle = text
            state.status.lastObstacle = text
            if let last = state.lastWarning, last.text == text, .now - last.at < .seconds(60) { return false }
            state.lastWarning = (text ?? "", .now)
            return true
        }
        if isNews, let text {
            context.logger.warning(
                "the table cannot be reached, trying again",
                metadata: ["table": "\(context.definition.identifier)", "error": "\(text)"])
        }
    }

    private func enter(_ phase: RunnerStatus.Phase) {
        state.withLock { state in
            state.status.phase = phase
            state.status.phaseSinceMilliseconds = context.clock.wallMilliseconds
        }
    }
}
