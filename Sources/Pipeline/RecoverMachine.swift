public import Iceberg
import TraceModel

/// What RECOVER found out of the ordinary; each is a log line.
public enum RecoveryRemark: Sendable, Hashable {
    /// Retention overtook us: these offsets are gone.
    case gap(from: Int64, to: Int64)
    /// An old copy of the log came back: it ends below the table's position. New records begin at `next`.
    case logIsOlder(end: Int64, next: Int64)
    /// The record below `resume` is not the one that the table remembers: another log under the same name.
    case anchorDiffers(Anchor, found: Anchor?)
    /// The group's offset carries no stamp and is not the table's: somebody set it, and is obeyed.
    case operatorReset(to: Int64, from: Int64?)
    /// The group's offset belongs to another table: reading starts where `kafka.auto_offset_reset` says.
    case otherTable(String, start: Int64)
}

/// A partition that can be taken up.
public struct RecoveredSource: Sendable {
    public var partition: RecoveredPartition
    /// For the first batch.
    public var history: FileHistory
    public var remarks: [RecoveryRemark]

    public init(partition: RecoveredPartition, history: FileHistory, remarks: [RecoveryRemark]) {
        self.partition = partition
        self.history = history
        self.remarks = remarks
    }
}

/// What came of a recovery.
public enum RecoveryOutcome: Sendable {
    case recovered([RecoveredSource])
    /// Somebody fenced one of the partitions, or the table is another one: fence again.
    case fenced
    /// The topics of these partitions are not those that the table remembers: their generation rises, and they are
    /// fenced under the new one. The others are recovered then, too.
    case otherLogs([PartitionID])
}

/// RECOVER: where each partition goes on, and which rows of it the table has above that.
///
///     positions ─▶ anchors ─▶ main's manifest list ─▶ manifests ─▶ files ≥ floor: rows with offset ≥ resume
///                                                                 files ≥ late:  trace → kept
///
/// The files are those of main as FENCE left it. When one is gone (expired, compacted) main is loaded again;
/// while it still names us the owner, the positions are what they were.
///
/// It goes on until it succeeds or its driver drops it. Source: Documentation/Positions.md, "RECOVER".
public struct RecoverMachine: TableMachine {
    private indirect enum State {
        case anchor(Int)
        case loading
        case readingList
        case readingManifest(Int)
        case present(file: Int, partition: Int)
        case verdicts(file: Int)
        /// Then the same action once more.
        case waiting(then: State, TableAction)
        case waitingToLoad
    }

    /// What is being put together for one partition.
    private struct Work {
        var id: PartitionID
        var epoch: Int64
        var bounds: SourceBounds
        /// Lowest file sequence numbers of files with present rows, and of files younger than the late horizon.
        var floor: Int64?
        var late: Int64?
        var resume: Int64
        var settled: Int64
        var clock: StreamTick
        var anchor: Anchor?
        var remarks: [RecoveryRemark] = []
        var present: [PresentRow] = []
        var presentTraces: Set<TraceID> = []
        var kept: [TraceID: KeptVerdict] = [:]
        var history = FileHistory()
        /// Highest offset of the rows in the file that is being read.
        var lastInFile: Int64?

        var isEmbedded: Bool { id.source.topic.hasPrefix("otlp:") }
        /// A topic under an old name: it ends below what was read of it, or holds another record there.
        var isOtherLog: Bool { !isEmbedded && (hasOtherAnchor || bounds.end < resume) }
        var hasOtherAnchor: Bool {
            remarks.contains { if case .anchorDiffers = $0 { true } else { false } }
        }

        func needsRows(of file: DataFile) -> Bool { reaches(file, floor) }
        func needsVerdicts(of file: DataFile) -> Bool { reaches(file, late) }

        private func reaches(_ file: DataFile, _ bound: Int64?) -> Bool {
            guard let bound else { return false }
            // A file without a number is one of a table that was upgraded: older than anything of ours.
            return (file.fileSequenceNumber ?? 0) >= bound
        }
    }

    public private(set) var obstacle: TableObstacle?

    private let identifier: TableIdentifier
    private let writer: String
    private let options: TableStepOptions
    private var metadata: TableMetadata
    private var work: [Work] = []
    private var random: StepRandom
    private var outages: Backoff
    private var state = State.loading
    private var manifests: [ManifestFile] = []
    private var files: [DataFile] = []

