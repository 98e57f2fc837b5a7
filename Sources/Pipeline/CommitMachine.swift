public import Iceberg
import TraceModel

/// Whole traces of several partitions and where those partitions stand once the traces are in the table.
///
/// One batch is in flight per process, with one sequence number for all its attempts.
public struct CommitBatch: Sendable {
    /// Of the table that FENCE saw.
    public var tableUUID: String
    /// Rises with every batch of this process; together with the epoch it names the batch for ever.
    public var sequence: Int64
    /// Each with the epoch under which it was sealed.
    public var partitions: [SealedPartition]
    /// What the table holds of each partition, from RECOVER and earlier commits.
    public var histories: [PartitionID: FileHistory]

    public init(
        tableUUID: String, sequence: Int64, partitions: [SealedPartition],
        histories: [PartitionID: FileHistory]
    ) {
        self.tableUUID = tableUUID
        self.sequence = sequence
        self.partitions = partitions
        self.histories = histories
    }
}

/// What became of a batch.
public enum CommitOutcome: Sendable {
    case finished(CommitReceipt)
    /// The table is another one, or gone: everybody fences again and keeps what is not committed.
    case tableReplaced
}

/// A batch that is in the table, but for the partitions that were lost.
public struct CommitReceipt: Sendable {
    /// With the histories to hand to the next batch.
    public var committed: [PartitionID: FileHistory]
    /// Somebody else owns them: their rows are not in the table, their shards are worth nothing.
    public var fenced: [PartitionID]
    /// Nil when only positions moved.
    public var snapshotID: Int64?
    public var files: [DataFile]
    public var rowCount: Int64
    public var traceCount: Int
    /// Commits that were tried, refused ones included.
    public var attempts: Int
    /// Commits that somebody else's made void.
    public var conflicts: Int
    public var metadata: TableMetadata
}

/// COMMIT: brings one batch into the table exactly once, whatever happens to requests and answers.
///
///        ┌─▶ load M ─▶ 1 owner(p) is (my epoch, me)?  no: p is fenced, its rows leave the batch
///        │             2 position(p) ≥ (my epoch, sequence) for all p?  yes: done
///        │             3 files absent, or up for more than an hour: write the rows, load again
///        │             4 append on M, with the positions in the same commit
///        └─ 409, 5xx, cut, time-out: full jitter ◀─┘ 200: done
///
/// A lost answer is resolved by the position's (epoch, sequence), never by looking for our snapshot: that may
/// have been expired or rolled back meanwhile. Requirements: the table's uuid, main as in M; FENCE moves main,
/// so what was built on metadata of before a fence is refused.
///
/// Without rows the same loop sets the positions alone. It goes on until it succeeds or its driver drops it.
/// Source: Documentation/Positions.md, "COMMIT".
public struct CommitMachine: TableMachine {
    private enum State {
        case loading
        case writingRows(source: Int)
        case appending
        case committing
        case waiting
        /// Waits to write the rows again, not to load.
        case waitingToWrite(source: Int)
    }

    /// Where a batch stands, for kill points and health.
    public enum Phase: Sendable, Hashable {
        case checking
        case writing
        /// Data files are durable, nothing refers to them yet.
        case uploaded
        case committing
    }

    public private(set) var obstacle: TableObstacle?
    public private(set) var attempts = 0
    public private(set) var conflicts = 0

    private let identifier: TableIdentifier
    private let writer: String
    private let options: TableStepOptions
    private let tableUUID: String
    private let sequence: Int64
    private var partitions: [SealedPartition]
    private var histories: [PartitionID: FileHistory]
    private var fenced: [PartitionID] = []
    private var random: StepRandom
    private var conflictBackoff: Backoff
    private var outageBackoff: Backoff
    private var state = State.loading
    private var append: AppendAttempt?
    /// With the manifest of the new files, which serves all attempts.
    private var shared: SnapshotAppend?
    private var metadata: TableMetadata?
    /// Nil while the rows are not in files.
    private var upload: Upload?
    private var writtenFiles: [DataFile] = []
    private var snapshotID: Int64
    /// Lowest sequence number that an attempt with the present files tried to get.
    private var lowestTriedSequence: Int64?

