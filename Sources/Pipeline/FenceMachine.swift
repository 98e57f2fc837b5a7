public import Iceberg

/// The table as it was when it first named us the owner.
public struct FencedTable: Sendable {
    public var metadata: TableMetadata
    /// The epoch of each partition under which we may commit.
    public var epochs: [PartitionID: Int64]
    /// Read from `metadata`, after the fence: nobody else can change them from there on. Absent: never committed.
    public var positions: [PartitionID: Position]
    /// Whether the table was made by this fence.
    public var isNew: Bool
    /// Fencing commits that were tried.
    public var attempts: Int

    public init(
        metadata: TableMetadata, epochs: [PartitionID: Int64], positions: [PartitionID: Position], isNew: Bool,
        attempts: Int
    ) {
        self.metadata = metadata
        self.epochs = epochs
        self.positions = positions
        self.isNew = isNew
        self.attempts = attempts
    }
}

/// FENCE: takes partitions over in one commit that moves main, so that a frozen earlier owner cannot commit.
///
///     load ─▶ (create namespace and table) ─▶ (add columns) ─▶ append an empty snapshot with owner(p) = epoch + 1
///       ▲                                                              │
///       └──── 409 or unknown: owner(p) is an epoch tried here and me? ─┴─ yes ▶ done
///
/// Main must move: an earlier owner's commit asserts the main that it was built on; a commit of properties
/// alone would let it through. The writer's name alone does not say that a fence was applied, for the same
/// process may have lost and regained the partition: the epochs tried in **this** fence do.
///
/// It goes on until it succeeds or its driver drops it. Source: Documentation/Positions.md, "FENCE".
public struct FenceMachine: TableMachine {
    private enum State {
        case loading
        case creatingNamespace
        case creatingTable
        case evolving
        case appending
        case committing
        case waiting
    }

    public private(set) var obstacle: TableObstacle?

    private let definition: TableDefinition
    private let partitions: [PartitionID]
    private let writer: String
    private let group: String
    private let options: TableStepOptions
    private var random: StepRandom
    private var conflicts: Backoff
    private var outages: Backoff
    private var state = State.loading
    private var append: AppendAttempt?
    /// Every epoch that a commit of this fence tried to write.
    private var tried: [PartitionID: Set<Int64>] = [:]
    private var isNew = false
    private var attempts = 0

    /// - Parameters:
    ///   - writer: Random at every process start, hexadecimal.
    ///   - seed: Of jitter and names; random, or a test's.
    public init(
        definition: TableDefinition, partitions: [PartitionID], writer: String, group: String = "",
        options: TableStepOptions = TableStepOptions(), seed: UInt64
    ) {
        self.definition = definition
        self.partitions = partitions
        self.writer = writer
        self.group = group
        self.options = options
        random = StepRandom(seed: seed)
        conflicts = options.conflictBackoff
        outages = options.outageBackoff
    }

    public mutating func step(_ event: TableEvent, at moment: Moment) -> TableStep<FencedTable> {
        switch (state, event) {
        case (_, .start), (.waiting, .waited):
            return load()
        case (.loading, .table(.success(let table))):
            return loaded(table, at: moment)
        case (.loading, .table(.failure(let error))):
            return error.code == .notFound ? createNamespace() : failed(error)
        case (.creatingNamespace, .namespace(.success)):
            state = .creatingTable
            return .perform(.createTable(definition))
        case (.creatingNamespace, .namespace(.failure(let error))):
            return failed(error)
        case (.creatingTable, .table(.success(let table))):
            isNew = true
            return loaded(table, at: moment)
        case (.creatingTable, .table(.failure(let error))):
            // Somebody else made it meanwhile, or our own request did: `unknown` loads again too.
            return error.code == .alreadyExists ? load() : failed(error)
        case (.evolving, .table(let result)):
            return evolved(result)
        case (.appending, _):
            return appended(event, at: moment)
        case (.committing, .table(let result)):
            return committed(result, at: moment)
        default:
            preconditionFailure("FENCE got an event that it did not ask for")
        }
    }

    private mutating func load() -> TableStep<FencedTable> {
        state = .loading
        append = nil
        return .perform(.loadTable(definition.identifier))
    }

    private mutating func createNamespace() -> TableStep<FencedTable> {
        state = .creatingNamespace
        return .perform(.createNamespace(definition.identifier.namespace))
    }

