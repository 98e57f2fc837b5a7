import Iceberg
import IcebergCatalogs
import Testing

/// What every catalog must do, whichever it is.
@Suite struct CatalogConformanceTests {
    enum Kind: CaseIterable, Sendable {
        case sqlite
    }

    /// - Returns: The catalog, its files, and what must live as long as they do.
    private static func make(_ kind: Kind) throws -> (any Catalog, any TableFiles, AnyObject) {
        switch kind {
        case .sqlite:
            let test = try TestCatalog()
            return (test.catalog, test.files, test.scratch)
        }
    }

    private static func withTable(
        _ kind: Kind, _ body: (any Catalog, any TableFiles, LoadedTable) throws -> Void
    ) throws {
        let (catalog, files, keeper) = try make(kind)
        try withExtendedLifetime(keeper) {
            try catalog.createNamespace("default")
            let table = try catalog.createTable(
                TestCatalog.identifier, schema: TestCatalog.schema, partitionSpec: TestCatalog.spec,
                sortOrder: TestCatalog.order, properties: ["a": "1"])
            try body(catalog, files, table)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a namespace may be created again, a table may not`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, _, table in
            try catalog.createNamespace("default")
            let error = #expect(throws: CatalogError.self) {
                try catalog.createTable(
                    TestCatalog.identifier, schema: TestCatalog.schema, partitionSpec: .unpartitioned,
                    sortOrder: .unsorted, properties: [:])
            }
            #expect(error?.code == .alreadyExists)
            #expect(try catalog.loadTable(TestCatalog.identifier).metadata == table.metadata)
        }
    }

    @Test(arguments: Kind.allCases)
    func `what is not there is not found`(kind: Kind) throws {
        let (catalog, _, keeper) = try Self.make(kind)
        withExtendedLifetime(keeper) {
            let calls: [() throws -> Void] = [
                { _ = try catalog.loadTable(TestCatalog.identifier) },
                { _ = try catalog.commit(TestCatalog.identifier, requirements: [], updates: []) },
                {
                    _ = try catalog.createTable(
                        TableIdentifier(namespace: "none", name: "t"), schema: TestCatalog.schema,
                        partitionSpec: .unpartitioned, sortOrder: .unsorted, properties: [:])
                },
            ]
            for call in calls {
                let error = #expect(throws: CatalogError.self) { try call() }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func `a new table has its columns, partition, order, properties and no snapshot`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, _, made in
            let loaded = try catalog.loadTable(TestCatalog.identifier)
            #expect(loaded.metadata == made.metadata)
            #expect(loaded.metadataLocation == made.metadataLocation)
            #expect(loaded.metadata.schema?.fields.map(\.name) == ["trace_id", "start_time"])
            #expect(loaded.metadata.partitionSpec?.fields.map(\.transform) == [.day])
            #expect(loaded.metadata.sortOrder?.fields.count == 1)
            #expect(loaded.metadata.properties["a"] == "1")
            #expect(loaded.metadata.currentSnapshot == nil)
        }
    }

    @Test(arguments: Kind.allCases)
    func `rows and properties are committed at once or not at all`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, files, table in
            var append = SnapshotAppend(files: [TestCatalog.file("1")], snapshotID: 7, uuid: "u")
            let commit = try append.stage(on: table.metadata, files: files, nowMilliseconds: 1_800_000_000_000)
            let updates = commit.updates + [.setProperties(["tss.position": "{}"])]
            let result = try catalog.commit(
                TestCatalog.identifier, requirements: commit.requirements, updates: updates)
            let loaded = try catalog.loadTable(TestCatalog.identifier)
            #expect(loaded.metadata == result.metadata)
            #expect(loaded.metadata.currentSnapshotID == 7)
            #expect(loaded.metadata.properties["tss.position"] == "{}")
            #expect(try TableScan(loaded.metadata).plan(files).files.map(\.path) == [TestCatalog.file("1").path])
            // Main has moved: the same again is a conflict, and its property is not set either.
            let error = #expect(throws: CatalogError.self) {
                try catalog.commit(
                    TestCatalog.identifier, requirements: commit.requirements,
                    updates: commit.updates + [.setProperties(["late": "x"])])
            }
            #expect(error?.code == .conflict)
            #expect(try catalog.loadTable(TestCatalog.identifier).metadata == loaded.metadata)
        }
    }

    @Test(arguments: Kind.allCases)
    func `an empty append moves main`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, files, table in
            var append = SnapshotAppend(files: [], snapshotID: 8, uuid: "u")
            let commit = try append.stage(on: table.metadata, files: files, nowMilliseconds: 1_800_000_000_000)
            let result = try catalog.commit(
                TestCatalog.identifier, requirements: commit.requirements, updates: commit.updates)
            #expect(result.metadata.currentSnapshotID == 8)
            #expect(try TableScan(result.metadata).plan(files).filesTotal == 0)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a table of another uuid is a conflict`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, _, _ in
            let error = #expect(throws: CatalogError.self) {
                try catalog.commit(
                    TestCatalog.identifier,
                    requirements: [.assertTableUUID("00000000-0000-4000-8000-000000000000")],
                    updates: [.setProperties(["x": "y"])])
            }
            #expect(error?.code == .conflict)
        }
    }

    @Test(arguments: Kind.allCases)
    func `columns are added and properties removed`(kind: Kind) throws {
        try Self.withTable(kind) { catalog, _, table in
            var schema = try #require(table.metadata.schema)
            schema.id += 1
            schema.fields.append(Field(id: table.metadata.lastColumnID + 1, name: "added", type: .long))
            let result = try catalog.commit(
                TestCatalog.identifier,
                requirements: [
                    .assertTableUUID(table.metadata.tableUUID),
                    .assertLastAssignedFieldID(table.metadata.lastColumnID),
                ],
                updates: [.addSchema(schema), .setCurrentSchema(-1), .removeProperties(["a", "none"])])
            #expect(result.metadata.schema?.fields.map(\.name) == ["trace_id", "start_time", "added"])
            #expect(result.metadata.properties["a"] == nil)
            #expect(try catalog.loadTable(TestCatalog.identifier).metadata == result.metadata)
        }
    }
}