    private struct Upload {
        var files: [DataFile]
        var atMonotonicMilliseconds: Int64
    }

    public init(
        identifier: TableIdentifier, batch: CommitBatch, writer: String,
        options: TableStepOptions = TableStepOptions(), seed: UInt64
    ) {
        self.identifier = identifier
        self.writer = writer
        self.options = options
        tableUUID = batch.tableUUID
        sequence = batch.sequence
        partitions = batch.partitions
        histories = batch.histories
        random = StepRandom(seed: seed)
        conflictBackoff = options.conflictBackoff
        outageBackoff = options.outageBackoff
        snapshotID = AppendAttempt.snapshotID(&random)
    }

    /// Where the batch stands now.
    public var phase: Phase {
        switch state {
        case .writingRows, .waitingToWrite: .writing
        case .committing: .committing
        case .appending: upload == nil ? .checking : .uploaded
        case .loading, .waiting: upload == nil ? .checking : .uploaded
        }
    }

    public mutating func step(_ event: TableEvent, at moment: Moment) -> TableStep<CommitOutcome> {
        switch (state, event) {
        case (_, .start), (.waiting, .waited):
            return load()
        case (.loading, .table(.success(let table))):
            return loaded(table, at: moment)
        case (.loading, .table(.failure(let error))):
            return failed(error)
        case (.waitingToWrite(let source), .waited):
            return write(source)
        case (.writingRows(let source), .rows(.success(let files))):
            writtenFiles += files
            return wrote(source, at: moment)
        case (.writingRows(let source), .rows(.failure(let error))):
            return failed(error, writing: source)
        case (.appending, _):
            return appended(event, at: moment)
        case (.committing, .table(.success(let table))):
            return finish(table.metadata, sequence: sequenceOnCommit)
        case (.committing, .table(.failure(let error))):
            return failed(error)
        default:
            preconditionFailure("COMMIT got an event that it did not ask for")
        }
    }

    private mutating func load() -> TableStep<CommitOutcome> {
        state = .loading
        append = nil
        return .perform(.loadTable(identifier))
    }

    // MARK: Rows

    private var sources: [SourceID] {
        var sources: [SourceID] = []
        for partition in partitions where !partition.traces.isEmpty && !sources.contains(partition.id.source) {
            sources.append(partition.id.source)
        }
        return sources
    }

    private mutating func write(_ source: Int) -> TableStep<CommitOutcome> {
        guard let metadata else { preconditionFailure("rows are written after a load") }
        if source == 0 { writtenFiles = [] }
        state = .writingRows(source: source)
        let id = sources[source]
        let traces = partitions.lazy.filter { $0.id.source == id }.flatMap(\.traces)
        return .perform(
            .writeRows(
                Array(traces), source: id, directory: metadata.dataDirectory,
                name: "\(writer)-\(sequence)-\(Hexadecimal.text(random.next()))"))
    }

    private mutating func wrote(_ source: Int, at moment: Moment) -> TableStep<CommitOutcome> {
        obstacle = nil
        outageBackoff.succeeded()
        guard source + 1 == sources.count else { return write(source + 1) }
        shared = nil
        upload = Upload(files: writtenFiles, atMonotonicMilliseconds: moment.monotonicMilliseconds)
        lowestTriedSequence = nil
        // The upload took its time: what was loaded before it is old.
        return load()
    }

    // MARK: Append

    private mutating func attempt(
        on metadata: TableMetadata, at moment: Moment
    ) -> TableStep<CommitOutcome> {
        self.metadata = metadata
        guard !sources.isEmpty else {
            return commit(
                TableChange(
                    requirements: [
                        .assertTableUUID(tableUUID),
                        .assertRefSnapshotID(
                            reference: SnapshotReference.main, snapshotID: metadata.currentSnapshotID),
                    ], updates: [.setProperties(positions(on: metadata))]))
        }
        guard let upload,
            moment.monotonicMilliseconds - upload.atMonotonicMilliseconds <= options.uploadAgeMilliseconds
        else {
            // Orphan removal may have taken files that nothing refers to; under their old names they stay away.
            self.upload = nil
            return write(0)
        }
        let positions = positions(on: metadata)
        state = .appending
        let append =
            shared
            ?? SnapshotAppend(
                files: upload.files, snapshotID: snapshotID, uuid: AppendAttempt.name(&random),
                summary: summary(positions))
        self.append = AppendAttempt(append, on: metadata, properties: positions, options: options)
        return appended(.start, at: moment)
    }

