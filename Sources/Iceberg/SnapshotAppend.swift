/// A file of a commit: to be written, durably, before the commit is sent.
public struct StagedFile: Hashable, Sendable {
    /// Absolute URI.
    public var location: String
    public var bytes: [UInt8]
    /// Whether later attempts of the same append refer to it too; the others serve one attempt.
    public var isShared: Bool
}

/// One attempt of an append, ready to be sent once its files are written.
public struct SnapshotCommit: Sendable {
    public var snapshot: Snapshot
    /// Files that were not part of an earlier attempt.
    public var files: [StagedFile]
    /// The table's uuid, and that main has not moved.
    public var requirements: [TableRequirement]
    /// The snapshot, and main set to it; the caller may add more, such as properties.
    public var updates: [TableUpdate]

    /// What can be deleted when this attempt has surely not been applied.
    public var attemptLocations: [String] { files.filter { !$0.isShared }.map(\.location) }
}

/// Appends data files, or nothing at all, in one snapshot; builds on whatever metadata each attempt finds.
///
///     var append = SnapshotAppend(files: files, snapshotID: random, uuid: random)
///     loop: load the table
///           let merged = try append.manifestsToMerge(list)        read them
///           let commit = try append.commit(…)                     write its files, send it
///           conflict → loop
///
/// Without files the snapshot is empty: main moves, the rows stay. The new files' manifest is made once and serves all
/// attempts, because its entries inherit their sequence numbers.
///
/// Source: Apache Iceberg table specification, "Optimistic Concurrency", "Snapshots"; Java's `MergeAppend`.
public struct SnapshotAppend: Sendable {
    /// When so many small manifests have gathered they are merged; `commit.manifest.min-count-to-merge` of Java.
    public static let mergeCount = 100
    /// A manifest of this size is no longer merged with others, bytes; `commit.manifest.target-size-bytes` of Java.
    public static let targetManifestBytes: Int64 = 8 << 20
    /// Manifests that one commit merges at most: each is one read before the commit.
    public static let mergeLimit = 500

    public let files: [DataFile]
    public let snapshotID: Int64
    /// Part of the names of all files of the append.
    public let uuid: String
    /// Entries of the snapshot's summary besides those that every append has.
    public let summary: [String: String]
    private let mergeCount: Int
    private var attempts = 0
    private var manifest: PreparedManifest?

    /// The manifest of the new files, and for which spec and schema it was made.
    private struct PreparedManifest: Sendable {
        var tableUUID: String
        var specID: Int32
        var schemaID: Int32
        var file: ManifestFile
    }

    /// - Parameters:
    ///   - snapshotID: Random, positive; stays the same over all attempts.
    ///   - uuid: Random, in its usual text form; stays the same over all attempts.
    public init(
        files: [DataFile], snapshotID: Int64, uuid: String, summary: [String: String] = [:],
        mergeCount: Int = SnapshotAppend.mergeCount
    ) {
        self.files = files
        self.snapshotID = snapshotID
        self.uuid = uuid
        self.summary = summary
        self.mergeCount = mergeCount
    }

    /// The small manifests of the table that the next attempt shall merge: none until enough have gathered.
    ///
    /// - Parameter list: The manifests of the current snapshot.
    public func manifestsToMerge(_ list: [ManifestFile], on metadata: TableMetadata) -> [ManifestFile] {
        // An empty commit is a fence: it must be quick, and the next real one will merge.
        guard !files.isEmpty, let spec = metadata.partitionSpec, let schema = metadata.schema,
            (try? ManifestSchemas.partition(spec, schema)) != nil
        else { return [] }
        let small = list.filter {
            $0.content == .data && $0.partitionSpecID == metadata.defaultSpecID && $0.keyMetadata == nil
                && $0.lengthBytes < Self.targetManifestBytes / 2
        }
        guard small.count >= mergeCount else { return [] }
        return Array(small.prefix(Self.mergeLimit))
    }

