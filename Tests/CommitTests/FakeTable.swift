import Iceberg
import Pipeline
import Threads
import TraceModel

/// A catalog, its files and rows in memory, with answers that get lost and requests that come late.
final class FakeTable: Catalog, TableFiles, RowFiles {
    /// What becomes of a commit.
    enum Fate {
        case normal
        /// Applied, and the answer never comes.
        case lostAnswer
        /// Not applied, and the answer does not say so.
        case lostRequest
        /// Held back: applied when `deliverLate` is called, if its requirements hold then.
        case late
        case fails(CatalogError)
    }

    struct Row: Hashable {
        var id: PartitionID
        var traceID: TraceID
        var offset: Int64
        var index: UInt32
        var decision: Decision
        var decidedAt: Int64
    }

    private struct State {
        var metadata: TableMetadata?
        var hasNamespace = false
        var version = 0
        var files: [String: [UInt8]] = [:]
        var rows: [String: [Row]] = [:]
        var fates: [Fate] = []
        var late: [(requirements: [TableRequirement], updates: [TableUpdate])] = []
        var serverSkew: Int64?
        var isFrozen = false
        var commits = 0
        var rowWriteErrors: [FileError] = []
        var beforeCommit: (@Sendable (FakeTable) -> Void)?
    }

    static let identifier = TableIdentifier(namespace: "default", name: "spans")
    let clock: FakeClock
    private let state = Lock(State())

    init(clock: FakeClock) { self.clock = clock }

    // MARK: What a test sees and does

    var metadata: TableMetadata? { state.withLock { $0.metadata } }
    var commitCount: Int { state.withLock { $0.commits } }
    var fileNames: [String] { state.withLock { $0.files.keys.sorted() } }
    var rowFileNames: [String] { state.withLock { $0.rows.keys.sorted() } }

    /// The next commits end like this, one after the other.
    func expect(_ fates: Fate...) { state.withLock { [fates] in $0.fates += fates } }
    func setServerSkew(milliseconds: Int64?) { state.withLock { $0.serverSkew = milliseconds } }
    func failRowWrites(_ errors: FileError...) { state.withLock { [errors] in $0.rowWriteErrors += errors } }
    /// Runs once, before the next commit is looked at: what somebody else does at the worst moment.
    func beforeNextCommit(_ body: @escaping @Sendable (FakeTable) -> Void) {
        state.withLock { $0.beforeCommit = body }
    }

    /// Every call fails until it is thawed.
    func freeze(_ isFrozen: Bool) { state.withLock { $0.isFrozen = isFrozen } }

    private func refuseFrozen() throws(CatalogError) {
        guard state.withLock({ !$0.isFrozen }) else { throw CatalogError(.unavailable, "frozen") }
    }

    func drop() {
        state.withLock { state in
            state.metadata = nil
            state.rows = [:]
        }
    }

    /// Changes the metadata as a foreign program does.
    func change(_ updates: [TableUpdate]) {
        state.withLock { state in
            guard let metadata = state.metadata else { return }
            state.metadata = try? metadata.applying(
                requirements: [], updates: updates, metadataLocation: "m", nowMilliseconds: clock.wallMilliseconds)
        }
    }

    /// The oldest request that was held back arrives.
    func deliverLate() throws(CatalogError) {
        let request = state.withLock { $0.late.removeFirst() }
        _ = try apply(request.requirements, request.updates)
    }

    /// All rows of the files that main references.
    func liveRows() throws -> [Row] {
        var rows: [Row] = []
        for path in try livePaths() { rows += state.withLock { $0.rows[path] ?? [] } }
        return rows
    }

    func livePaths() throws -> [String] {
        guard let main = metadata?.currentSnapshot else { return [] }
        var paths: [String] = []
        for manifest in try ManifestList.read(try read(main.manifestList, limitBytes: 1 << 20)) {
            let entries = try ManifestReader.entries(try read(manifest.path, limitBytes: 1 << 20), of: manifest)
            paths += entries.filter(\.isLive).map(\.file.path)
        }
        return paths
    }

    // MARK: Catalog

    func createNamespace(_ namespace: String) throws(CatalogError) { state.withLock { $0.hasNamespace = true } }

    func createTable(
        _ identifier: TableIdentifier, schema: Schema, partitionSpec: PartitionSpec, sortOrder: SortOrder,
        properties: [String: String]
    ) throws(CatalogError) -> LoadedTable {
        try state.withLock { state throws(CatalogError) in
            guard state.hasNamespace else { throw CatalogError(.notFound, "no namespace") }
            guard state.metadata == nil else { throw CatalogError(.alreadyExists, "it is there") }
            state.version += 1
            state.metadata = TableMetadata(
                tableUUID: "table-\(state.version)", location: "file:///t\(state.version)", schema: schema,
                partitionSpec: partitionSpec, sortOrder: sortOrder, properties: properties,
                nowMilliseconds: clock.wallMilliseconds)
        }
        return try loadTable(identifier)
    }

