internal import Database
public import Iceberg
internal import Threads

/// A catalog in an SQLite file, with the tables that pyiceberg's and Java's catalogs over SQL have.
///
/// A commit writes the new metadata file, durably, and then swaps the pointer to it in one transaction that compares it
/// with the one that was read: of several writers, in this process or others, one wins. Safe for several threads
/// and for several processes of one host.
///
///     iceberg_tables: catalog_name, table_namespace, table_name (key), metadata_location,
///                     previous_metadata_location, iceberg_type ('TABLE')
///     iceberg_namespace_properties: catalog_name, namespace, property_key (key), property_value
///
/// Source: pyiceberg 0.12 `catalog/sql.py`.
public final class SQLiteCatalog: Catalog {
    /// pyiceberg's name for a catalog that was not given one.
    public static let defaultName = "default"

    public let name: String
    /// URI below which new tables get their directories; without a slash at its end.
    public let warehouse: String
    private let pool: ConnectionPool
    private let files: any TableFiles
    private let nowMilliseconds: @Sendable () -> Int64
    /// The metadata that was read last, by its file, which never changes: parsing it grows with the snapshots, and
    /// starting up asks for it once for each file of rows (800 files: 34 s of processor time, nearly all of it here).
    private let latest = Lock<LoadedTable?>(nil)