    /// Makes the next attempt.
    ///
    /// - Parameters:
    ///   - list: The manifests of the current snapshot; empty when there is none.
    ///   - merging: Bytes of those that `manifestsToMerge` named, by path.
    ///   - nowMilliseconds: Since 1970; the snapshot's time is later than its parent's in any case.
    public mutating func commit(
        on metadata: TableMetadata, list: [ManifestFile], merging: [String: [UInt8]] = [:], nowMilliseconds: Int64
    ) throws(TableFormatError) -> SnapshotCommit {
        let parent = metadata.currentSnapshot
        attempts += 1
        var snapshot = Snapshot(
            id: snapshotID, parentID: parent?.id, sequenceNumber: metadata.lastSequenceNumber + 1,
            timestampMilliseconds: max(nowMilliseconds, (parent?.timestampMilliseconds ?? 0) + 1),
            manifestList: "\(metadata.metadataDirectory)/snap-\(snapshotID)-\(attempts)-\(uuid).avro",
            summary: summary, schemaID: metadata.currentSchemaID)
        addTotals(to: &snapshot.summary, parent: parent)
        var staged: [StagedFile] = []
        var manifests = try newManifest(on: metadata, sequenceNumber: snapshot.sequenceNumber, &staged)
        let merged = try mergedManifests(on: metadata, list: list, merging: merging, &staged)
        for var manifest in merged.manifests {
            manifest.sequenceNumber = snapshot.sequenceNumber
            manifests.append(manifest)
        }
        manifests += list.filter { !merged.replaced.contains($0.path) }
        let bytes = try ManifestList.write(manifests, snapshot: snapshot, sync: sync(of: attempts))
        staged.append(StagedFile(location: snapshot.manifestList, bytes: bytes, isShared: false))
        var reference = metadata.references[SnapshotReference.main] ?? SnapshotReference(snapshotID: snapshotID)
        reference.snapshotID = snapshotID
        return SnapshotCommit(
            snapshot: snapshot, files: staged,
            requirements: [
                .assertTableUUID(metadata.tableUUID),
                .assertRefSnapshotID(reference: SnapshotReference.main, snapshotID: metadata.currentSnapshotID),
            ],
            updates: [
                .addSnapshot(snapshot), .setSnapshotReference(name: SnapshotReference.main, reference),
            ])
    }

    /// The manifest of the new files, made anew only when the table's spec or schema has changed since the last
    /// attempt.
    private mutating func newManifest(
        on metadata: TableMetadata, sequenceNumber: Int64, _ staged: inout [StagedFile]
    ) throws(TableFormatError) -> [ManifestFile] {
        guard !files.isEmpty else { return [] }
        var prepared: PreparedManifest
        if let manifest, manifest.tableUUID == metadata.tableUUID, manifest.specID == metadata.defaultSpecID,
            manifest.schemaID == metadata.currentSchemaID
        {
            prepared = manifest
        } else {
            let suffix = attempts == 1 ? "" : "-\(attempts)"
            var writer = try writer(on: metadata, path: "\(metadata.metadataDirectory)/\(uuid)-m0\(suffix).avro")
            for file in files { try writer.add(file) }
            let (bytes, file) = try writer.finish()
            staged.append(StagedFile(location: file.path, bytes: bytes, isShared: true))
            prepared = PreparedManifest(
                tableUUID: metadata.tableUUID, specID: metadata.defaultSpecID, schemaID: metadata.currentSchemaID,
                file: file)
            manifest = prepared
        }
        prepared.file.sequenceNumber = sequenceNumber
        prepared.file.minSequenceNumber = sequenceNumber
        return [prepared.file]
    }

    private func writer(on metadata: TableMetadata, path: String) throws(TableFormatError) -> ManifestWriter {
        guard let spec = metadata.partitionSpec, let schema = metadata.schema else {
            throw TableFormatError("table \(metadata.tableUUID) has no current schema or spec")
        }
        return try ManifestWriter(path: path, spec: spec, schema: schema, snapshotID: snapshotID, sync: sync(of: 0))
    }

