import Pipeline
import TraceGenerator
import TraceModel

@testable import Iceberg

/// A row as the table's files hold it.
struct SimulatedRow: Hashable {
    var id: PartitionID
    var offset: Int64
    var index: UInt32
    var traceID: TraceID
    var spanID: SpanID
    var decision: Decision
    var decidedAtMilliseconds: Int64

    var identity: RowIdentity { RowIdentity(id: id, offset: offset, index: index) }
}

struct RowIdentity: Hashable {
    var id: PartitionID
    var offset: Int64
    var index: UInt32
}

/// A commit request, and who sent it.
struct CommitRequest {
    var writer: String
    var requirements: [TableRequirement]
    var updates: [TableUpdate]
}

/// Catalog and store of one table, in memory: applies commits as a catalog does.
struct SimulatedTable {
    private(set) var metadata: TableMetadata?
    private(set) var files: [String: [UInt8]] = [:]
    private(set) var rows: [String: [SimulatedRow]] = [:]
    /// When each file came, milliseconds; orphan removal asks.
    private var ages: [String: Int64] = [:]
    private var manifests: [String: [ManifestEntry]] = [:]
    private(set) var version = 0
    /// Tables that had the name before.
    private var drops = 0

    static let identifier = TableIdentifier(namespace: "default", name: "spans")
    static let schema = Schema(fields: [Field(id: 1, name: "trace_id", type: .string)])

    static let definition = TableDefinition(
        identifier: identifier, schema: schema, partitionSpec: .unpartitioned, sortOrder: .unsorted,
        properties: [:], evolution: { _ in nil })

    func loaded(at server: Int64) throws(CatalogError) -> LoadedTable {
        guard let metadata else { throw CatalogError(.notFound, "there is no table") }
        return LoadedTable(
            metadataLocation: "memory:///\(version)", metadata: metadata, serverMilliseconds: server)
    }

    mutating func create(_ definition: TableDefinition, at server: Int64) throws(CatalogError) -> LoadedTable {
        guard metadata == nil else { throw CatalogError(.alreadyExists, "the table exists") }
        metadata = TableMetadata(
            tableUUID: "6b1f0000-0000-4000-8000-00000000000\(1 + drops)", location: "memory:///spans",
            schema: definition.schema, partitionSpec: definition.partitionSpec, sortOrder: definition.sortOrder,
            properties: definition.properties, nowMilliseconds: server)
        return try loaded(at: server)
    }

    mutating func apply(_ request: CommitRequest, at server: Int64) throws(CatalogError) {
        guard let before = metadata else { throw CatalogError(.notFound, "there is no table") }
        metadata = try before.applying(
            requirements: request.requirements, updates: request.updates, metadataLocation: "memory:///\(version)",
            nowMilliseconds: server)
        version += 1
    }

    /// The table is gone; its files lie about.
    mutating func drop() {
        metadata = nil
        drops += 1
    }

    // MARK: Files

    mutating func write(_ location: String, _ bytes: [UInt8], at now: Int64) {
        files[location] = bytes
        ages[location] = now
    }

    mutating func writeRows(_ rows: [SimulatedRow], _ location: String, at now: Int64) -> DataFile {
        self.rows[location] = rows
        ages[location] = now
        return DataFile(path: location, day: nil, recordCount: Int64(rows.count), fileSizeBytes: 1)
    }

    mutating func delete(_ location: String) {
        files[location] = nil
        rows[location] = nil
    }

    func read(_ location: String) throws(FileError) -> [UInt8] {
        guard let bytes = files[location] else { throw FileError(.notFound, "\(location) is not there") }
        return bytes
    }

    func readRows(_ location: String) throws(FileError) -> [SimulatedRow] {
        guard let rows = rows[location] else { throw FileError(.notFound, "\(location) is not there") }
        return rows
    }

    // MARK: What main holds

    /// The live files of main, or what is missing.
    mutating func liveFiles() throws(FileError) -> [DataFile] {
        guard let main = metadata?.currentSnapshot else { return [] }
        var live: [DataFile] = []
        for manifest in try manifestList(main.manifestList) {
            for entry in try entries(manifest) where entry.isLive { live.append(entry.file) }
        }
        return live
    }

    func manifestList(_ location: String) throws(FileError) -> [ManifestFile] {
        let bytes = try read(location)
        do throws(TableFormatError) {
            return try ManifestList.read(bytes)
        } catch {
            throw FileError(.corrupt, error.message)
        }
    }

    mutating func entries(_ manifest: ManifestFile) throws(FileError) -> [ManifestEntry] {
        let bytes = try read(manifest.path)
        // The same manifest file can have been listed with another sequence number by an attempt that failed.
        let key = "\(manifest.path)#\(manifest.sequenceNumber)#\(manifest.addedSnapshotID)"
        if let known = manifests[key] { return known }
        do throws(TableFormatError) {
            let entries = try ManifestReader.entries(bytes, of: manifest)
            manifests[key] = entries
            return entries
        } catch {
            throw FileError(.corrupt, error.message)
        }
    }