    /// - Parameters:
    ///   - fenced: What FENCE came back with.
    ///   - sources: What each partition's log can be read from and to.
    public init(
        identifier: TableIdentifier, fenced: FencedTable, sources: [PartitionID: SourceStart], writer: String,
        options: TableStepOptions = TableStepOptions(), seed: UInt64
    ) {
        self.identifier = identifier
        self.writer = writer
        self.options = options
        metadata = fenced.metadata
        random = StepRandom(seed: seed)
        outages = options.outageBackoff
        for (id, epoch) in fenced.epochs.sorted(by: { $0.key.description < $1.key.description }) {
            let position = fenced.positions[id]
            let source = sources[id] ?? SourceStart(bounds: SourceBounds(start: 0, end: 0))
            let start = StartRule(
                position: position, start: source, tableUUID: fenced.metadata.tableUUID,
                generation: id.source.generation, epoch: epoch)
            work.append(
                Work(
                    id: id, epoch: epoch, bounds: source.bounds, floor: start.readsAllFiles ? 0 : position?.floor,
                    late: position?.late, resume: start.resume, settled: start.settled,
                    clock: position?.clock ?? StreamTick(0), anchor: position?.anchor,
                    remarks: start.remark.map { [$0] } ?? []))
        }
    }

    /// For logs of one reader.
    public init(
        identifier: TableIdentifier, fenced: FencedTable, sources: [PartitionID: SourceBounds], writer: String,
        options: TableStepOptions = TableStepOptions(), seed: UInt64
    ) {
        self.init(
            identifier: identifier, fenced: fenced, sources: sources.mapValues { SourceStart(bounds: $0) },
            writer: writer, options: options, seed: seed)
    }

    public mutating func step(_ event: TableEvent, at moment: Moment) -> TableStep<RecoveryOutcome> {
        switch (state, event) {
        case (_, .start):
            return anchor(0)
        case (.anchor(let index), .record(.success(let record))):
            progressed()
            compare(index, record)
            return anchor(index + 1)
        case (.anchor(let index), .record(.failure(let error))):
            // No answer is no proof that the log is another one.
            obstacle = .source(error.message)
            state = .waiting(then: .anchor(index), .readRecord(work[index].id, offset: work[index].anchor!.offset))
            return .perform(.wait(milliseconds: outages.next(&random)))
        case (.waiting(let then, let action), .waited):
            state = then
            return .perform(action)
        case (.waitingToLoad, .waited):
            return load()
        case (.loading, .table(let result)):
            return loaded(result)
        case (.readingList, .bytes(let result)):
            return listed(result)
        case (.readingManifest(let index), .bytes(let result)):
            return manifestRead(index, result)
        case (.present(let file, let partition), .present(let result)):
            return presentRead(file, partition, result)
        case (.verdicts(let file), .verdicts(let result)):
            return verdictsRead(file, result)
        default:
            preconditionFailure("RECOVER got an event that it did not ask for")
        }
    }
}

extension RecoverMachine {
    // MARK: Where to start

    private mutating func anchor(_ index: Int) -> TableStep<RecoveryOutcome> {
        var index = index
        while index < work.count {
            let bounds = work[index].bounds
            if let anchor = work[index].anchor, bounds.start <= anchor.offset, anchor.offset < bounds.end {
                state = .anchor(index)
                return .perform(.readRecord(work[index].id, offset: anchor.offset))
            }
            index += 1
        }
        let others = work.filter(\.isOtherLog).map(\.id)
        guard others.isEmpty else { return .done(.otherLogs(others)) }
        for index in work.indices { place(index) }
        return list()
    }

    private mutating func compare(_ index: Int, _ record: LogRecord?) {
        guard let anchor = work[index].anchor else { return }
        let found = record.map {
            Anchor(offset: $0.offset, timestampMilliseconds: $0.timestampMilliseconds, checksum: $0.checksum)
        }
        if found != anchor { work[index].remarks.append(.anchorDiffers(anchor, found: found)) }
    }

    /// The log and the table disagree: retention overtook us. (A log that is older is settled at the end.)
    private mutating func place(_ index: Int) {
        let start = work[index].bounds.start
        guard start > work[index].resume else { return }
        work[index].remarks.append(.gap(from: work[index].resume, to: start))
        work[index].resume = start
        work[index].settled = max(start, work[index].settled)
        work[index].anchor = nil
    }

    // MARK: Manifests

    private mutating func load() -> TableStep<RecoveryOutcome> {
        state = .loading
        return .perform(.loadTable(identifier))
    }

    private mutating func loaded(_ result: Result<LoadedTable, CatalogError>) -> TableStep<RecoveryOutcome> {
        switch result {
        case .failure(let error):
            if error.code == .notFound { return .done(.fenced) }
            obstacle = error.isRetryable ? .catalog(error.message) : .refused(error.message)
            return loadAgain(error.isRetryable ? outages.next(&random) : options.refusedMilliseconds)
        case .success(let table):
            guard table.metadata.tableUUID == metadata.tableUUID else { return .done(.fenced) }
            for item in work {
                let owner = try? table.metadata.owner(of: item.id)
                guard owner?.epoch == item.epoch, owner?.writer == writer else { return .done(.fenced) }
            }
            metadata = table.metadata
            return list()
        }
    }

