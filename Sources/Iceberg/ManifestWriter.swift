internal import Avro
internal import JSON

/// Writes one manifest of data files.
///
/// Source: Apache Iceberg table specification, "Manifests".
struct ManifestWriter {
    private let spec: PartitionSpec
    private var writer: AvroFileWriter
    private var summaries: [SummaryBuilder]
    private var summary: ManifestFile

    /// - Parameters:
    ///   - path: Where the manifest will lie.
    ///   - snapshotID: Of the commit that adds the manifest.
    init(
        path: String, spec: PartitionSpec, schema: Schema, snapshotID: Int64, sync: [UInt8]
    ) throws(TableFormatError) {
        let partition = try ManifestSchemas.partition(spec, schema)
        self.spec = spec
        summaries = spec.fields.map { _ in SummaryBuilder() }
        summary = ManifestFile(
            path: path, lengthBytes: 0, partitionSpecID: spec.id, sequenceNumber: 0, minSequenceNumber: .max,
            addedSnapshotID: snapshotID)
        summary.addedFiles = 0
        summary.existingFiles = 0
        summary.deletedFiles = 0
        summary.addedRows = 0
        summary.existingRows = 0
        summary.deletedRows = 0
        do {
            writer = try AvroFileWriter(
                schema: ManifestSchemas.entry(partition: partition),
                metadata: [
                    "schema": try Self.text(schema.json), "schema-id": "\(schema.id)",
                    "partition-spec": try Self.text(spec.fieldsJSON), "partition-spec-id": "\(spec.id)",
                    "format-version": "2", "content": "data",
                ], sync: sync)
        } catch {
            throw TableFormatError("manifest: \(error)")
        }
    }

    private static func text(_ value: JSONValue) throws(AvroError) -> String {
        do {
            return try value.serialized()
        } catch {
            throw AvroError("\(error)")
        }
    }

    /// A file that the commit adds: its sequence numbers stay null and are inherited, so that the same manifest
    /// serves every attempt of the commit.
    mutating func add(_ file: DataFile) throws(TableFormatError) {
        let entry = ManifestEntry(
            status: .added, snapshotID: summary.addedSnapshotID, file: file, partition: try partition(of: file))
        try append(entry, dataSequenceNumber: nil, fileSequenceNumber: nil)
        summary.addedFiles? += 1
        summary.addedRows? += file.recordCount
    }

    /// A file that an earlier snapshot added, with the sequence numbers that it got then.
    mutating func keep(_ entry: ManifestEntry) throws(TableFormatError) {
        guard let data = entry.file.dataSequenceNumber, let file = entry.file.fileSequenceNumber else {
            throw TableFormatError("file \(entry.file.path) has no sequence number")
        }
        var kept = entry
        kept.status = .existing
        try append(kept, dataSequenceNumber: data, fileSequenceNumber: file)
        summary.existingFiles? += 1
        summary.existingRows? += entry.file.recordCount
        summary.minSequenceNumber = min(summary.minSequenceNumber, data)
    }

    /// The manifest's bytes, and what the manifest list says of it; the sequence numbers of added files are the
    /// commit's and missing here.
    mutating func finish() throws(TableFormatError) -> (bytes: [UInt8], manifest: ManifestFile) {
        do {
            let bytes = try writer.finish()
            summary.lengthBytes = Int64(bytes.count)
            summary.partitions = summaries.map(\.summary)
            return (bytes, summary)
        } catch {
            throw TableFormatError("manifest: \(error)")
        }
    }

    /// The day transform and removed fields are all that our own files know.
    private func partition(of file: DataFile) throws(TableFormatError) -> [Int32: Literal] {
        var values: [Int32: Literal] = [:]
        for field in spec.fields {
            switch field.transform {
            case .day: values[field.fieldID] = file.day.map { .int($0) }
            case .void: break
            default:
                throw TableFormatError(
                    "files cannot be written with partition field \(field.name), transform \(field.transform.text)")
            }
        }
        return values
    }

