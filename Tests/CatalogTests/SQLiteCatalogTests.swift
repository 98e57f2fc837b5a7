import Database
import Foundation
import Iceberg
import IcebergCatalogs
import ObjectStorage
import Testing
import Threads

@Suite struct SQLiteCatalogTests {
    @Test func `metadata files are numbered and the newest hundred are kept`() throws {
        let test = try TestCatalog()
        let first = try test.makeTable()
        #expect(first.metadataLocation.hasPrefix("file://\(test.scratch.path)/warehouse/default/spans/metadata/00000-"))
        for number in 0..<105 {
            let table = try test.catalog.commit(
                TestCatalog.identifier, requirements: [], updates: [.setProperties(["n": "\(number)"])])
            #expect(table.metadata.metadataLog.count == min(number + 1, 100))
        }
        let names = test.scratch.names(in: "warehouse/default/spans/metadata")
        #expect(names.count == 101)
        #expect(names.first?.hasPrefix("00005-") == true)
        #expect(names.last?.hasPrefix("00105-") == true)
        #expect(names.last?.hasSuffix(".metadata.json") == true)
    }

    @Test func `whoever loses leaves no metadata file`() throws {
        let test = try TestCatalog()
        let racing = RacingFiles(inner: test.files)
        let slow = try TestCatalog.open(test.scratch.path, files: racing)
        try test.makeTable()
        // Between its reading the table and its swap, another commit comes.
        racing.beforeWrite.withLock { action in
            action = {
                _ = try? test.catalog.commit(
                    TestCatalog.identifier, requirements: [], updates: [.setProperties(["fast": "1"])])
            }
        }
        let error = #expect(throws: CatalogError.self) {
            try slow.commit(TestCatalog.identifier, requirements: [], updates: [.setProperties(["slow": "1"])])
        }
        #expect(error?.code == .conflict)
        let table = try slow.loadTable(TestCatalog.identifier)
        #expect(table.metadata.properties["fast"] == "1")
        #expect(table.metadata.properties["slow"] == nil)
        #expect(test.scratch.names(in: "warehouse/default/spans/metadata").count == 2)
    }

    @Test func `a lock that another process holds makes the catalog unavailable, not broken`() throws {
        let test = try TestCatalog(busyTimeoutMilliseconds: 30)
        try test.makeTable()
        let other = try Connection(path: test.scratch.path + "/catalog.db", busyTimeoutMilliseconds: 30)
        try other.beginImmediate()
        let error = #expect(throws: CatalogError.self) {
            try test.catalog.commit(TestCatalog.identifier, requirements: [], updates: [.setProperties(["x": "1"])])
        }
        #expect(error?.code == .unavailable)
        #expect(error?.isRetryable == true)
        // Reading goes on meanwhile, and the failed try left no file.
        #expect(try test.catalog.loadTable(TestCatalog.identifier).metadata.properties["x"] == nil)
        #expect(test.scratch.names(in: "warehouse/default/spans/metadata").count == 1)
        other.rollback()
        _ = try test.catalog.commit(TestCatalog.identifier, requirements: [], updates: [.setProperties(["x": "1"])])
        #expect(try test.catalog.loadTable(TestCatalog.identifier).metadata.properties["x"] == "1")
    }

    @Test func `a full disk makes the catalog unavailable, missing or damaged metadata are refused`() throws {
        let test = try TestCatalog()
        let table = try test.makeTable()
        let racing = RacingFiles(inner: test.files)
        racing.isFull.withLock { $0 = true }
        let full = #expect(throws: CatalogError.self) {
            try TestCatalog.open(test.scratch.path, files: racing).commit(
                TestCatalog.identifier, requirements: [], updates: [.setProperties(["x": "1"])])
        }
        #expect(full?.code == .unavailable)
        let path = String(table.metadataLocation.dropFirst("file://".count))
        try Data("{}".utf8).write(to: URL(fileURLWithPath: path))
        let damaged = #expect(throws: CatalogError.self) { try test.catalog.loadTable(TestCatalog.identifier) }
        #expect(damaged?.code == .refused)
        try FileManager.default.removeItem(atPath: path)
        let missing = #expect(throws: CatalogError.self) { try test.catalog.loadTable(TestCatalog.identifier) }
        #expect(missing?.code == .refused)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "a\u{0}b", "a\nb"])
    func `names that are no directory names are refused`(name: String) throws {
        let test = try TestCatalog()
        try test.catalog.createNamespace("default")
        let namespace = #expect(throws: CatalogError.self) { try test.catalog.createNamespace(name) }
        #expect(namespace?.code == .refused)
        let table = #expect(throws: CatalogError.self) {
            try test.catalog.createTable(
                TableIdentifier(namespace: "default", name: name), schema: TestCatalog.schema,
                partitionSpec: .unpartitioned, sortOrder: .unsorted, properties: [:])
        }
        #expect(table?.code == .refused)
    }

    @Test func `a catalog that an older program made gets the column it lacks`() throws {
        let scratch = try Scratch()
        let database = try Connection(path: scratch.path + "/catalog.db", busyTimeoutMilliseconds: 100)
        try database.execute(
            """
            CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
            table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),
            previous_metadata_location VARCHAR(1000), PRIMARY KEY (catalog_name, table_namespace, table_name))
            """)
        let catalog = try TestCatalog.open(scratch.path)
        try catalog.createNamespace("default")
        let made = try catalog.createTable(
            TestCatalog.identifier, schema: TestCatalog.schema, partitionSpec: .unpartitioned, sortOrder: .unsorted,
            properties: [:])
        #expect(try catalog.loadTable(TestCatalog.identifier).metadata == made.metadata)
    }

    @Test func `several threads append and no update is lost`() throws {
        let test = try TestCatalog()
        try test.makeTable()
        let failures = Lock<[String]>([])
        let group = DispatchGroup()
        for writer in 0..<4 {
            // Threads, not tasks: the calls block.
            group.enter()
            Thread.detachNewThread {
                do {
                    for number in 0..<10 {
                        try TestCatalog.append("\(writer)-\(number)", to: test.catalog, files: test.files)
                    }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
                group.leave()
            }
        }
        group.wait()
        #expect(failures.withLock { $0 } == [])
        try Self.expectAppends(40, test.catalog, test.files)
    }

    @Test func `several processes append and no update is lost`() async throws {
        let test = try TestCatalog()
        try test.makeTable()
        let path = test.scratch.path
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    await #expect(processExitsWith: .success) { [path = path as String, writer = writer as Int] in
                        let catalog = try TestCatalog.open(path)
                        let files = StoredTableFiles(try LocalFiles(root: path))
                        for number in 0..<8 { try TestCatalog.append("\(writer)-\(number)", to: catalog, files: files) }
                    }
                }
            }
            try await group.waitForAll()
        }
        try Self.expectAppends(24, test.catalog, test.files)
    }

    /// Each file once, each snapshot on the one before, sequence numbers without a gap.
    private static func expectAppends(_ count: Int, _ catalog: SQLiteCatalog, _ files: any TableFiles) throws {
        let metadata = try catalog.loadTable(TestCatalog.identifier).metadata
        #expect(metadata.snapshots.count == count)
        #expect(metadata.lastSequenceNumber == Int64(count))
        let paths = try TableScan(metadata).plan(files).files.map(\.path)
        #expect(paths.count == count)
        #expect(Set(paths).count == count)
        #expect(metadata.currentSnapshot?.summary["total-data-files"] == "\(count)")
        var parent: Int64?
        for snapshot in metadata.snapshots.sorted(by: { $0.sequenceNumber < $1.sequenceNumber }) {
            #expect(snapshot.parentID == parent)
            parent = snapshot.id
        }
    }
}

/// Table files that do something before the next write, or are full.
final class RacingFiles: TableFiles {
    let inner: StoredTableFiles
    let beforeWrite = Lock<(@Sendable () -> Void)?>(nil)
    let isFull = Lock(false)

    init(inner: StoredTableFiles) {
        self.inner = inner
    }

    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        try inner.read(location, limitBytes: limitBytes)
    }

    func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        if isFull.withLock({ $0 }) { throw FileError(.full, "no space for \(location)") }
        let action = beforeWrite.withLock { action in
            defer { action = nil }
            return action
        }
        action?()
        try inner.write(location, bytes)
    }

    func delete(_ location: String) throws(FileError) { try inner.delete(location) }
}
