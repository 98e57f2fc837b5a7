import Foundation
import Iceberg
import IcebergCatalogs
import ObjectStorage
import Testing
import Threads

/// A table in the catalog of an SQLite file, which pyiceberg and DuckDB read and pyiceberg writes too.
@Suite(.serialized) struct CatalogInReadersTests {
    @Test func `readers find every row of our appends, empty ones and merged manifests among them`() throws {
        let shared = try SharedTable()
        let files = try shared.dataFiles((0..<7).map { "ours-\($0)" }, rows: 3, days: 20_000...20_001)
        try shared.append([])
        for number in 0..<7 {
            try shared.append([files[number]], mergeCount: 3)
            if number % 2 == 0 { try shared.append([]) }
        }
        let found = try shared.python("read")
        #expect(found.traces == shared.traces)
        #expect(found.filtered == 1)
        #expect(found.snapshots == 12)
        #expect(found.manifests <= 4)
        #expect(found.summary["total-records"] == "21")
        #expect(found.summary["total-data-files"] == "7")
        // pyiceberg sees the sequence numbers that we see.
        try shared.expectSame(found.entries)
        #expect(Set(found.entries.map(\.sequence)).count == 7)
        let duckdb = try shared.python("duckdb")
        #expect(duckdb.traces == shared.traces)
        #expect(duckdb.snapshots == 12)
    }

    @Test func `a foreign append between two of ours loses nothing`() throws {
        let shared = try SharedTable()
        let files = try shared.dataFiles(["ours-1", "ours-2", "ours-3"], rows: 2, days: 20_000...20_001)
        try shared.append([files[0]])
        var append = SnapshotAppend(files: [files[1]], snapshotID: 77, uuid: "late")
        let before = try shared.load()
        let early = try append.stage(on: before.metadata, files: shared.files, nowMilliseconds: WallClock.milliseconds)
        try shared.python("append", ["foreign", "1", "4"])
        let error = #expect(throws: CatalogError.self) { try shared.commit(early) }
        #expect(error?.code == .conflict)
        let late = try append.stage(
            on: shared.load().metadata, files: shared.files, nowMilliseconds: WallClock.milliseconds)
        try shared.commit(late)
        // The third of ours merges all manifests, the foreign one among them.
        try shared.append([files[2]], mergeCount: 2)
        shared.traces += (0..<4).map { "foreign-0-000\($0)" }
        let found = try shared.python("read")
        #expect(found.traces == shared.traces.sorted())
        #expect(found.manifests == 2)
        #expect(found.snapshots == 4)
        #expect(found.entries.count == 4)
        try shared.expectSame(found.entries)
        #expect(try shared.python("duckdb").traces == shared.traces.sorted())
        let metadata = try shared.load().metadata
        let scan = try TableScan(metadata, where: [ColumnFilter("trace_id", .startsWith("foreign"))])
        #expect(try scan.plan(shared.files).files.count == 1)
    }

    @Test func `what another program changes in the table is kept by our next commit`() throws {
        let shared = try SharedTable()
        let files = try shared.dataFiles(["ours-1", "ours-2", "ours-3"], rows: 2)
        try shared.append([files[0]])
        let first = try shared.load().metadata
        try shared.python("alter")
        try shared.append([files[1]])
        try shared.append([files[2]])
        try shared.python("expire")
        #expect(try shared.load().metadata.snapshots.count == 2)
        try shared.append([])
        let metadata = try shared.load().metadata
        #expect(metadata.tableUUID == first.tableUUID)
        #expect(metadata.properties["foreign"] == "yes")
        #expect(metadata.references["kept"]?.snapshotID == first.currentSnapshotID)
        #expect(metadata.schema?.field(named: "added") != nil)
        #expect(metadata.lastSequenceNumber == 4)
        let found = try shared.python("read")
        #expect(found.columns == ["trace_id", "start_time", "added"])
        #expect(found.traces == shared.traces)
        try shared.expectSame(found.entries)
    }

    @Test func `we and two foreign processes append at once and no update is lost`() throws {
        let shared = try SharedTable()
        let files = try shared.dataFiles((0..<12).map { "ours-\($0)" }, rows: 1)
        let results = Lock<[String]>([])
        let running = Lock(2)
        let group = DispatchGroup()
        for writer in 0..<2 {
            group.enter()
            Thread.detachNewThread {
                do {
                    try shared.python("append", ["foreign-\(writer)", "6", "1"])
                } catch {
                    results.withLock { $0.append("\(error)") }
                }
                running.withLock { $0 -= 1 }
                group.leave()
            }
        }
        // Each of ours after one of theirs, as long as there are any: so the three are at it at the same time.
        var seen = 0
        for file in files {
            while running.withLock({ $0 }) > 0, try shared.load().metadata.snapshots.count == seen {}
            try shared.append([file], mergeCount: 5)
            seen = try shared.load().metadata.snapshots.count
        }
        group.wait()
        #expect(results.withLock { $0 } == [])
        let found = try shared.python("read")
        let foreign = (0..<2).flatMap { writer in (0..<6).map { "foreign-\(writer)-\($0)-0000" } }
        #expect(found.traces == (shared.traces + foreign).sorted())
        #expect(found.snapshots == 24)
        #expect(found.summary["total-records"] == "24")
        try shared.expectSame(found.entries)
    }
}

/// A table that this process and Python processes share.
final class SharedTable: @unchecked Sendable {
    // Sendable: `traces` is the test's own thread's; the rest is constant.
    let folder: String
    let files: StoredTableFiles
    private let catalog: SQLiteCatalog
    private let identifier = TableIdentifier(namespace: "default", name: "spans")
    /// Of the rows that we have appended, ascending.
    var traces: [String] = []

