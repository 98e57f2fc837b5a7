import Iceberg

/// Table files in memory, and a table that commits to itself: what tests of the format build on.
final class MemoryTable: TableFiles, @unchecked Sendable {
    // Sendable: each test has its own, on one thread.
    var contents: [String: [UInt8]] = [:]
    var reads: [String] = []
    /// How many writes still succeed.
    var writesLeft = Int.max
    var metadata: TableMetadata
    var snapshotIDs: Int64 = 100

    static let schema = Schema(
        fields: [
            Field(id: 1, name: "trace_id", type: .string, isRequired: true),
            Field(id: 2, name: "start_time", type: .timestampTZ),
            Field(id: 3, name: "duration_ms", type: .long),
            Field(id: 4, name: "share", type: .double),
            Field(
                id: 5, name: "tags",
                type: .map(
                    MapType(
                        keyID: 6, key: .string, valueID: 7,
                        value: .structure([Field(id: 8, name: "t", type: .string)])))),
        ])
    static let spec = PartitionSpec(fields: [
        PartitionField(sourceID: 2, fieldID: 1000, name: "start_time_day", transform: .day)
    ])

    init(properties: [String: String] = [:]) {
        metadata = TableMetadata(
            tableUUID: "00000000-0000-4000-8000-000000000000", location: "file:///t", schema: Self.schema,
            partitionSpec: Self.spec, sortOrder: SortOrder(id: 1, fields: [SortField(sourceID: 1)]),
            properties: properties, nowMilliseconds: 1)
    }

    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        reads.append(location)
        guard let bytes = contents[location] else { throw FileError(.notFound, location) }
        guard bytes.count <= limitBytes else { throw FileError(.corrupt, location) }
        return bytes
    }

    func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        guard writesLeft > 0 else { throw FileError(.full, location) }
        writesLeft -= 1
        precondition(contents[location] == nil, "\(location) is overwritten")
        contents[location] = bytes
    }

    func delete(_ location: String) throws(FileError) { contents[location] = nil }

    /// Commits what was staged, as a catalog would.
    func apply(_ commit: SnapshotCommit, now: Int64 = 10) throws {
        for case .addSnapshot(let snapshot) in commit.updates {
            precondition(contents[snapshot.manifestList] != nil, "the manifest list was not written")
        }
        metadata = try metadata.applying(
            requirements: commit.requirements, updates: commit.updates, metadataLocation: "m", nowMilliseconds: now)
    }

    @discardableResult
    func append(_ files: [DataFile], mergeCount: Int = 100, now: Int64 = 10) throws -> Snapshot {
        snapshotIDs += 1
        var append = SnapshotAppend(
            files: files, snapshotID: snapshotIDs, uuid: "uuid-\(snapshotIDs)", mergeCount: mergeCount)
        let commit = try append.stage(on: metadata, files: self, nowMilliseconds: now)
        try apply(commit, now: now)
        return commit.snapshot
    }

    func manifests() throws -> [ManifestFile] {
        guard let snapshot = metadata.currentSnapshot else { return [] }
        return try ManifestList.read(read(snapshot.manifestList, limitBytes: .max))
    }

    func entries() throws -> [ManifestEntry] {
        try manifests().flatMap { try ManifestReader.entries(read($0.path, limitBytes: .max), of: $0) }
    }

    func files() throws -> [DataFile] { try TableScan(metadata, keepsStatistics: true).plan(self).files }

    /// A file with statistics that are unlike those of other numbers.
    static func file(_ number: Int, day: Int32? = 20_000) -> DataFile {
        var file = DataFile(
            path: "file:///t/data/\(number).parquet", day: day, recordCount: Int64(number + 1), fileSizeBytes: 1_000)
        file.columnSizes = [1: 10, 3: Int64(number)]
        file.valueCounts = [1: Int64(number + 1), 3: Int64(number + 1)]
        file.nullValueCounts = [1: 0, 3: 0]
        file.lowerBounds = [1: Literal.string("a\(number)").bound, 3: Literal.long(Int64(number)).bound]
        file.upperBounds = [1: Literal.string("b\(number)").bound, 3: Literal.long(Int64(number) * 2).bound]
        file.splitOffsets = [4, 1_000]
        file.sortOrderID = 1
        return file
    }
}
