internal import Iceberg
internal import Pipeline
internal import Telemetry
internal import Threads
internal import TraceModel

/// The one thread that talks to the table: takes partitions over, reads what is there, commits batches.
///
///     assigned ─▶ confirm ─▶ FENCE ─▶ RECOVER ─▶ worker ─▶ COMMIT, again and again ─▶ revoked: one last COMMIT
///
/// Fences and commits happen one at a time. A batch is sealed from all shards at once, has one sequence number for
/// all its attempts, and until it is in the table its claims stand: nothing that it carries can be lost.
final class Committer: Sendable {
    let context: Context
    let wakeup = Wakeup()
    private let state = Lock(State())

    struct Context: Sendable {
        var options: RunnerOptions
        var definition: TableDefinition
        var sources: any SpanSources
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
        var assigned: [any SpanSource] = []
        var revocations: [Revocation] = []
    }

    /// Partitions to give back.
    struct Revocation: Sendable {
        var sources: [any SpanSource]
        var isLost: Bool
        var deadline: MonotonicInstant
        var reply: ReplySlot<Bool>
    }

    /// What takeover found and commits change. Owned by the committer's thread.
    struct Ownership {
        /// Nil until the table was reached, and after it turned out to be another one.
        var tableUUID: String?
        /// As of the last fence or commit.
        var metadata: TableMetadata?
        var owned: [PartitionID: OwnedPartition] = [:]
        /// Assigned, not taken up yet.
        var waiting: [any SpanSource] = []
        /// Before this moment another try of the waiting ones is of no use.
        var retryAt = MonotonicInstant.now
        /// Of the last batch.
        var sequence: Int64 = 0
    }

    struct OwnedPartition {
        var source: any SpanSource
        var epoch: Int64
        var history: FileHistory
        /// The last one that is in the table.
        var draft: PositionDraft?
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

    var stopBy: MonotonicInstant? { state.withLock { $0.stopBy } }

    // MARK: The thread

    private func run() {
        var ownership = Ownership()
        var pace = CommitPace(context.options)
        enter(.fencing)
        while true {
            take(&ownership)
            giveBack(&ownership)
            if let stopBy, .now >= stopBy { break }
            if stopBy == nil, ownership.tableUUID == nil || isDue(ownership) {
                takeOver(&ownership)
                if ownership.tableUUID != nil { enter(.running) }
                continue
            }
            guard ownership.tableUUID != nil else { break }
            wait(pace, ownership)
            if hasRevocations { continue }
            if takesTakeoverWish(), stopBy == nil {
                reclaim(Array(ownership.owned.keys), &ownership)
                continue
            }
            guard commitWhatIsDue(&ownership, &pace) else { break }
        }
        // Nobody waits for a thread that has ended.
        for revocation in takeRevocations() { revocation.reply.fill(false) }
        enter(.stopped)
    }

    private func isDue(_ ownership: Ownership) -> Bool {
        !ownership.waiting.isEmpty && ownership.retryAt <= .now
    }

    private func wait(_ pace: CommitPace, _ ownership: Ownership) {
        let due = ownership.waiting.isEmpty ? pace.due : min(pace.due, ownership.retryAt)
        _ = wakeup.wait(until: due) {
            self.state.withLock { state in
                state.wantsCommit || state.wantsTakeover || state.stopBy != nil || !state.assigned.isEmpty
                    || !state.revocations.isEmpty
            } ? true : nil
        }
    }

    /// Whether a commit was asked for since the last call.
    func takesCommitWish() -> Bool {
        state.withLock { state in
            defer { state.wantsCommit = false }
            return state.wantsCommit
        }
    }

    private func takesTakeoverWish() -> Bool {
        state.withLock { state in
            defer { state.wantsTakeover = false }
            return state.wantsTakeover
        }
    }

    // MARK: Assignments