    func loadTable(_ identifier: TableIdentifier) throws(CatalogError) -> LoadedTable {
        try refuseFrozen()
        let (metadata, version, skew) = state.withLock { ($0.metadata, $0.version, $0.serverSkew) }
        guard let metadata else { throw CatalogError(.notFound, "no table") }
        return LoadedTable(
            metadataLocation: "v\(version)", metadata: metadata,
            serverMilliseconds: skew.map { clock.wallMilliseconds - $0 })
    }

    func commit(
        _ identifier: TableIdentifier, requirements: [TableRequirement], updates: [TableUpdate]
    ) throws(CatalogError) -> LoadedTable {
        try refuseFrozen()
        let before = state.withLock { state -> (@Sendable (FakeTable) -> Void)? in
            defer { state.beforeCommit = nil }
            return state.beforeCommit
        }
        before?(self)
        let fate = state.withLock { state -> Fate in
            state.commits += 1
            return state.fates.isEmpty ? .normal : state.fates.removeFirst()
        }
        switch fate {
        case .normal: return try apply(requirements, updates)
        case .lostAnswer:
            _ = try apply(requirements, updates)
            throw CatalogError(.unknown, "no answer")
        case .lostRequest: throw CatalogError(.unknown, "no answer")
        case .late:
            state.withLock { [requirements, updates] in $0.late.append((requirements, updates)) }
            throw CatalogError(.unknown, "no answer")
        case .fails(let error): throw error
        }
    }

    private func apply(
        _ requirements: [TableRequirement], _ updates: [TableUpdate]
    ) throws(CatalogError) -> LoadedTable {
        try state.withLock { state throws(CatalogError) in
            guard let metadata = state.metadata else { throw CatalogError(.notFound, "no table") }
            state.metadata = try metadata.applying(
                requirements: requirements, updates: updates, metadataLocation: "v\(state.version)",
                nowMilliseconds: clock.wallMilliseconds)
            state.version += 1
        }
        return try loadTable(Self.identifier)
    }

    // MARK: TableFiles

    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        guard let bytes = state.withLock({ $0.files[location] }) else { throw FileError(.notFound, location) }
        return bytes
    }

    func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        try state.withLock { state throws(FileError) in
            guard state.files[location] == nil else { throw FileError(.failed, "\(location) exists") }
            state.files[location] = bytes
        }
    }

    func delete(_ location: String) throws(FileError) {
        state.withLock { state in
            state.files[location] = nil
            state.rows[location] = nil
        }
    }

    // MARK: RowFiles

    func write(
        _ traces: [SampledTrace], source: SourceID, directory: String, name: String
    ) throws(FileError) -> [DataFile] {
        if let error = state.withLock({ $0.rowWriteErrors.isEmpty ? nil : $0.rowWriteErrors.removeFirst() }) {
            throw error
        }
        let path = "\(directory)/\(name).parquet"
        var rows: [Row] = []
        for sampled in traces {
            let id = PartitionID(source: source, partition: sampled.trace.partition)
            for span in sampled.trace.spans {
                rows.append(
                    Row(
                        id: id, traceID: sampled.trace.traceID, offset: span.offset, index: span.index,
                        decision: sampled.decision, decidedAt: sampled.decidedAtMilliseconds))
            }
        }
        try state.withLock { state throws(FileError) in
            guard state.rows[path] == nil else { throw FileError(.failed, "\(path) exists") }
            state.rows[path] = rows
        }
        return [DataFile(path: path, day: 20_000, recordCount: Int64(rows.count), fileSizeBytes: 100)]
    }

    private func rows(_ file: DataFile) throws(FileError) -> [Row] {
        guard let rows = state.withLock({ $0.rows[file.path] }) else { throw FileError(.notFound, file.path) }
        return rows
    }

    func present(
        in file: DataFile, of id: PartitionID, from offset: Int64
    ) throws(FileError) -> [PresentRow] {
        try rows(file).filter { $0.id == id && $0.offset >= offset }.map {
            PresentRow(traceID: $0.traceID, offset: $0.offset, index: $0.index)
        }
    }

    func verdicts(in file: DataFile, since milliseconds: Int64) throws(FileError) -> [KeptVerdict] {
        var verdicts: [TraceID: KeptVerdict] = [:]
        for row in try rows(file) where row.decidedAt >= milliseconds {
            verdicts[row.traceID] = KeptVerdict(
                traceID: row.traceID, decision: row.decision, decidedAtMilliseconds: row.decidedAt)
        }
        return Array(verdicts.values)
    }
}

/// One writer at the fake table: fences, recovers and commits as the product does.
// Sendable: a test uses it from its own thread only, also where it goes through a closure.
final class FakeWriter: @unchecked Sendable {
    let table: FakeTable
    let name: String
    let partitions: [PartitionID]
    var options = TableStepOptions()
    var sequence: Int64 = 0
    var fenced: FencedTable?
    var histories: [PartitionID: FileHistory] = [:]
    /// Of the last batch that did not end.
    var lastObstacle: TableObstacle?
    var seed: UInt64

