public import Iceberg

/// Performs the machines' actions on the real ports, or on those of a test: the only place where they meet.
public struct TableDriver: Sendable {
    private let catalog: any Catalog
    private let files: any TableFiles
    private let rows: any RowFiles
    private let sources: [PartitionID: any SpanSource]
    private let wait: @Sendable (_ milliseconds: Int64) -> Void

    /// - Parameter wait: Sleeps, or ends early when the driver's owner is wanted.
    public init(
        catalog: any Catalog, files: any TableFiles, rows: any RowFiles, sources: [any SpanSource] = [],
        wait: @escaping @Sendable (_ milliseconds: Int64) -> Void
    ) {
        self.catalog = catalog
        self.files = files
        self.rows = rows
        self.sources = Dictionary(sources.map { ($0.id, $0) }) { first, _ in first }
        self.wait = wait
    }

    /// Blocks until the action has its event.
    public func perform(_ action: TableAction) -> TableEvent {
        switch action {
        case .loadTable(let identifier):
            return .table(attempt { () throws(CatalogError) in try catalog.loadTable(identifier) })
        case .createNamespace(let namespace):
            return .namespace(attempt { () throws(CatalogError) in try catalog.createNamespace(namespace) })
        case .createTable(let definition):
            return .table(attempt { () throws(CatalogError) in try create(definition) })
        case .commit(let identifier, let requirements, let updates):
            return .table(
                attempt { () throws(CatalogError) in
                    try catalog.commit(identifier, requirements: requirements, updates: updates)
                })
        case .readFile(let location, let limitBytes):
            return .bytes(
                attempt { () throws(FileError) in try files.read(location, limitBytes: limitBytes) })
        case .writeFile(let location, let bytes):
            return .written(attempt { () throws(FileError) in try files.write(location, bytes) })
        case .deleteFile(let location):
            return .written(attempt { () throws(FileError) in try files.delete(location) })
        case .writeRows(let traces, let source, let directory, let name):
            return .rows(
                attempt { () throws(FileError) in
                    try rows.write(traces, source: source, directory: directory, name: name)
                })
        case .readPresent(let file, let id, let offset):
            return .present(
                attempt { () throws(FileError) in try rows.present(in: file, of: id, from: offset) })
        case .readVerdicts(let file, let since):
            return .verdicts(attempt { () throws(FileError) in try rows.verdicts(in: file, since: since) })
        case .readRecord(let id, let offset):
            return .record(record(of: id, at: offset))
        case .wait(let milliseconds):
            wait(milliseconds)
            return .waited
        }
    }

    /// Runs a machine to its end.
    ///
    /// - Parameter isWanted: Asked before every action; nil is returned once it says no.
    public func run<Machine: TableMachine>(
        _ machine: inout Machine, clock: any Clock, while isWanted: (Machine) -> Bool = { _ in true }
    ) -> Machine.Outcome? {
        var step = machine.step(.start, at: clock.moment)
        while true {
            switch step {
            case .done(let outcome):
                return outcome
            case .perform(let action):
                guard isWanted(machine) else { return nil }
                let event = perform(action)
                step = machine.step(event, at: clock.moment)
            }
        }
    }

    private func create(_ definition: TableDefinition) throws(CatalogError) -> LoadedTable {
        try catalog.createTable(
            definition.identifier, schema: definition.schema, partitionSpec: definition.partitionSpec,
            sortOrder: definition.sortOrder, properties: definition.properties)
    }

    private func record(of id: PartitionID, at offset: Int64) -> Result<LogRecord?, SourceError> {
        guard let source = sources[id] else { return .success(nil) }
        return attempt { () throws(SourceError) in try source.record(at: offset) }
    }

    private func attempt<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) -> Result<Value, Failure> {
        do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }
}