    private func take(_ ownership: inout Ownership) {
        let new = state.withLock { state in
            defer { state.assigned = [] }
            return state.assigned
        }
        guard !new.isEmpty else { return }
        ownership.waiting += new
        ownership.retryAt = .now
    }

    var hasRevocations: Bool { state.withLock { !$0.revocations.isEmpty } }

    private func takeRevocations() -> [Revocation] {
        state.withLock { state in
            defer { state.revocations = [] }
            return state.revocations
        }
    }

    /// Commits what is decided of the partitions that go, unless others own them already, and drops their shards.
    private func giveBack(_ ownership: inout Ownership) {
        for revocation in takeRevocations() {
            ownership.waiting.removeAll { source in revocation.sources.contains { $0 === source } }
            let ids = Set(
                ownership.owned.filter { entry in revocation.sources.contains { $0 === entry.value.source } }.keys)
            let isCommitted =
                ids.isEmpty || revocation.isLost ? false : commitLast(ids, &ownership, revocation.deadline)
            close(Array(ids), &ownership)
            revocation.reply.fill(isCommitted)
        }
    }

    /// The shards are dropped; whoever takes the partitions over reads again what was not committed.
    func close(_ ids: [PartitionID], _ ownership: inout Ownership) {
        guard !ids.isEmpty else { return }
        waitForAll { .close(ids, $0) }
        for id in ids { ownership.owned[id] = nil }
    }

    func waitForAll(_ order: (ReplySlot<Bool>) -> WorkerOrder) {
        let replies = context.workers.map { worker in
            let reply = ReplySlot<Bool>()
            worker.order(order(reply))
            return reply
        }
        for reply in replies { _ = reply.take(until: nil) }
    }

    func worker(of id: PartitionID) -> Worker {
        context.workers[Int(id.partition) % context.workers.count]
    }

    // MARK: Machines

    /// Runs a machine to its end; nil when it is not wanted any more.
    ///
    /// - Parameter isWanted: Asked before every action.
    func drive<Machine: TableMachine>(
        _ machine: inout Machine, sources: [any SpanSource], while isWanted: () -> Bool,
        beforeEach: (Machine) -> Void = { _ in }
    ) -> Machine.Outcome? {
        let driver = TableDriver(
            catalog: context.catalog, files: context.files, rows: context.rows, sources: sources
        ) { milliseconds in
            let before = self.stopBy
            _ = self.wakeup.wait(until: .now + .milliseconds(milliseconds)) {
                self.stopBy != before || self.hasRevocations ? true : nil
            }
        }
        let outcome = driver.run(&machine, clock: context.clock) { machine in
            self.show(machine.obstacle)
            beforeEach(machine)
            return isWanted()
        }
        show(nil)
        return outcome
    }

    /// Keeps the obstacle for health, and warns once a minute.
    func show(_ obstacle: TableObstacle?) {
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

    func enter(_ phase: RunnerStatus.Phase) {
        state.withLock { state in
            guard state.status.phase != phase else { return }
            state.status.phase = phase
            state.status.phaseSinceMilliseconds = context.clock.wallMilliseconds
        }
    }

    func update(_ body: (inout RunnerStatus) -> Void) {
        state.withLock { body(&$0.status) }
    }
}

extension Committer: SourceOwner {
    func assigned(_ sources: [any SpanSource]) {
        state.withLock { $0.assigned += sources }
        wakeup.signal()
    }

    func revoked(_ sources: [any SpanSource], isLost: Bool, within limit: Duration) {
        let deadline = MonotonicInstant.now + limit
        let reply = ReplySlot<Bool>()
        state.withLock { state in
            // What was never looked at is simply taken back.
            state.assigned.removeAll { source in sources.contains { $0 === source } }
            state.revocations.append(
                Revocation(sources: sources, isLost: isLost, deadline: deadline, reply: reply))
        }
        wakeup.signal()
        _ = reply.take(until: deadline)
    }
}
