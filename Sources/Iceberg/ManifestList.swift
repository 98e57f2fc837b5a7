internal import Avro

/// Reads and writes manifest lists.
///
/// Source: Apache Iceberg table specification, "Manifest Lists".
public enum ManifestList {
    /// Longest list that is read, bytes: about 300 for each manifest.
    public static let limitBytes = 64 << 20

    /// The manifests of a snapshot.
    public static func read(_ bytes: [UInt8]) throws(TableFormatError) -> [ManifestFile] {
        do {
            var reader = try AvroFileReader(bytes)
            let record = try RecordReader(reader.schema, "manifest file")
            var manifests: [ManifestFile] = []
            try reader.forEachObject { (cursor) throws(AvroError) in
                manifests.append(try manifest(&cursor, record))
            }
            return manifests
        } catch {
            throw TableFormatError("manifest list: \(error)")
        }
    }

    /// Fields that a list of version 1 does not have stay at what the specification says they are.
    private static func manifest(_ cursor: inout AvroCursor, _ record: RecordReader) throws(AvroError) -> ManifestFile {
        var manifest = ManifestFile(
            path: "", lengthBytes: -1, partitionSpecID: 0, sequenceNumber: 0, minSequenceNumber: 0, addedSnapshotID: 0)
        try record.read(&cursor) { (cursor, id, schema) throws(AvroError) in
            switch id {
            case 500: manifest.path = try cursor.text(schema)
            case 501: manifest.lengthBytes = try cursor.whole(schema)
            case 502: manifest.partitionSpecID = try cursor.whole32(schema)
            case 517:
                guard let content = ManifestFile.Content(rawValue: try cursor.whole32(schema)) else {
                    throw AvroError("manifest with unknown content")
                }
                manifest.content = content
            case 515: manifest.sequenceNumber = try cursor.whole(schema)
            case 516: manifest.minSequenceNumber = try cursor.whole(schema)
            case 503: manifest.addedSnapshotID = try cursor.whole(schema)
            case 504: manifest.addedFiles = try cursor.whole32(schema)
            case 505: manifest.existingFiles = try cursor.whole32(schema)
            case 506: manifest.deletedFiles = try cursor.whole32(schema)
            case 512: manifest.addedRows = try cursor.whole(schema)
            case 513: manifest.existingRows = try cursor.whole(schema)
            case 514: manifest.deletedRows = try cursor.whole(schema)
            case 507: manifest.partitions = try summaries(&cursor, schema)
            case 519: manifest.keyMetadata = try cursor.binary(schema)
            default: return false
            }
            return true
        }
        guard !manifest.path.isEmpty, manifest.lengthBytes >= 0 else {
            throw AvroError("manifest without path or length")
        }
        return manifest
    }

    private static func summaries(
        _ cursor: inout AvroCursor, _ schema: AvroSchema
    ) throws(AvroError) -> [PartitionSummary] {
        guard case .array(let array) = schema else { throw AvroError("expected a list of partition summaries") }
        let record = try RecordReader(array.items.required, "partition summary")
        var summaries: [PartitionSummary] = []
        try cursor.forEachElement { (cursor) throws(AvroError) in
            guard try cursor.present(array.items) != nil else { throw AvroError("partition summary is null") }
            // Whoever leaves it out says nothing: null must be assumed.
            var summary = PartitionSummary(containsNull: true, containsNaN: nil)
            try record.read(&cursor) { (cursor, id, schema) throws(AvroError) in
                switch id {
                case 509: summary.containsNull = try cursor.boolean()
                case 518: summary.containsNaN = try cursor.boolean()
                case 510: summary.lower = try cursor.binary(schema)
                case 511: summary.upper = try cursor.binary(schema)
                default: return false
                }
                return true
            }
            summaries.append(summary)
        }
        return summaries
    }

    /// The bytes of a list of version 2.
    static func write(
        _ manifests: [ManifestFile], snapshot: Snapshot, sync: [UInt8]
    ) throws(TableFormatError) -> [UInt8] {
        var metadata = [
            "snapshot-id": "\(snapshot.id)", "sequence-number": "\(snapshot.sequenceNumber)", "format-version": "2",
        ]
        if let parentID = snapshot.parentID { metadata["parent-snapshot-id"] = "\(parentID)" }
        do {
            var writer = try AvroFileWriter(schema: ManifestSchemas.manifestFile, metadata: metadata, sync: sync)
            for manifest in manifests {
                try writer.append { (encoder) throws(AvroError) in encode(manifest, &encoder) }
            }
            return try writer.finish()
        } catch {
            throw TableFormatError(error)
        }
    }

    /// In the order of `ManifestSchemas.manifestFile`.
    private static func encode(_ manifest: ManifestFile, _ encoder: inout AvroEncoder) {
        encoder.string(manifest.path)
        encoder.long(manifest.lengthBytes)
        encoder.int(manifest.partitionSpecID)
        encoder.int(manifest.content.rawValue)
        encoder.long(manifest.sequenceNumber)
        encoder.long(manifest.minSequenceNumber)
        encoder.long(manifest.addedSnapshotID)
        // Required in version 2; a list of version 1 may have left them out.
        encoder.int(manifest.addedFiles ?? 0)
        encoder.int(manifest.existingFiles ?? 0)
        encoder.int(manifest.deletedFiles ?? 0)
        encoder.long(manifest.addedRows ?? 0)
        encoder.long(manifest.existingRows ?? 0)
        encoder.long(manifest.deletedRows ?? 0)
        encoder.optional(manifest.partitions) { encoder, summaries in
            if !summaries.isEmpty { encoder.long(Int64(summaries.count)) }
            for summary in summaries { encode(summary, &encoder) }
            encoder.long(0)
        }
        encoder.optional(manifest.keyMetadata) { $0.bytes($1) }
    }

    private static func encode(_ summary: PartitionSummary, _ encoder: inout AvroEncoder) {
        encoder.boolean(summary.containsNull)
        encoder.optional(summary.containsNaN) { $0.boolean($1) }
        encoder.optional(summary.lower) { $0.bytes($1) }
        encoder.optional(summary.upper) { $0.bytes($1) }
    }
}

extension AvroEncoder {
    /// A value of a union of null and something else.
    mutating func optional<Value>(_ value: Value?, _ write: (inout AvroEncoder, Value) -> Void) {
        guard let value else {
            long(0)
            return
        }
        long(1)
        write(&self, value)
    }
}