    /// Live entries of small manifests in as few new ones as their size allows.
    ///
    /// A manifest that this program does not wholly understand stays as it is: merging serves readers, and is never
    /// a reason not to commit.
    private func mergedManifests(
        on metadata: TableMetadata, list: [ManifestFile], merging: [String: [UInt8]], _ staged: inout [StagedFile]
    ) throws(TableFormatError) -> (manifests: [ManifestFile], replaced: Set<String>) {
        var manifests: [ManifestFile] = []
        var replaced: Set<String> = []
        var open: (writer: ManifestWriter, inputBytes: Int64, entries: Int)?
        func close() throws(TableFormatError) {
            guard var current = open, current.entries > 0 else { return }
            let (bytes, manifest) = try current.writer.finish()
            staged.append(StagedFile(location: manifest.path, bytes: bytes, isShared: false))
            manifests.append(manifest)
            open = nil
        }
        for manifest in list {
            guard let bytes = merging[manifest.path] else { continue }
            guard let entries = try? ManifestReader.entries(bytes, of: manifest),
                entries.allSatisfy({ $0.content == .data && !$0.hasUnknownFields && $0.file.hasSequenceNumbers })
            else { continue }
            if let current = open, current.inputBytes + manifest.lengthBytes > Self.targetManifestBytes {
                try close()
            }
            if open == nil {
                let path = "\(metadata.metadataDirectory)/\(uuid)-m\(manifests.count + 1)-\(attempts).avro"
                open = (try writer(on: metadata, path: path), 0, 0)
            }
            for entry in entries where entry.isLive {
                try open?.writer.keep(entry)
                open?.entries += 1
            }
            open?.inputBytes += manifest.lengthBytes
            replaced.insert(manifest.path)
        }
        try close()
        return (manifests, replaced)
    }

    /// 16 bytes of the random uuid, different for each attempt.
    private func sync(of attempt: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: attempt), count: 16)
        for (index, byte) in uuid.utf8.enumerated() { bytes[index % 16] = bytes[index % 16] &* 31 &+ byte }
        return bytes
    }

    /// The entries that every append has. Totals are left out where the parent's are not known, as Java does.
    private func addTotals(to summary: inout [String: String], parent: Snapshot?) {
        let added: [(name: String, total: String, count: Int64)] = [
            ("added-data-files", "total-data-files", Int64(files.count)),
            ("added-records", "total-records", files.reduce(0) { $0 + $1.recordCount }),
            ("added-files-size", "total-files-size", files.reduce(0) { $0 + $1.fileSizeBytes }),
            ("", "total-delete-files", 0), ("", "total-position-deletes", 0), ("", "total-equality-deletes", 0),
        ]
        summary["operation"] = "append"
        for (name, total, count) in added {
            if count > 0, !name.isEmpty { summary[name] = "\(count)" }
            let before = parent == nil ? 0 : parent?.summary[total].flatMap { Int64($0) }
            if let before { summary[total] = "\(before &+ count)" }
        }
        if !files.isEmpty { summary["changed-partition-count"] = "\(Set(files.map(\.day)).count)" }
    }
}

extension SnapshotAppend {
    /// Makes the next attempt and writes its files: everything but the commit itself.
    ///
    /// Blocks. What it wrote before an error stays behind; orphan removal takes it.
    public mutating func stage(
        on metadata: TableMetadata, files: any TableFiles, nowMilliseconds: Int64
    ) throws(FileError) -> SnapshotCommit {
        do {
            var list: [ManifestFile] = []
            if let parent = metadata.currentSnapshot {
                let bytes = try files.read(parent.manifestList, limitBytes: ManifestList.limitBytes)
                list = try ManifestList.read(bytes)
            }
            var merging: [String: [UInt8]] = [:]
            for manifest in manifestsToMerge(list, on: metadata) {
                merging[manifest.path] = try? files.read(manifest.path, limitBytes: ManifestReader.limitBytes)
            }
            let before = self
            let commit = try commit(on: metadata, list: list, merging: merging, nowMilliseconds: nowMilliseconds)
            do {
                for file in commit.files { try files.write(file.location, file.bytes) }
            } catch {
                // The shared manifest may be missing: the next attempt makes it again, under a name of its own.
                manifest = before.manifest
                throw error
            }
            return commit
        } catch {
            throw FileError(wrapping: error)
        }
    }
}