    /// Opens the database, which is made when it is not there; its directory must be.
    ///
    /// - Parameters:
    ///   - databasePath: Absolute path.
    ///   - warehouse: Absolute URI.
    ///   - busyTimeoutMilliseconds: How long a call waits for another writer before it is `unavailable`.
    ///   - nowMilliseconds: Since 1970; the time of changes that bring none of their own. Nil: the wall clock.
    public init(
        databasePath: String, warehouse: String, files: any TableFiles, name: String = SQLiteCatalog.defaultName,
        busyTimeoutMilliseconds: Int32 = 5_000, nowMilliseconds: (@Sendable () -> Int64)? = nil
    ) throws(CatalogError) {
        var base = warehouse
        while base.hasSuffix("/") { base.removeLast() }
        self.warehouse = base
        self.name = name
        self.files = files
        self.nowMilliseconds = nowMilliseconds ?? { WallClock.milliseconds }
        pool = ConnectionPool(path: databasePath, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
        try connected { (connection) throws(CatalogError) in
            try Self.database { () throws(DatabaseError) in try Self.makeTables(connection) }
        }
    }

    private static let tables = [
        """
        CREATE TABLE IF NOT EXISTS iceberg_tables (
            catalog_name VARCHAR(255) NOT NULL,
            table_namespace VARCHAR(255) NOT NULL,
            table_name VARCHAR(255) NOT NULL,
            metadata_location VARCHAR(1000),
            previous_metadata_location VARCHAR(1000),
            iceberg_type VARCHAR(5),
            PRIMARY KEY (catalog_name, table_namespace, table_name))
        """,
        """
        CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
            catalog_name VARCHAR(255) NOT NULL,
            namespace VARCHAR(255) NOT NULL,
            property_key VARCHAR(255) NOT NULL,
            property_value VARCHAR(1000) NOT NULL,
            PRIMARY KEY (catalog_name, namespace, property_key))
        """,
    ]

    private static func makeTables(_ connection: Connection) throws(DatabaseError) {
        for statement in tables { try connection.execute(statement) }
        // Catalogs that older programs made have no column for the kind; readers go by the columns there are.
        let columns = try connection.query("SELECT name FROM pragma_table_info('iceberg_tables')")
        if !columns.contains([.text("iceberg_type")]) {
            try connection.execute("ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)")
        }
    }

    public func createNamespace(_ namespace: String) throws(CatalogError) {
        try Self.check(namespace)
        try connected { (connection) throws(CatalogError) in
            _ = try Self.database { () throws(DatabaseError) in
                try connection.execute(
                    "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')",
                    [.text(name), .text(namespace)])
            }
        }
    }

    public func createTable(
        _ identifier: TableIdentifier, schema: Schema, partitionSpec: PartitionSpec, sortOrder: SortOrder,
        properties: [String: String]
    ) throws(CatalogError) -> LoadedTable {
        try Self.check(identifier.namespace)
        try Self.check(identifier.name)
        guard try hasNamespace(identifier.namespace) else {
            throw CatalogError(.notFound, "namespace \(identifier.namespace) does not exist")
        }
        if try location(of: identifier) != nil { throw Self.alreadyExists(identifier) }
        let metadata = TableMetadata(
            tableUUID: Self.uuid(), location: "\(warehouse)/\(identifier.namespace)/\(identifier.name)",
            schema: schema, partitionSpec: partitionSpec, sortOrder: sortOrder, properties: properties,
            nowMilliseconds: nowMilliseconds())
        let location = try write(metadata, version: 0)
        do {
            try connected { (connection) throws(CatalogError) in
                _ = try Self.database { () throws(DatabaseError) in
                    try connection.execute(
                        """
                        INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, \
                        previous_metadata_location, iceberg_type) VALUES (?, ?, ?, ?, NULL, 'TABLE')
                        """, key(identifier) + [.text(location)])
                }
            }
        } catch {
            // Another error may have come after the row was there: then the file must stay.
            guard error.code == .alreadyExists else { throw error }
            discard(location)
            throw Self.alreadyExists(identifier)
        }
        return LoadedTable(metadataLocation: location, metadata: metadata)
    }

    public func loadTable(_ identifier: TableIdentifier) throws(CatalogError) -> LoadedTable {
        var failure = CatalogError(.notFound, "table \(identifier) does not exist")
        // Twice: between the two reads a hundred commits may have come and the file been deleted.
        for _ in 0..<2 {
            guard let location = try location(of: identifier) else { throw failure }
            if let known = latest.withLock({ $0 }), known.metadataLocation == location { return known }
            do {
                let bytes = try files.read(location, limitBytes: TableMetadata.limitBytes)
                let table = LoadedTable(metadataLocation: location, metadata: try TableMetadata(parsing: bytes))
                latest.withLock { $0 = table }
                return table
            } catch let error as FileError where error.code == .notFound {
                failure = CatalogError(.refused, "metadata of table \(identifier) is missing: \(error.message)")
            } catch let error as FileError {
                throw CatalogError(file: error)
            } catch {
                throw CatalogError(.refused, "\(location): \(error)")
            }
        }
        throw failure
    }

    public func commit(
        _ identifier: TableIdentifier, requirements: [TableRequirement], updates: [TableUpdate]
    ) throws(CatalogError) -> LoadedTable {
        let table = try loadTable(identifier)
        let changed = try table.metadata.applying(
            requirements: requirements, updates: updates, metadataLocation: table.metadataLocation,
            nowMilliseconds: nowMilliseconds())
        guard changed != table.metadata else { return table }
        let version = Self.version(of: table.metadataLocation) + 1
        let location = try write(changed, version: version)
        do {
            try swap(identifier, from: table.metadataLocation, to: location)
        } catch {
            // Surely not applied: nobody refers to the file.
            if error.code != .unknown { discard(location) }
            throw error
        }
        deleteForgotten(before: table.metadata, after: changed)
        return LoadedTable(metadataLocation: location, metadata: changed)
    }

    /// The one statement that decides who wins. Nothing else runs inside the transaction.
    private func swap(_ identifier: TableIdentifier, from old: String, to new: String) throws(CatalogError) {
        try connected { (connection) throws(CatalogError) in
            let changes = try Self.database { () throws(DatabaseError) in
                try connection.beginImmediate()
                return try connection.execute(
                    """
                    UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? \
                    WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?
                    """, [.text(new), .text(old)] + key(identifier) + [.text(old)])
            }
            guard changes == 1 else {
                connection.rollback()
                throw CatalogError(.conflict, "table \(identifier) was changed by another commit")
            }
            do {
                try connection.commit()
            } catch {
                throw CatalogError(.unknown, "commit of table \(identifier): \(error)")
            }
        }
    }

    /// Metadata files that the new log no longer remembers; what cannot be deleted is left to orphan removal.
    private func deleteForgotten(before: TableMetadata, after: TableMetadata) {
        guard after.properties["write.metadata.delete-after-commit.enabled"] != "false" else { return }
        let kept = Set(after.metadataLog.map(\.metadataFile))
        for entry in before.metadataLog where !kept.contains(entry.metadataFile) { discard(entry.metadataFile) }
    }

    private func discard(_ location: String) {
        try? files.delete(location)
    }

    private func write(_ metadata: TableMetadata, version: Int) throws(CatalogError) -> String {
        let digits = String(version)
        let padded = String(repeating: "0", count: max(0, 5 - digits.utf8.count)) + digits
        let location = "\(metadata.metadataDirectory)/\(padded)-\(Self.uuid()).metadata.json"
        do {
            try files.write(location, metadata.bytes())
        } catch let error as FileError {
            throw CatalogError(file: error)
        } catch {
            throw CatalogError(.refused, "\(error)")
        }
        return location
    }

    /// The number at the start of a metadata file's name; -1 when another program named it differently.
    static func version(of location: String) -> Int {
        let file = location.split(separator: "/").last ?? ""
        return file.split(separator: "-").first.flatMap { Int($0) } ?? -1
    }

    private func hasNamespace(_ namespace: String) throws(CatalogError) -> Bool {
        try connected { (connection) throws(CatalogError) in
            try Self.database { () throws(DatabaseError) in
                try connection.query(
                    """
                    SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ?1 AND namespace = ?2 \
                    UNION ALL SELECT 1 FROM iceberg_tables WHERE catalog_name = ?1 AND table_namespace = ?2 LIMIT 1
                    """, [.text(name), .text(namespace)])
            }.isEmpty == false
        }
    }

    /// Nil when there is no such table.
    private func location(of identifier: TableIdentifier) throws(CatalogError) -> String? {
        try connected { (connection) throws(CatalogError) in
            try Self.database { () throws(DatabaseError) in
                try connection.query(
                    """
                    SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? \
                    AND table_name = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)
                    """, key(identifier))
            }.first?.first?.text
        }
    }

    private func key(_ identifier: TableIdentifier) -> [DatabaseValue] {
        [.text(name), .text(identifier.namespace), .text(identifier.name)]
    }

    private func connected<Result>(
        _ body: (Connection) throws(CatalogError) -> Result
    ) throws(CatalogError) -> Result {
        try pool.withConnection(body) { CatalogError(database: $0) }
    }

    private static func database<Result>(_ body: () throws(DatabaseError) -> Result) throws(CatalogError) -> Result {
        do {
            return try body()
        } catch {
            throw CatalogError(database: error)
        }
    }

    /// Names become directories.
    private static func check(_ name: String) throws(CatalogError) {
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255,
            name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") })
        else { throw CatalogError(.refused, "\"\(name)\" cannot be a name of a namespace or table") }
    }

    private static func alreadyExists(_ identifier: TableIdentifier) -> CatalogError {
        CatalogError(.alreadyExists, "table \(identifier) already exists")
    }

    private static func uuid() -> String {
        var generator = SystemRandomNumberGenerator()
        return RandomNames.uuid(using: &generator)
    }
}

extension CatalogError {
    /// Of a statement that is not COMMIT: surely not applied.
    init(database error: DatabaseError) {
        let code: Code =
            switch error.code {
            case .busy, .full, .failed: .unavailable
            case .constraint: .alreadyExists
            default: .refused
            }
        self.init(code, "catalog database: \(error)")
    }

    /// Of a file that had to be read or written before the commit.
    init(file error: FileError) {
        self.init(error.isRetryable ? .unavailable : .refused, error.message)
    }
}