    /// The positions once more, for people.
    private func summary(_ positions: [String: String]) -> [String: String] {
        var summary = ["tss.writer": writer, "tss.sequence": String(sequence)]
        if positions.count <= Self.partitionsInSummary { summary.merge(positions) { first, _ in first } }
        return summary
    }

    /// A summary that names more partitions would grow the metadata for nobody's use.
    private static var partitionsInSummary: Int { 16 }

    private mutating func appended(_ event: TableEvent, at moment: Moment) -> TableStep<CommitOutcome> {
        switch append?.step(event, at: moment) {
        case .perform(let action): return .perform(action)
        case .ready(let change):
            shared = append?.append
            return commit(change)
        case .failed(let failure):
            // What was written is not known: the next attempt makes everything anew, under new names.
            shared = nil
            return failed(failure)
        case nil: preconditionFailure("no append under way")
        }
    }

    private mutating func commit(_ change: TableChange) -> TableStep<CommitOutcome> {
        state = .committing
        attempts += 1
        if let sequence = sequenceOnCommit {
            lowestTriedSequence = min(lowestTriedSequence ?? sequence, sequence)
        }
        return .perform(.commit(identifier, requirements: change.requirements, updates: change.updates))
    }

    /// The sequence number of the snapshot that this attempt would add; nil when it adds none.
    private var sequenceOnCommit: Int64? {
        sources.isEmpty ? nil : metadata.map { $0.lastSequenceNumber + 1 }
    }
}

extension CommitMachine {
    // MARK: The four checks

    private mutating func loaded(_ table: LoadedTable, at moment: Moment) -> TableStep<CommitOutcome> {
        let metadata = table.metadata
        guard metadata.tableUUID == tableUUID else { return .done(.tableReplaced) }
        if let skew = options.skew(of: table, at: moment) {
            obstacle = .clockSkew(milliseconds: skew)
            return wait(outageBackoff.next(&random))
        }
        obstacle = nil
        outageBackoff.succeeded()
        do throws(TableFormatError) {
            try removeFenced(metadata)
            guard !partitions.isEmpty else { return finish(metadata, sequence: nil) }
            if try isApplied(metadata) {
                let snapshot = metadata.snapshot(id: snapshotID)
                return finish(metadata, sequence: snapshot?.sequenceNumber ?? lowestTriedSequence)
            }
        } catch {
            return refused(error.message)
        }
        return attempt(on: metadata, at: moment)
    }

    /// Takes out the partitions that somebody else owns; their rows must not be in any file that is committed.
    private mutating func removeFenced(_ metadata: TableMetadata) throws(TableFormatError) {
        var owned: [SealedPartition] = []
        var hasLostRows = false
        for partition in partitions {
            let owner = try metadata.owner(of: partition.id)
            if owner?.epoch == partition.epoch, owner?.writer == writer {
                owned.append(partition)
            } else {
                fenced.append(partition.id)
                hasLostRows = hasLostRows || !partition.traces.isEmpty
            }
        }
        guard owned.count < partitions.count else { return }
        partitions = owned
        guard hasLostRows else { return }
        // The old files may be named by a request on its way, which the fence has made void: left to orphan removal.
        upload = nil
        shared = nil
        snapshotID = AppendAttempt.snapshotID(&random)
    }

    /// Whether an attempt whose answer was lost is in the table.
    private func isApplied(_ metadata: TableMetadata) throws(TableFormatError) -> Bool {
        if options.plants(.looksForSnapshot), !sources.isEmpty {
            return metadata.snapshot(id: snapshotID) != nil
        }
        for partition in partitions {
            guard let position = try metadata.position(of: partition.id), position.epoch == partition.epoch,
                position.sequence >= sequence
            else { return false }
        }
        return true
    }

