internal import Avro

/// The Avro schemas of what we write.
///
/// Source: Apache Iceberg table specification, "Manifests", "Manifest Lists", "Appendix A: Avro".
enum ManifestSchemas {
    /// `manifest_file`.
    static let manifestFile: AvroSchema = .record(
        AvroRecord(
            name: "manifest_file",
            fields: [
                AvroField("manifest_path", .string, id: 500),
                AvroField("manifest_length", .long, id: 501),
                AvroField("partition_spec_id", .int, id: 502),
                AvroField("content", .int, id: 517),
                AvroField("sequence_number", .long, id: 515),
                AvroField("min_sequence_number", .long, id: 516),
                AvroField("added_snapshot_id", .long, id: 503),
                AvroField("added_files_count", .int, id: 504),
                AvroField("existing_files_count", .int, id: 505),
                AvroField("deleted_files_count", .int, id: 506),
                AvroField("added_rows_count", .long, id: 512),
                AvroField("existing_rows_count", .long, id: 513),
                AvroField("deleted_rows_count", .long, id: 514),
                AvroField("partitions", .optional(.array(AvroArray(items: summary, elementID: 508))), id: 507),
                AvroField("key_metadata", .optional(.bytes), id: 519),
            ]))

    private static let summary: AvroSchema = .record(
        AvroRecord(
            name: "r508",
            fields: [
                AvroField("contains_null", .boolean, id: 509),
                AvroField("contains_nan", .optional(.boolean), id: 518),
                AvroField("lower_bound", .optional(.bytes), id: 510),
                AvroField("upper_bound", .optional(.bytes), id: 511),
            ]))

    /// `manifest_entry` for files of a partition spec.
    static func entry(partition: AvroSchema) -> AvroSchema {
        .record(
            AvroRecord(
                name: "manifest_entry",
                fields: [
                    AvroField("status", .int, id: 0),
                    AvroField("snapshot_id", .optional(.long), id: 1),
                    AvroField("sequence_number", .optional(.long), id: 3),
                    AvroField("file_sequence_number", .optional(.long), id: 4),
                    AvroField("data_file", dataFile(partition: partition), id: 2),
                ]))
    }

    private static func dataFile(partition: AvroSchema) -> AvroSchema {
        .record(
            AvroRecord(
                name: "r2",
                fields: [
                    AvroField("content", .int, id: 134),
                    AvroField("file_path", .string, id: 100),
                    AvroField("file_format", .string, id: 101),
                    AvroField("partition", partition, id: 102),
                    AvroField("record_count", .long, id: 103),
                    AvroField("file_size_in_bytes", .long, id: 104),
                    AvroField("column_sizes", byColumn(.long, key: 117, value: 118), id: 108),
                    AvroField("value_counts", byColumn(.long, key: 119, value: 120), id: 109),
                    AvroField("null_value_counts", byColumn(.long, key: 121, value: 122), id: 110),
                    AvroField("nan_value_counts", byColumn(.long, key: 138, value: 139), id: 137),
                    AvroField("lower_bounds", byColumn(.bytes, key: 126, value: 127), id: 125),
                    AvroField("upper_bounds", byColumn(.bytes, key: 129, value: 130), id: 128),
                    AvroField("key_metadata", .optional(.bytes), id: 131),
                    AvroField("split_offsets", .optional(.array(AvroArray(items: .long, elementID: 133))), id: 132),
                    AvroField("equality_ids", .optional(.array(AvroArray(items: .int, elementID: 136))), id: 135),
                    AvroField("sort_order_id", .optional(.int), id: 140),
                ]))
    }

    private static func byColumn(_ value: AvroSchema, key keyID: Int32, value valueID: Int32) -> AvroSchema {
        let entry = AvroRecord(
            name: "k\(keyID)_v\(valueID)",
            fields: [AvroField("key", .int, id: keyID), AvroField("value", value, id: valueID)])
        return .optional(.array(AvroArray(items: .record(entry), isMap: true)))
    }

    /// The struct of partition values, all of which may be null.
    static func partition(_ spec: PartitionSpec, _ schema: Schema) throws(TableFormatError) -> AvroSchema {
        var fields: [AvroField] = []
        for field in spec.fields {
            let source = schema.field(id: field.sourceID)?.type
            guard let type = field.transform.resultType(of: source), let physical = primitive(type) else {
                throw TableFormatError(
                    "partition field \(field.name) with transform \(field.transform.text) cannot be written")
            }
            fields.append(AvroField(field.name, .optional(physical), id: field.fieldID))
        }
        return .record(AvroRecord(name: "r102", fields: fields))
    }

    /// Nil for types that need more than a logical type's name to be told.
    private static func primitive(_ type: FieldType) -> AvroSchema? {
        switch type {
        case .boolean: .boolean
        case .int: .int
        case .long: .long
        case .float: .float
        case .double: .double
        case .date: .logical(.int, type: "date")
        case .string: .string
        case .binary: .bytes
        default: nil
        }
    }
}

extension Transform {
    /// The type of the partition value; nil when it is not known.
    func resultType(of source: FieldType?) -> FieldType? {
        switch self {
        case .identity, .truncate: source
        // The value is always null; a column that is gone leaves no type behind.
        case .void: source ?? .int
        case .day: .date
        case .year, .month, .hour, .bucket: .int
        case .unknown: nil
        }
    }
}