    init(_ table: FakeTable, name: String, partitions: [PartitionID]) {
        self.table = table
        self.name = name
        seed = name.utf8.reduce(5381) { $0 &* 33 &+ UInt64($1) }
        self.partitions = partitions
    }

    static let source = SourceID(topic: "otlp:one", generation: 1)
    static func id(_ partition: Int32) -> PartitionID { PartitionID(source: source, partition: partition) }

    static let definition = TableDefinition(
        identifier: FakeTable.identifier,
        schema: Schema(fields: [
            Field(id: 1, name: "trace_id", type: .string), Field(id: 2, name: "start_time", type: .timestampTZ),
        ]),
        partitionSpec: PartitionSpec(
            fields: [PartitionField(sourceID: 2, fieldID: 1000, name: "start_time_day", transform: .day)]),
        sortOrder: .unsorted, properties: ["made.by": "test"], evolution: { _ in nil })

    /// Other files and rows than the table's own.
    var files: (any TableFiles)?
    var rows: (any RowFiles)?

    var driver: TableDriver {
        TableDriver(catalog: table, files: files ?? table, rows: rows ?? table) { [clock = table.clock] milliseconds in
            clock.advance(milliseconds: milliseconds)
        }
    }

    /// Runs a machine, at most so many actions.
    func run<Machine: TableMachine>(
        _ machine: inout Machine, actions: Int = 200, while isWanted: (Machine) -> Bool = { _ in true }
    ) -> Machine.Outcome? {
        var left = actions
        return driver.run(&machine, clock: table.clock) { machine in
            left -= 1
            return left >= 0 && isWanted(machine)
        }
    }

    func fenceMachine(_ definition: TableDefinition = FakeWriter.definition) -> FenceMachine {
        FenceMachine(definition: definition, partitions: partitions, writer: name, options: options, seed: seed)
    }

    func fence(_ definition: TableDefinition = FakeWriter.definition) -> FencedTable? {
        var machine = fenceMachine(definition)
        fenced = run(&machine)
        return fenced
    }

    func recover(_ bounds: SourceBounds = SourceBounds(start: 0, end: 1 << 40)) -> [RecoveredSource]? {
        guard let fenced else { return nil }
        var machine = RecoverMachine(
            identifier: FakeTable.identifier, fenced: fenced,
            sources: Dictionary(uniqueKeysWithValues: partitions.map { ($0, bounds) }), writer: name,
            options: options, seed: seed)
        guard case .recovered(let recovered)? = run(&machine) else { return nil }
        for item in recovered { histories[item.partition.id] = item.history }
        return recovered
    }

    /// A trace with one row at each offset.
    static func trace(
        _ number: UInt64, _ partition: Int32, offsets: [Int64], decidedAt: Int64 = 0
    ) -> SampledTrace {
        var trace = KeptTrace(traceID: TraceID(high: 7, low: number), partition: partition)
        for offset in offsets {
            trace.spans.append(
                KeptSpan(
                    spanID: SpanID(UInt64(offset) + 1), offset: offset, index: 0, span: .none, resource: .none,
                    scope: .none, resourceSchemaURL: .none, scopeSchemaURL: .none))
        }
        return SampledTrace(
            trace: trace,
            decision: Decision(verdict: .sampled, reason: .error, policy: "errors", adjustedCount: 1),
            decidedAtMilliseconds: decidedAt)
    }

    func part(
        _ partition: Int32, _ traces: [SampledTrace], resume: Int64, settled: Int64? = nil, clock: Int64 = 0
    ) -> SealedPartition {
        let id = Self.id(partition)
        return SealedPartition(
            id: id, epoch: fenced?.epochs[id] ?? 0, traces: traces,
            draft: PositionDraft(
                resume: resume, settled: settled ?? resume, clock: StreamTick(milliseconds: clock), anchor: nil))
    }

    func commitMachine(_ parts: [SealedPartition]) -> CommitMachine {
        sequence += 1
        seed += 1
        return CommitMachine(
            identifier: FakeTable.identifier,
            batch: CommitBatch(
                tableUUID: fenced?.metadata.tableUUID ?? "", sequence: sequence, partitions: parts,
                histories: histories), writer: name, options: options, seed: seed)
    }

    func commit(_ parts: [SealedPartition]) -> CommitReceipt? {
        var machine = commitMachine(parts)
        return finish(&machine)
    }

    func finish(_ machine: inout CommitMachine) -> CommitReceipt? {
        guard case .finished(let receipt)? = run(&machine) else {
            lastObstacle = machine.obstacle
            return nil
        }
        histories.merge(receipt.committed) { _, new in new }
        return receipt
    }
}
