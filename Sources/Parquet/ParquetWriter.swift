import CParquet

/// Writes one Parquet file: row groups one after the other, in each the leaves in the order of the schema.
///
///     var writer = try ParquetWriter(path: "/data/x.parquet", columns: columns, options: options)
///     try writer.beginRowGroup()
///     try writer.write(ids)
///     try writer.write(keys, at: levels)
///     try writer.endRowGroup()
///     let file = try writer.publish()
///
/// Until `publish` returns the file is called `<path>.tmp`; a writer that goes away before deletes it. What is
/// published is synced, the directory too, and a file is never seen half-written.
public struct ParquetWriter: ~Copyable {
    private let writer: OpaquePointer

    public init(
        path: String, columns: [ParquetField], options: ParquetOptions = ParquetOptions()
    ) throws(ParquetError) {
        var nodes: [ParquetField.Node] = []
        for column in columns { column.appendNodes(to: &nodes) }
        writer = try NativeSchema(nodes).open(path: path, options: options)
    }

    deinit { cpq_writer_free(writer) }

    public mutating func beginRowGroup() throws(ParquetError) {
        try call { cpq_writer_begin_row_group(writer, $0) }
    }

    public mutating func endRowGroup() throws(ParquetError) {
        try call { cpq_writer_end_row_group(writer, $0) }
    }

    /// Ends the file, makes it durable and gives it its name.
    public consuming func publish() throws(ParquetError) -> ParquetSummary {
        try finish()
    }

    /// Borrowing: the native writer lives until it has told everything.
    private borrowing func finish() throws(ParquetError) -> ParquetSummary {
        try call { cpq_writer_publish(writer, $0) }
        var summary = ParquetSummary(byteCount: cpq_writer_file_bytes(writer))
        for group in 0..<cpq_writer_row_group_count(writer) {
            summary.rowGroupOffsets.append(cpq_writer_row_group_offset(writer, group))
        }
        for leaf in 0..<cpq_writer_leaf_count(writer) {
            var statistics = cpq_statistics()
            try call { cpq_writer_statistics(writer, leaf, &statistics, $0) }
            summary.columns.append(ParquetStatistics(statistics))
        }
        return summary
    }

    // MARK: - One call per column of a row group

    public mutating func write<Value>(_ column: borrowing FixedColumn<Value>) throws(ParquetError) {
        try write(Value.leafType, column.presence.levels(valueCount: column.count), column.values())
    }

    public mutating func write(_ column: borrowing BytesColumn) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, column.presence.levels(valueCount: column.count), column.values())
    }

    public mutating func write(_ column: borrowing TextColumn) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, column.presence.levels(valueCount: column.count), column.values())
    }

    public mutating func write(_ column: borrowing RunColumn) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, column.levels(), column.values())
    }

    /// - Parameter member: The choice that stands for this leaf; nil when it has a value in every element.
    public mutating func write<Value>(
        _ column: borrowing FixedColumn<Value>, at levels: borrowing ColumnLevels, member: UInt8? = nil
    ) throws(ParquetError) {
        try write(Value.leafType, levels.levels(chosen: member), column.values())
    }

    public mutating func write(
        _ column: borrowing BytesColumn, at levels: borrowing ColumnLevels, member: UInt8? = nil
    ) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, levels.levels(chosen: member), column.values())
    }

    public mutating func write(
        _ column: borrowing TextColumn, at levels: borrowing ColumnLevels, member: UInt8? = nil
    ) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, levels.levels(chosen: member), column.values())
    }

    public mutating func write(
        _ column: borrowing MapKeyColumn, at levels: borrowing ColumnLevels
    ) throws(ParquetError) {
        try write(CPQ_BYTES.rawValue, levels.levels(chosen: nil), column.values())
    }

    /// The pointers in `levels` and `values` belong to columns that the caller borrows for the call.
    private mutating func write(
        _ type: UInt32, _ levels: cpq_levels, _ values: cpq_values
    ) throws(ParquetError) {
        var levels = levels
        var values = values
        try call { cpq_writer_column(writer, Int32(type), &levels, &values, $0) }
    }
}