    private mutating func append(
        _ entry: ManifestEntry, dataSequenceNumber: Int64?, fileSequenceNumber: Int64?
    ) throws(TableFormatError) {
        for (index, field) in spec.fields.enumerated() { summaries[index].add(entry.partition[field.fieldID]) }
        let partitionIDs = spec.fields.map(\.fieldID)
        do {
            try writer.append { (encoder) throws(AvroError) in
                encoder.int(entry.status.rawValue)
                encoder.optional(entry.snapshotID) { $0.long($1) }
                encoder.optional(dataSequenceNumber) { $0.long($1) }
                encoder.optional(fileSequenceNumber) { $0.long($1) }
                Self.encode(entry, partitionIDs: partitionIDs, &encoder)
            }
        } catch {
            throw TableFormatError("manifest entry of \(entry.file.path): \(error)")
        }
    }

    /// In the order of `ManifestSchemas.entry`.
    private static func encode(_ entry: ManifestEntry, partitionIDs: [Int32], _ encoder: inout AvroEncoder) {
        let file = entry.file
        encoder.int(entry.content.rawValue)
        encoder.string(file.path)
        encoder.string(entry.format)
        for id in partitionIDs {
            encoder.optional(entry.partition[id]) { $0.literal($1) }
        }
        encoder.long(file.recordCount)
        encoder.long(file.fileSizeBytes)
        encoder.byColumn(file.columnSizes) { $0.long($1) }
        encoder.byColumn(file.valueCounts) { $0.long($1) }
        encoder.byColumn(file.nullValueCounts) { $0.long($1) }
        encoder.byColumn(entry.nanValueCounts) { $0.long($1) }
        encoder.byColumn(file.lowerBounds) { $0.bytes($1) }
        encoder.byColumn(file.upperBounds) { $0.bytes($1) }
        encoder.optional(entry.keyMetadata) { $0.bytes($1) }
        encoder.optional(file.splitOffsets.isEmpty ? nil : file.splitOffsets) { encoder, offsets in
            encoder.long(Int64(offsets.count))
            for offset in offsets { encoder.long(offset) }
            encoder.long(0)
        }
        encoder.optional(nil as Int32?) { $0.int($1) }
        encoder.optional(file.sortOrderID) { $0.int($1) }
    }
}

/// Gathers the values of one partition field.
private struct SummaryBuilder {
    private var containsNull = false
    private var containsNaN = false
    private var lower: Literal?
    private var upper: Literal?

    mutating func add(_ value: Literal?) {
        guard let value else {
            containsNull = true
            return
        }
        guard value.order(against: value) != nil else {
            containsNaN = true
            return
        }
        if lower.flatMap({ value.order(against: $0) }) ?? -1 < 0 { lower = value }
        if upper.flatMap({ value.order(against: $0) }) ?? 1 > 0 { upper = value }
    }

    var summary: PartitionSummary {
        PartitionSummary(
            containsNull: containsNull, containsNaN: containsNaN, lower: lower?.bound, upper: upper?.bound)
    }
}

extension AvroEncoder {
    mutating func literal(_ value: Literal) {
        switch value {
        case .boolean(let flag): boolean(flag)
        case .int(let number): int(number)
        case .long(let number): long(number)
        case .float(let number): float(number)
        case .double(let number): double(number)
        case .string(let text): string(text)
        case .bytes(let value): bytes(value)
        }
    }

    /// A map from column ids, ascending, so that equal contents are equal bytes; null when it is empty.
    mutating func byColumn<Value>(_ values: [Int32: Value], _ write: (inout AvroEncoder, Value) -> Void) {
        guard !values.isEmpty else {
            long(0)
            return
        }
        long(1)
        long(Int64(values.count))
        for (column, value) in values.sorted(by: { $0.key < $1.key }) {
            int(column)
            write(&self, value)
        }
        long(0)
    }
}

extension DataFile {
    var hasSequenceNumbers: Bool { dataSequenceNumber != nil && fileSequenceNumber != nil }
}