    private mutating func list() -> TableStep<RecoveryOutcome> {
        manifests = []
        files = []
        for index in work.indices {
            work[index].present = []
            work[index].presentTraces = []
            work[index].kept = [:]
            work[index].history = FileHistory()
            work[index].lastInFile = nil
        }
        guard let main = metadata.currentSnapshot, lowest != nil else { return finish() }
        state = .readingList
        return .perform(.readFile(location: main.manifestList, limitBytes: options.manifestBytes))
    }

    /// Lowest file sequence number that any partition asks for.
    private var lowest: Int64? {
        work.flatMap { [$0.floor, $0.late] }.compactMap { $0 }.min()
    }

    private mutating func listed(_ result: Result<[UInt8], FileError>) -> TableStep<RecoveryOutcome> {
        guard let lowest, let main = metadata.currentSnapshot else { return finish() }
        switch result {
        case .failure(let error):
            return failed(
                error, then: .readingList,
                .readFile(location: main.manifestList, limitBytes: options.manifestBytes))
        case .success(let bytes):
            do throws(TableFormatError) {
                // Every live entry's file sequence number is at most that of its manifest.
                manifests = try ManifestList.read(bytes).filter {
                    $0.content == .data && $0.sequenceNumber >= lowest
                }
            } catch {
                return refused(error.message)
            }
            return readManifest(0)
        }
    }

    private mutating func readManifest(_ index: Int) -> TableStep<RecoveryOutcome> {
        guard index < manifests.count else {
            files.sort { ($0.fileSequenceNumber ?? 0, $0.path) < ($1.fileSequenceNumber ?? 0, $1.path) }
            return readPresent(0, 0)
        }
        state = .readingManifest(index)
        return .perform(.readFile(location: manifests[index].path, limitBytes: options.manifestBytes))
    }

    private mutating func manifestRead(
        _ index: Int, _ result: Result<[UInt8], FileError>
    ) -> TableStep<RecoveryOutcome> {
        switch result {
        case .failure(let error):
            return failed(
                error, then: .readingManifest(index),
                .readFile(location: manifests[index].path, limitBytes: options.manifestBytes))
        case .success(let bytes):
            do throws(TableFormatError) {
                // Bounds and counts are of no use here.
                let entries = try ManifestReader.entries(
                    bytes, of: manifests[index], projection: ManifestReader.Projection(columns: []))
                for entry in entries where entry.isLive && entry.content == .data {
                    let file = entry.file
                    if work.contains(where: { $0.needsRows(of: file) || $0.needsVerdicts(of: file) }) {
                        files.append(file)
                    }
                }
            } catch {
                return refused(error.message)
            }
            return readManifest(index + 1)
        }
    }

    // MARK: Files

    private mutating func readPresent(_ file: Int, _ partition: Int) -> TableStep<RecoveryOutcome> {
        guard file < files.count else { return finish() }
        var partition = partition
        while partition < work.count {
            if work[partition].needsRows(of: files[file]) {
                state = .present(file: file, partition: partition)
                return .perform(readPresentAction(file, partition))
            }
            partition += 1
        }
        return readVerdicts(file)
    }

    private func readPresentAction(_ file: Int, _ partition: Int) -> TableAction {
        .readPresent(files[file], work[partition].id, from: work[partition].resume)
    }

    private mutating func presentRead(
        _ file: Int, _ partition: Int, _ result: Result<[PresentRow], FileError>
    ) -> TableStep<RecoveryOutcome> {
        switch result {
        case .failure(let error):
            return failed(error, then: state, readPresentAction(file, partition))
        case .success(let rows):
            progressed()
            work[partition].lastInFile = rows.map(\.offset).max()
            if !options.plants(.forgetsPresentRows) { work[partition].present += rows }
            for row in rows { work[partition].presentTraces.insert(row.traceID) }
            return readPresent(file, partition + 1)
        }
    }

    private mutating func readVerdicts(_ file: Int) -> TableStep<RecoveryOutcome> {
        guard let since = verdictsSince(file) else {
            closeFile(file, decidedUntil: [:])
            return readPresent(file + 1, 0)
        }
        state = .verdicts(file: file)
        return .perform(.readVerdicts(files[file], sinceMilliseconds: since))
    }