    /// Every file that some snapshot needs.
    mutating func reachable() throws(FileError) -> Set<String> {
        var reachable: Set<String> = []
        for snapshot in metadata?.snapshots ?? [] {
            reachable.insert(snapshot.manifestList)
            for manifest in try manifestList(snapshot.manifestList) {
                reachable.insert(manifest.path)
                for entry in try entries(manifest) where entry.isLive { reachable.insert(entry.file.path) }
            }
        }
        return reachable
    }
}

// MARK: What others do to the table

extension SimulatedTable {
    /// Somebody else's commit on main; nil when there is nothing to do it on.
    mutating func foreignCommit(
        _ kind: ForeignKind, random: inout SeededRandom, at server: Int64
    ) throws(FileError) -> CommitRequest? {
        guard let metadata else { return nil }
        switch kind {
        case .append:
            let file = writeRows([], "memory:///foreign-\(random.next())", at: server)
            return try replacing([], by: [file], on: metadata, random: &random, at: server)
        case .compaction:
            let live = try liveFiles().filter { rows[$0.path] != nil }
            guard live.count > 1 else { return nil }
            let inputs = live.filter { _ in random.chance(0.6) }
            guard !inputs.isEmpty else { return nil }
            var merged: [SimulatedRow] = []
            for input in inputs { merged += try readRows(input.path) }
            let file = writeRows(merged, "memory:///compacted-\(random.next())", at: server)
            return try replacing(Set(inputs.map(\.path)), by: [file], on: metadata, random: &random, at: server)
        case .rollback:
            guard let main = metadata.currentSnapshot, let parent = main.parentID,
                metadata.snapshot(id: parent) != nil
            else { return nil }
            return CommitRequest(
                writer: "operator", requirements: [.assertTableUUID(metadata.tableUUID)],
                updates: [
                    .setSnapshotReference(
                        name: SnapshotReference.main, SnapshotReference(snapshotID: parent))
                ])
        case .expiry:
            let old = metadata.snapshots.filter { $0.id != metadata.currentSnapshotID }.map(\.id)
            guard !old.isEmpty else { return nil }
            return CommitRequest(
                writer: "maintenance", requirements: [.assertTableUUID(metadata.tableUUID)],
                updates: [.removeSnapshots(old)])
        }
    }

    /// A snapshot without some files and with others, as a rewriting engine makes it: all of it in new manifests.
    private mutating func replacing(
        _ removed: Set<String>, by added: [DataFile], on metadata: TableMetadata, random: inout SeededRandom,
        at server: Int64
    ) throws(FileError) -> CommitRequest {
        let id = Int64(random.next() >> 2) + 1
        let parent = metadata.currentSnapshot
        let directory = "\(metadata.metadataDirectory)/foreign-\(id)"
        var kept: [ManifestEntry] = []
        for manifest in try parent.map({ value throws(FileError) in try manifestList(value.manifestList) }) ?? [] {
            kept += try entries(manifest).filter { $0.isLive && !removed.contains($0.file.path) }
        }
        let snapshot = Snapshot(
            id: id, parentID: parent?.id, sequenceNumber: metadata.lastSequenceNumber + 1,
            timestampMilliseconds: max(server, (parent?.timestampMilliseconds ?? 0) + 1),
            manifestList: "\(directory).avro", summary: ["operation": removed.isEmpty ? "append" : "replace"],
            schemaID: metadata.currentSchemaID)
        do throws(TableFormatError) {
            let sync = [UInt8](repeating: 7, count: 16)
            var writer = try ManifestWriter(
                path: "\(directory)-m0.avro", spec: .unpartitioned, schema: Self.schema, snapshotID: id, sync: sync)
            for file in added { try writer.add(file) }
            for entry in kept { try writer.keep(entry) }
            var (bytes, manifest) = try writer.finish()
            manifest.sequenceNumber = snapshot.sequenceNumber
            manifest.minSequenceNumber = min(manifest.minSequenceNumber, snapshot.sequenceNumber)
            write(manifest.path, bytes, at: server)
            write(snapshot.manifestList, try ManifestList.write([manifest], snapshot: snapshot, sync: sync), at: server)
        } catch {
            throw FileError(.corrupt, error.message)
        }
        return CommitRequest(
            writer: "foreign",
            requirements: [
                .assertTableUUID(metadata.tableUUID),
                .assertRefSnapshotID(reference: SnapshotReference.main, snapshotID: metadata.currentSnapshotID),
            ],
            updates: [
                .addSnapshot(snapshot),
                .setSnapshotReference(name: SnapshotReference.main, SnapshotReference(snapshotID: id)),
            ])
    }

    /// Deletes what no snapshot needs and is older than that.
    mutating func removeOrphans(olderThan age: Int64, now: Int64) throws(FileError) {
        let reachable = try reachable()
        for location in Array(files.keys) + Array(rows.keys)
        where !reachable.contains(location) && now - (ages[location] ?? 0) > age {
            delete(location)
        }
    }
}

enum ForeignKind: CaseIterable {
    case append
    case compaction
    case expiry
    case rollback

    var fault: FaultSchedule.Kind {
        switch self {
        case .append: .append
        case .compaction: .compaction
        case .expiry: .expiry
        case .rollback: .rollback
        }
    }
}
