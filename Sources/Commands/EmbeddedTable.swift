internal import Iceberg
internal import IcebergCatalogs
internal import IcebergSink
internal import ObjectStorage
internal import Pipeline
internal import QueryEngine
internal import Settings
internal import Threads
internal import TraceModel

/// The table of the embedded catalog, with everything that reads and writes it.
struct EmbeddedTable: QueryTable {
    let identifier: TableIdentifier
    let catalog: any Catalog
    let files: any TableFiles
    private let store: LocalFiles

    init(_ settings: Settings) throws {
        let iceberg = settings.storage.iceberg
        identifier = TableIdentifier(namespace: iceberg.namespace, name: iceberg.tableName)
        store = try LocalFiles(root: iceberg.warehouseFolder)
        let files = StoredTableFiles(store)
        self.files = files
        catalog = try SQLiteCatalog(
            databasePath: iceberg.catalogDatabase, warehouse: "file://" + iceberg.warehouseFolder, files: files)
    }

    /// Removes what writes left that were interrupted a day ago and before; answers how many files.
    func removeLeftovers(nowMilliseconds: Int64) -> Int {
        store.removeLeftovers(changedBefore: nowMilliseconds - 86_400_000)
    }

    func load() throws(CatalogError) -> LoadedTable { try catalog.loadTable(identifier) }

    /// The table as this version makes it, and what an older one lacks.
    var definition: TableDefinition {
        TableDefinition(
            identifier: identifier, schema: SpanTable.schema, partitionSpec: SpanTable.partitionSpec,
            sortOrder: SpanTable.sortOrder, properties: SpanTable.properties
        ) { (metadata: TableMetadata) throws(TableFormatError) -> TableChange? in
            do throws(SpanTableError) {
                guard let evolution = try SpanTable.evolution(of: metadata) else { return nil }
                return TableChange(requirements: evolution.requirements, updates: evolution.updates)
            } catch {
                throw TableFormatError(error.message)
            }
        }
    }
}

/// Row files that follow the table: field ids are the table's own, known once it is loaded.
final class CurrentRowFiles: RowFiles {
    private struct Made {
        var uuid: String
        var schemaID: Int32
        var rows: ParquetRowFiles
    }

    private let table: EmbeddedTable
    private let options: ParquetRowFiles.Options
    private let made = Lock<Made?>(nil)

    init(_ table: EmbeddedTable, options: ParquetRowFiles.Options = .init()) {
        self.table = table
        self.options = options
    }

    func write(
        _ traces: [SampledTrace], source: SourceID, directory: String, name: String
    ) throws(FileError) -> [DataFile] {
        try current().write(traces, source: source, directory: directory, name: name)
    }

    func present(
        in file: DataFile, of id: PartitionID, from offset: Int64
    ) throws(FileError) -> [PresentRow] {
        try current().present(in: file, of: id, from: offset)
    }

    func verdicts(in file: DataFile, since milliseconds: Int64) throws(FileError) -> [KeptVerdict] {
        try current().verdicts(in: file, since: milliseconds)
    }

    /// Made anew when the table's schema, or the table itself, has changed.
    private func current() throws(FileError) -> ParquetRowFiles {
        let metadata: TableMetadata
        do throws(CatalogError) {
            metadata = try table.load().metadata
        } catch {
            throw FileError(.failed, error.message)
        }
        let known = made.withLock { $0 }
        if let known, known.uuid == metadata.tableUUID, known.schemaID == metadata.currentSchemaID {
            return known.rows
        }
        do throws(SpanTableError) {
            let rows = try ParquetRowFiles(table: metadata, options: options)
            made.withLock {
                $0 = Made(uuid: metadata.tableUUID, schemaID: metadata.currentSchemaID, rows: rows)
            }
            return rows
        } catch {
            throw FileError(.corrupt, error.message)
        }
    }
}
