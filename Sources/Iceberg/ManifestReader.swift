internal import Avro

/// Reads manifests by the schema with which they were written.
public enum ManifestReader {
    /// Longest manifest that is read, bytes; Java and pyiceberg start a new one at 8 MiB.
    public static let limitBytes = 256 << 20

    /// Which parts of the entries are wanted: the rest is skipped, which is most of the work.
    public struct Projection: Hashable, Sendable {
        /// Columns whose bounds and counts are kept; nil keeps all.
        public var columns: Set<Int32>?

        public init(columns: Set<Int32>?) {
            self.columns = columns
        }

        public static let everything = Projection(columns: nil)
    }

    /// The entries of a manifest, deleted ones included, with what they inherit from it filled in.
    ///
    /// Source: Apache Iceberg table specification, "Sequence Number Inheritance".
    public static func entries(
        _ bytes: [UInt8], of manifest: ManifestFile, projection: Projection = .everything
    ) throws(TableFormatError) -> [ManifestEntry] {
        do {
            var reader = try AvroFileReader(bytes)
            let decoder = try EntryDecoder(schema: reader.schema, manifest: manifest, projection: projection)
            var entries: [ManifestEntry] = []
            try reader.forEachObject { (cursor) throws(AvroError) in entries.append(try decoder.entry(&cursor)) }
            return entries
        } catch {
            throw TableFormatError("manifest \(manifest.path): \(error)")
        }
    }
}

private struct EntryDecoder {
    let entry: RecordReader
    let file: RecordReader
    let partition: RecordReader
    let manifest: ManifestFile
    let wanted: Set<Int32>?

    init(
        schema: AvroSchema, manifest: ManifestFile, projection: ManifestReader.Projection
    ) throws(AvroError) {
        entry = try RecordReader(schema, "manifest entry")
        file = try entry.inner(2, "data file")
        partition = try file.inner(102, "partition")
        self.manifest = manifest
        wanted = projection.columns
    }

    func entry(_ cursor: inout AvroCursor) throws(AvroError) -> ManifestEntry {
        var entry = ManifestEntry(
            status: .existing, snapshotID: manifest.addedSnapshotID,
            file: DataFile(path: "", day: nil, recordCount: 0, fileSizeBytes: 0), partition: [:])
        var status: ManifestEntry.Status?
        try self.entry.read(&cursor) { (cursor, id, schema) throws(AvroError) in
            switch id {
            case 0:
                status = ManifestEntry.Status(rawValue: try cursor.whole32(schema))
            case 1: entry.snapshotID = try cursor.whole(schema)
            case 2: try readFile(&cursor, into: &entry)
            case 3: entry.file.dataSequenceNumber = try cursor.whole(schema)
            case 4: entry.file.fileSequenceNumber = try cursor.whole(schema)
            default:
                entry.hasUnknownFields = true
                return false
            }
            return true
        }
        guard let status else { throw AvroError("manifest entry with an unknown status") }
        guard !entry.file.path.isEmpty else { throw AvroError("manifest entry without a path") }
        entry.status = status
        inherit(into: &entry.file, status)
        return entry
    }

    /// Null numbers are the manifest's. Only added entries may have them by the specification; version 1 wrote none.
    private func inherit(into file: inout DataFile, _ status: ManifestEntry.Status) {
        if file.dataSequenceNumber == nil, manifest.sequenceNumber == 0 || status == .added {
            file.dataSequenceNumber = manifest.sequenceNumber
        }
        if file.fileSequenceNumber == nil { file.fileSequenceNumber = manifest.sequenceNumber }
    }

    private func readFile(_ cursor: inout AvroCursor, into entry: inout ManifestEntry) throws(AvroError) {
        var isComplete = (records: false, size: false)
        try file.read(&cursor) { (cursor, id, schema) throws(AvroError) in
            switch id {
            case 134:
                guard let content = ManifestEntry.Content(rawValue: try cursor.whole32(schema)) else {
                    throw AvroError("file with unknown content")
                }
                entry.content = content
            case 100: entry.file.path = try cursor.text(schema)
            case 101: entry.format = try cursor.text(schema)
            case 102: try readPartition(&cursor, into: &entry)
            case 103:
                entry.file.recordCount = try cursor.whole(schema)
                isComplete.records = true
            case 104:
                entry.file.fileSizeBytes = try cursor.whole(schema)
                isComplete.size = true
            default: return try readStatistics(&cursor, id, schema, into: &entry)
            }
            return true
        }
        guard isComplete.records, isComplete.size, entry.file.recordCount >= 0, entry.file.fileSizeBytes >= 0 else {
            throw AvroError("data file without record count and size")
        }
    }

    private func readPartition(_ cursor: inout AvroCursor, into entry: inout ManifestEntry) throws(AvroError) {
        try partition.read(&cursor) { (cursor, id, schema) throws(AvroError) in
            entry.partition[id] = try cursor.literal(schema)
            return true
        }
    }

    private func readStatistics(
        _ cursor: inout AvroCursor, _ id: Int32, _ schema: AvroSchema, into entry: inout ManifestEntry
    ) throws(AvroError) -> Bool {
        switch id {
        case 108: entry.file.columnSizes = try counts(&cursor, schema)
        case 109: entry.file.valueCounts = try counts(&cursor, schema)
        case 110: entry.file.nullValueCounts = try counts(&cursor, schema)
        case 137: entry.nanValueCounts = try counts(&cursor, schema)
        case 125: entry.file.lowerBounds = try bounds(&cursor, schema)
        case 128: entry.file.upperBounds = try bounds(&cursor, schema)
        case 131: entry.keyMetadata = try cursor.binary(schema)
        case 132: entry.file.splitOffsets = try cursor.wholes(schema)
        case 140: entry.file.sortOrderID = try cursor.whole32(schema)
        // Equality ids of delete files; distinct counts, which the specification has withdrawn.
        case 135, 111: return false
        default:
            entry.hasUnknownFields = true
            return false
        }
        return true
    }

    private func counts(_ cursor: inout AvroCursor, _ schema: AvroSchema) throws(AvroError) -> [Int32: Int64] {
        try cursor.byColumn(schema, wanted: wanted) { (cursor, schema) throws(AvroError) in try cursor.whole(schema) }
    }

    private func bounds(_ cursor: inout AvroCursor, _ schema: AvroSchema) throws(AvroError) -> [Int32: [UInt8]] {
        try cursor.byColumn(schema, wanted: wanted) { (cursor, schema) throws(AvroError) in try cursor.binary(schema) }
    }
}