    private mutating func loaded(_ table: LoadedTable, at moment: Moment) -> TableStep<FencedTable> {
        outages.succeeded()
        if let skew = options.skew(of: table, at: moment) {
            obstacle = .clockSkew(milliseconds: skew)
            return wait(outages.next(&random))
        }
        obstacle = nil
        do throws(TableFormatError) {
            if let fenced = try fenced(table.metadata) { return .done(fenced) }
            if let change = try definition.evolution(table.metadata) {
                state = .evolving
                return .perform(
                    .commit(
                        definition.identifier, requirements: change.requirements, updates: change.updates))
            }
            // Nothing to own yet: the table is there and as it should be.
            guard !partitions.isEmpty else {
                return .done(
                    FencedTable(metadata: table.metadata, epochs: [:], positions: [:], isNew: isNew, attempts: 0))
            }
            return try fence(table.metadata, at: moment)
        } catch {
            return refused(error.message)
        }
    }

    private mutating func evolved(_ result: Result<LoadedTable, CatalogError>) -> TableStep<FencedTable> {
        switch result {
        case .success: return load()
        case .failure(let error): return error.code == .conflict ? contested() : failed(error)
        }
    }

    /// Whether the metadata names us by an epoch of this fence, for all partitions.
    private func fenced(_ metadata: TableMetadata) throws(TableFormatError) -> FencedTable? {
        guard attempts > 0 else { return nil }
        var epochs: [PartitionID: Int64] = [:]
        var positions: [PartitionID: Position] = [:]
        for id in partitions {
            guard let owner = try metadata.owner(of: id), owner.writer == writer,
                tried[id, default: []].contains(owner.epoch)
            else { return nil }
            epochs[id] = owner.epoch
            positions[id] = try metadata.position(of: id)
        }
        return FencedTable(
            metadata: metadata, epochs: epochs, positions: positions, isNew: isNew, attempts: attempts)
    }

    private mutating func fence(
        _ metadata: TableMetadata, at moment: Moment
    ) throws(TableFormatError) -> TableStep<FencedTable> {
        var properties: [String: String] = [:]
        for id in partitions {
            let owned = try metadata.owner(of: id)?.epoch ?? 0
            let committed = try metadata.position(of: id)?.epoch ?? 0
            let epoch = max(owned, committed) + 1
            tried[id, default: []].insert(epoch)
            properties[TableProperties.ownerKey(id)] = Owner(epoch: epoch, writer: writer, group: group).json
        }
        if options.plants(.noFence) {
            return commit(
                TableChange(
                    requirements: [.assertTableUUID(metadata.tableUUID)], updates: [.setProperties(properties)]))
        }
        state = .appending
        append = AppendAttempt(
            SnapshotAppend(
                files: [], snapshotID: AppendAttempt.snapshotID(&random), uuid: AppendAttempt.name(&random),
                summary: ["tss.writer": writer, "tss.fence": partitions.map(\.description).joined(separator: " ")]),
            on: metadata, properties: properties, options: options)
        return appended(.start, at: moment)
    }

    private mutating func appended(_ event: TableEvent, at moment: Moment) -> TableStep<FencedTable> {
        switch append?.step(event, at: moment) {
        case .perform(let action): return .perform(action)
        case .ready(let change): return commit(change)
        case .failed(let failure): return failed(failure)
        case nil: preconditionFailure("no append under way")
        }
    }

    private mutating func commit(_ change: TableChange) -> TableStep<FencedTable> {
        state = .committing
        attempts += 1
        return .perform(
            .commit(definition.identifier, requirements: change.requirements, updates: change.updates))
    }

    private mutating func committed(
        _ result: Result<LoadedTable, CatalogError>, at moment: Moment
    ) -> TableStep<FencedTable> {
        switch result {
        case .success(let table):
            do throws(TableFormatError) {
                // The answer is the table with our commit in it; a later one may be there already.
                if let fenced = try fenced(table.metadata) { return .done(fenced) }
                return contested()
            } catch {
                return refused(error.message)
            }
        case .failure(let error):
            return error.code == .conflict || error.code == .alreadyExists ? contested() : failed(error)
        }
    }

    // MARK: Waits

    private mutating func contested() -> TableStep<FencedTable> {
        obstacle = nil
        return wait(conflicts.next(&random))
    }

    private mutating func failed(_ error: CatalogError) -> TableStep<FencedTable> {
        guard error.isRetryable || error.code == .notFound else { return refused(error.message) }
        obstacle = .catalog(error.message)
        return wait(outages.next(&random))
    }

    private mutating func failed(_ failure: AppendAttempt.Failure) -> TableStep<FencedTable> {
        switch failure {
        case .vanished:
            return contested()
        case .files(let message):
            obstacle = .files(message)
            return wait(outages.next(&random))
        case .refused(let message):
            return refused(message)
        }
    }

    private mutating func refused(_ message: String) -> TableStep<FencedTable> {
        obstacle = .refused(message)
        return wait(options.refusedMilliseconds)
    }

    /// Waits, then begins again at the load: whatever happened meanwhile is seen there.
    private mutating func wait(_ milliseconds: Int64) -> TableStep<FencedTable> {
        append = nil
        state = .waiting
        return .perform(.wait(milliseconds: milliseconds))
    }
}