    /// From when on the file's verdicts matter; nil when none does. Of present rows every verdict matters.
    private func verdictsSince(_ file: Int) -> Int64? {
        var since: Int64?
        for item in work {
            if item.lastInFile != nil { return .min }
            if item.needsVerdicts(of: files[file]) { since = min(since ?? .max, lateSince(item)) }
        }
        return since
    }

    private func lateSince(_ item: Work) -> Int64 {
        item.clock.milliseconds - options.lateHorizonMilliseconds
    }

    private mutating func verdictsRead(
        _ file: Int, _ result: Result<[KeptVerdict], FileError>
    ) -> TableStep<RecoveryOutcome> {
        switch result {
        case .failure(let error):
            let since = verdictsSince(file) ?? .min
            return failed(error, then: state, .readVerdicts(files[file], sinceMilliseconds: since))
        case .success(let verdicts):
            progressed()
            var decidedUntil: [PartitionID: Int64] = [:]
            for index in work.indices {
                let since = lateSince(work[index])
                let isLate = work[index].needsVerdicts(of: files[file])
                for verdict in verdicts {
                    let isYoung = isLate && verdict.decidedAtMilliseconds >= since
                    guard isYoung || work[index].presentTraces.contains(verdict.traceID) else { continue }
                    decidedUntil[work[index].id] = max(
                        decidedUntil[work[index].id] ?? .min, verdict.decidedAtMilliseconds)
                    note(verdict, for: index)
                }
            }
            closeFile(file, decidedUntil: decidedUntil)
            return readPresent(file + 1, 0)
        }
    }

    /// A trace whose rows lie in several files was decided when its first ones were.
    private mutating func note(_ verdict: KeptVerdict, for index: Int) {
        if let known = work[index].kept[verdict.traceID],
            known.decidedAtMilliseconds <= verdict.decidedAtMilliseconds
        {
            return
        }
        work[index].kept[verdict.traceID] = verdict
    }

    private mutating func closeFile(_ file: Int, decidedUntil: [PartitionID: Int64]) {
        for index in work.indices {
            let last = work[index].lastInFile
            let decided = decidedUntil[work[index].id]
            work[index].lastInFile = nil
            guard last != nil || decided != nil else { continue }
            work[index].history.add(
                FileHistory.Entry(
                    sequence: files[file].fileSequenceNumber ?? 0, lastOffset: last ?? .min,
                    decidedUntilMilliseconds: decided ?? .min))
        }
    }

    // MARK: The end

    private mutating func finish() -> TableStep<RecoveryOutcome> {
        .done(.recovered(work.map { recovered($0) }))
    }

    private func recovered(_ item: Work) -> RecoveredSource {
        var item = item
        item.present.sort { ($0.offset, $0.index) < ($1.offset, $1.index) }
        // An old copy of an embedded log ends below the table, or has taken records since then: their offsets
        // are those of other records in the table.
        if item.bounds.end < item.resume || (item.isEmbedded && item.hasOtherAnchor) {
            let next = max(item.settled, (item.present.last?.offset ?? -1) + 1, item.bounds.end)
            item.remarks.append(.logIsOlder(end: item.bounds.end, next: next))
            item.resume = next
            item.settled = next
            item.anchor = nil
            item.present = []
        }
        return RecoveredSource(
            partition: RecoveredPartition(
                id: item.id, epoch: item.epoch, resume: item.resume, settled: item.settled, clock: item.clock,
                anchor: item.anchor, present: item.present,
                kept: item.kept.values.sorted {
                    ($0.decidedAtMilliseconds, $0.traceID) < ($1.decidedAtMilliseconds, $1.traceID)
                }), history: item.history, remarks: item.remarks)
    }

    // MARK: Waits

    private mutating func progressed() {
        obstacle = nil
        outages.succeeded()
    }

    private mutating func failed(
        _ error: FileError, then: State, _ action: TableAction
    ) -> TableStep<RecoveryOutcome> {
        if error.code == .notFound { return loadAgain(outages.next(&random)) }
        obstacle = error.isRetryable ? .files(error.message) : .refused(error.message)
        let milliseconds = error.isRetryable ? outages.next(&random) : options.refusedMilliseconds
        state = .waiting(then: then, action)
        return .perform(.wait(milliseconds: milliseconds))
    }

    private mutating func refused(_ message: String) -> TableStep<RecoveryOutcome> {
        obstacle = .refused(message)
        return loadAgain(options.refusedMilliseconds)
    }

    private mutating func loadAgain(_ milliseconds: Int64) -> TableStep<RecoveryOutcome> {
        state = .waitingToLoad
        return .perform(.wait(milliseconds: milliseconds))
    }
}
