import Foundation
import Iceberg
import IcebergCatalogs
import ObjectStorage
import Threads

/// A catalog with its warehouse in a directory of its own, and a small table.
struct TestCatalog {
    static let identifier = TableIdentifier(namespace: "default", name: "spans")
    static let schema = Schema(fields: [
        Field(id: 1, name: "trace_id", type: .string, isRequired: true),
        Field(id: 2, name: "start_time", type: .timestampTZ),
    ])
    static let spec = PartitionSpec(fields: [
        PartitionField(sourceID: 2, fieldID: 1000, name: "start_time_day", transform: .day)
    ])
    static let order = SortOrder(id: 1, fields: [SortField(sourceID: 1)])

    let scratch: Scratch
    let files: StoredTableFiles
    let catalog: SQLiteCatalog

    init(files other: (any TableFiles)? = nil, busyTimeoutMilliseconds: Int32 = 5_000) throws {
        scratch = try Scratch()
        files = StoredTableFiles(try LocalFiles(root: scratch.path))
        catalog = try Self.open(scratch.path, files: other ?? files, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }

    static func open(
        _ path: String, files: (any TableFiles)? = nil, busyTimeoutMilliseconds: Int32 = 5_000
    ) throws -> SQLiteCatalog {
        try SQLiteCatalog(
            databasePath: path + "/catalog.db", warehouse: "file://\(path)/warehouse",
            files: files ?? StoredTableFiles(try LocalFiles(root: path)),
            busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }

    @discardableResult
    func makeTable() throws -> LoadedTable {
        try catalog.createNamespace(Self.identifier.namespace)
        return try catalog.createTable(
            Self.identifier, schema: Self.schema, partitionSpec: Self.spec, sortOrder: Self.order,
            properties: ["a": "1"])
    }

    static func file(_ name: String) -> DataFile {
        DataFile(path: "file:///data/\(name).parquet", day: 20_000, recordCount: 1, fileSizeBytes: 10)
    }

    /// Appends one file, however often others are faster; returns the attempts.
    @discardableResult
    static func append(_ name: String, to catalog: any Catalog, files: any TableFiles) throws -> Int {
        var random = SystemRandomNumberGenerator()
        var append = SnapshotAppend(
            files: [file(name)], snapshotID: RandomNames.snapshotID(random.next()),
            uuid: RandomNames.uuid(using: &random))
        for attempt in 1...1_000 {
            let table = try catalog.loadTable(identifier)
            let commit = try append.stage(on: table.metadata, files: files, nowMilliseconds: WallClock.milliseconds)
            do {
                _ = try catalog.commit(identifier, requirements: commit.requirements, updates: commit.updates)
                return attempt
            } catch {
                guard error.code == .conflict || error.code == .unavailable else { throw error }
                for location in commit.attemptLocations { try files.delete(location) }
            }
        }
        throw CatalogError(.conflict, "a thousand attempts were not enough")
    }
}