/// A schema's C nodes with the memory of their names, for the length of one call.
private struct NativeSchema {
    private var nodes: [cpq_node] = []
    private var names: [CChar] = []
    private var offsets: [Int] = []

    init(_ fields: [ParquetField.Node]) {
        for field in fields {
            offsets.append(names.count)
            names += field.name.utf8CString
            nodes.append(
                cpq_node(
                    name: nil, type: Int32(field.type.rawValue), repetition: Int32(field.repetition.rawValue),
                    annotation: Int32(field.annotation.rawValue), field_id: field.fieldID,
                    child_count: field.childCount, flags: field.flags))
        }
    }

    func open(path: String, options: ParquetOptions) throws(ParquetError) -> OpaquePointer {
        try callForPointer { error in
            names.withUnsafeBufferPointer { names in
                var named = nodes
                for index in named.indices { named[index].name = names.baseAddress! + offsets[index] }
                return options.createdBy.withCString { createdBy in
                    var native = cpq_options(
                        zstd_level: options.zstdLevel, row_group_rows: Int64(options.rowGroupRows),
                        page_bytes: Int64(options.pageBytes), dictionary_bytes: Int64(options.dictionaryBytes),
                        bloom_distinct: Int64(options.bloomDistinctValues),
                        bloom_false_positives: options.bloomFalsePositives,
                        created_by: createdBy)
                    return cpq_writer_open_local(path, named, Int32(named.count), &native, error)
                }
            }
        }
    }
}

/// A file that was published.
public struct ParquetSummary: Sendable {
    public var byteCount: Int64
    /// Where each row group starts, ascending.
    public var rowGroupOffsets: [Int64] = []
    /// One for each leaf, in the order of the schema.
    public var columns: [ParquetStatistics] = []
}

/// What is known of a leaf, in a file or in one row group.
public struct ParquetStatistics: Sendable, Hashable {
    /// Nil when it has none.
    public var fieldID: Int32?
    public var compressedBytes: Int64
    /// Nulls included; of a repeated leaf its levels.
    public var valueCount: Int64
    /// Nil when it is not known.
    public var nullCount: Int64?
    public var bounds: ParquetBounds?
    public var hasBloomFilter: Bool

    init(_ native: cpq_statistics) {
        fieldID = native.field_id < 0 ? nil : native.field_id
        compressedBytes = native.compressed_bytes
        valueCount = native.value_count
        nullCount = native.null_count < 0 ? nil : native.null_count
        hasBloomFilter = native.has_bloom != 0
        guard native.has_bounds != 0 else { return }
        bounds = ParquetBounds(
            minimum: Array(UnsafeBufferPointer(start: native.minimum, count: native.minimum_count)),
            maximum: Array(UnsafeBufferPointer(start: native.maximum, count: native.maximum_count)))
    }
}

/// Smallest and largest value in Parquet's plain encoding: numbers little endian, texts as they are.
public struct ParquetBounds: Sendable, Hashable {
    public var minimum: [UInt8]
    public var maximum: [UInt8]

    public init(minimum: [UInt8], maximum: [UInt8]) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The bounds of an integer column; nil when they are not those of one.
    public var integers: ClosedRange<Int64>? {
        guard let low = Self.integer(minimum), let high = Self.integer(maximum), low <= high else { return nil }
        return low...high
    }

    private static func integer(_ bytes: [UInt8]) -> Int64? {
        guard bytes.count == 4 || bytes.count == 8 else { return nil }
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return bytes.count == 4 ? Int64(Int32(truncatingIfNeeded: bits)) : Int64(bitPattern: bits)
    }
}

/// What is done with a file whole.
public enum ParquetFile {
    /// Deletes a file of this machine; succeeds also when it was not there.
    @discardableResult
    public static func remove(_ path: String) -> Bool {
        cpq_remove_local(path) == 0
    }
}