    // MARK: Positions

    /// The properties that go with the rows.
    private func positions(on metadata: TableMetadata) -> [String: String] {
        var properties: [String: String] = [:]
        for partition in partitions {
            let history = history(of: partition, sequence: metadata.lastSequenceNumber + 1)
            let since = lateSince(partition)
            var floor = history.floor(resume: partition.draft.resume)
            if options.plants(.floorIsNewest) { floor = history.entries.last?.sequence }
            let position = Position(
                epoch: partition.epoch, sequence: sequence, resume: partition.draft.resume,
                settled: partition.draft.settled, clock: partition.draft.clock, floor: floor,
                late: history.late(sinceMilliseconds: since), anchor: partition.draft.anchor)
            properties[TableProperties.positionKey(partition.id)] = position.json
        }
        return properties
    }

    private func lateSince(_ partition: SealedPartition) -> Int64 {
        partition.draft.clock.milliseconds - options.lateHorizonMilliseconds
    }

    /// What the table holds of the partition once the batch is in it under this sequence number.
    private func history(of partition: SealedPartition, sequence: Int64) -> FileHistory {
        var history = histories[partition.id] ?? FileHistory()
        history.drop(resume: partition.draft.resume, sinceMilliseconds: lateSince(partition))
        guard !partition.traces.isEmpty else { return history }
        var last = Int64.min
        var decided = Int64.min
        for rows in partition.traces {
            decided = max(decided, rows.decidedAtMilliseconds)
            for span in rows.trace.spans { last = max(last, span.offset) }
        }
        history.add(FileHistory.Entry(sequence: sequence, lastOffset: last, decidedUntilMilliseconds: decided))
        return history
    }

    private mutating func finish(_ metadata: TableMetadata, sequence: Int64?) -> TableStep<CommitOutcome> {
        var committed: [PartitionID: FileHistory] = [:]
        for partition in partitions {
            // Without any number a lower bound is what every table has.
            committed[partition.id] = history(of: partition, sequence: sequence ?? 0)
        }
        let files = sources.isEmpty ? [] : upload?.files ?? []
        return .done(
            .finished(
                CommitReceipt(
                    committed: committed, fenced: fenced, snapshotID: files.isEmpty ? nil : snapshotID,
                    files: files, rowCount: files.reduce(0) { $0 + $1.recordCount },
                    traceCount: partitions.reduce(0) { $0 + $1.traces.count }, attempts: attempts,
                    conflicts: conflicts, metadata: metadata)))
    }

    // MARK: Waits

    private mutating func failed(_ error: CatalogError) -> TableStep<CommitOutcome> {
        switch error.code {
        case .notFound:
            return .done(.tableReplaced)
        case .conflict, .alreadyExists:
            conflicts += 1
            return wait(conflictBackoff.next(&random))
        default:
            guard error.isRetryable else { return refused(error.message) }
            obstacle = .catalog(error.message)
            return wait(outageBackoff.next(&random))
        }
    }

    private mutating func failed(_ failure: AppendAttempt.Failure) -> TableStep<CommitOutcome> {
        switch failure {
        case .vanished:
            return wait(conflictBackoff.next(&random))
        case .files(let message):
            obstacle = .files(message)
            return wait(outageBackoff.next(&random))
        case .refused(let message):
            return refused(message)
        }
    }

    private mutating func failed(_ error: FileError, writing source: Int) -> TableStep<CommitOutcome> {
        obstacle = error.isRetryable ? .files(error.message) : .refused(error.message)
        state = .waitingToWrite(source: source)
        return .perform(
            .wait(
                milliseconds: error.isRetryable ? outageBackoff.next(&random) : options.refusedMilliseconds))
    }

    private mutating func refused(_ message: String) -> TableStep<CommitOutcome> {
        obstacle = .refused(message)
        return wait(options.refusedMilliseconds)
    }

    /// Waits, then begins again at the load: whatever happened meanwhile is seen there.
    private mutating func wait(_ milliseconds: Int64) -> TableStep<CommitOutcome> {
        append = nil
        state = .waiting
        return .perform(.wait(milliseconds: milliseconds))
    }
}