    struct Entry: Decodable, Hashable {
        var path: String
        var sequence: Int64
        var file_sequence: Int64
        var snapshot: Int64
        var day: Int32?
        var lower: String
    }

    struct Found: Decodable {
        var snapshots = 0
        var manifests = 0
        var filtered = 0
        var summary: [String: String] = [:]
        var columns: [String] = []
        var entries: [Entry] = []
        var traces: [String] = []

        enum CodingKeys: CodingKey { case snapshots, manifests, filtered, summary, columns, entries, traces }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            snapshots = try values.decodeIfPresent(Int.self, forKey: .snapshots) ?? 0
            manifests = try values.decodeIfPresent(Int.self, forKey: .manifests) ?? 0
            filtered = try values.decodeIfPresent(Int.self, forKey: .filtered) ?? 0
            summary = try values.decodeIfPresent([String: String].self, forKey: .summary) ?? [:]
            columns = try values.decodeIfPresent([String].self, forKey: .columns) ?? []
            entries = try values.decodeIfPresent([Entry].self, forKey: .entries) ?? []
            traces = try values.decodeIfPresent([String].self, forKey: .traces) ?? []
        }
    }

    init() throws {
        folder = NSTemporaryDirectory() + "tss-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        files = StoredTableFiles(try LocalFiles(root: folder))
        catalog = try SQLiteCatalog(
            databasePath: folder + "/catalog.db", warehouse: "file://\(folder)/warehouse", files: files)
        try catalog.createNamespace(identifier.namespace)
        _ = try catalog.createTable(
            identifier,
            schema: Schema(fields: [
                Field(id: 1, name: "trace_id", type: .string, isRequired: true),
                Field(id: 2, name: "start_time", type: .timestampTZ),
            ]),
            partitionSpec: PartitionSpec(fields: [
                PartitionField(sourceID: 2, fieldID: 1000, name: "start_time_day", transform: .day)
            ]), sortOrder: SortOrder(id: 1, fields: [SortField(sourceID: 1)]), properties: [:])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Runs a verb of `catalog.py`; throws with its output when it fails.
    @discardableResult
    func python(_ verb: String, _ arguments: [String] = []) throws -> Found {
        let outcome = try PythonReader.run(
            "catalog.py", environment: "test", [verb, folder] + arguments, folder: folder)
        guard outcome.isSuccess, let line = outcome.text.split(separator: "\n").last else {
            throw FileError(.failed, "catalog.py \(verb): \(outcome.text)")
        }
        return try JSONDecoder().decode(Found.self, from: Data(line.utf8))
    }

    /// Writes Parquet files with rows `<name>-0000` and following; all in one call, which takes a second.
    func dataFiles(_ names: [String], rows: Int, days: ClosedRange<Int32> = 20_000...20_000) throws -> [DataFile] {
        func path(_ name: String) -> String { "\(folder)/warehouse/default/spans/data/\(name).parquet" }
        func day(_ index: Int) -> Int32 { days.lowerBound + Int32(index % days.count) }
        let arguments = names.enumerated().map { "\(path($1))|\($1)|\(rows)|\(day($0))" }
        _ = try python("write", arguments)
        return try names.enumerated().map { index, name in
            let size = try FileManager.default.attributesOfItem(atPath: path(name))[.size] as? Int64 ?? 0
            var file = DataFile(
                path: "file://" + path(name), day: day(index), recordCount: Int64(rows), fileSizeBytes: size)
            let traces = (0..<rows).map { String(format: "%@-%04d", name, $0) }
            file.valueCounts = [1: Int64(rows)]
            file.nullValueCounts = [1: 0]
            file.lowerBounds = [1: Array(traces[0].utf8)]
            file.upperBounds = [1: Array(traces[rows - 1].utf8)]
            self.traces = (self.traces + traces).sorted()
            return file
        }
    }

    func load() throws -> LoadedTable { try catalog.loadTable(identifier) }

    func commit(_ commit: SnapshotCommit) throws {
        _ = try catalog.commit(identifier, requirements: commit.requirements, updates: commit.updates)
    }

    func append(_ dataFiles: [DataFile], mergeCount: Int = 100) throws {
        var random = SystemRandomNumberGenerator()
        var append = SnapshotAppend(
            files: dataFiles, snapshotID: RandomNames.snapshotID(random.next()),
            uuid: RandomNames.uuid(using: &random), mergeCount: mergeCount)
        for _ in 0..<500 {
            let staged = try append.stage(
                on: load().metadata, files: files, nowMilliseconds: WallClock.milliseconds)
            do {
                try commit(staged)
                return
            } catch let error as CatalogError {
                guard error.code == .conflict || error.code == .unavailable else { throw error }
            }
        }
        throw CatalogError(.conflict, "five hundred attempts were not enough")
    }

    /// That another program sees the files, sequence numbers and partitions that we see.
    func expectSame(_ entries: [Entry]) throws {
        let metadata = try load().metadata
        let list = try ManifestList.read(
            files.read(try #require(metadata.currentSnapshot).manifestList, limitBytes: .max))
        var ours: [Entry] = []
        for manifest in list {
            let bytes = try files.read(manifest.path, limitBytes: .max)
            for entry in try ManifestReader.entries(bytes, of: manifest) {
                var day: Int32?
                if case .int(let number)? = entry.partition[1000] { day = number }
                ours.append(
                    Entry(
                        path: entry.file.path, sequence: entry.file.dataSequenceNumber ?? -1,
                        file_sequence: entry.file.fileSequenceNumber ?? -1, snapshot: entry.snapshotID, day: day,
                        lower: String(decoding: entry.file.lowerBounds[1] ?? [], as: UTF8.self)))
            }
        }
        #expect(ours.sorted { $0.path < $1.path } == entries)
    }
}
