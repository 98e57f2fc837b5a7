import CParquet

/// Reads flat columns of one Parquet file, whoever wrote it, row group by row group.
public struct ParquetReader: ~Copyable {
    private let reader: OpaquePointer

    /// Reads the footer.
    public init(path: String) throws(ParquetError) {
        let file = try callForPointer { cpq_file_open_local(path, $0) }
        defer { cpq_file_free(file) }
        reader = try callForPointer { cpq_reader_open(file, $0) }
    }

    deinit { cpq_reader_free(reader) }

    public var rowCount: Int64 { cpq_reader_row_count(reader) }
    public var rowGroupCount: Int { Int(cpq_reader_row_group_count(reader)) }

    public func rowCount(inRowGroup group: Int) -> Int {
        precondition(group >= 0 && group < rowGroupCount)
        return Int(cpq_reader_row_group_rows(reader, Int32(group)))
    }

    /// The flat column with this field id; in a file without any ids the one with this name. Nil when there is none.
    public func column(fieldID: Int32, name: String) -> ParquetColumn? {
        let leaf = cpq_reader_leaf(reader, fieldID, name)
        return leaf < 0 ? nil : ParquetColumn(leaf: leaf, type: cpq_reader_leaf_type(reader, leaf), name: name)
    }

    public func statistics(of column: ParquetColumn, inRowGroup group: Int) throws(ParquetError) -> ParquetStatistics {
        precondition(group >= 0 && group < rowGroupCount)
        var statistics = cpq_statistics()
        try call { cpq_reader_statistics(reader, Int32(group), column.leaf, &statistics, $0) }
        return ParquetStatistics(statistics)
    }

    /// False only when the row group's bloom filter says that the text is not there.
    public func mayContain(
        _ text: String, in column: ParquetColumn, rowGroup group: Int
    ) throws(ParquetError) -> Bool {
        precondition(group >= 0 && group < rowGroupCount)
        let bytes = Array(text.utf8)
        var answer: Int32 = 1
        try call {
            cpq_reader_may_contain(reader, Int32(group), column.leaf, bytes, bytes.count, &answer, $0)
        }
        return answer != 0
    }

    /// The rows of a 32- or 64-bit integer column.
    public func integers(of column: ParquetColumn, rowGroup group: Int) throws(ParquetError) -> OptionalValues<Int64> {
        let chunk = try read(column, group, as: [CPQ_INT32, CPQ_INT64])
        if column.type == Int32(CPQ_INT32.rawValue) {
            return spread(chunk) { index, values in
                Int64(values.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
            }
        }
        return spread(chunk) { index, values in values.loadUnaligned(fromByteOffset: index * 8, as: Int64.self) }
    }

    public func doubles(of column: ParquetColumn, rowGroup group: Int) throws(ParquetError) -> OptionalValues<Double> {
        spread(try read(column, group, as: [CPQ_DOUBLE])) { index, values in
            values.loadUnaligned(fromByteOffset: index * 8, as: Double.self)
        }
    }

    /// The rows of a text column; what is not UTF-8 is repaired.
    public func texts(of column: ParquetColumn, rowGroup group: Int) throws(ParquetError) -> OptionalValues<String> {
        let chunk = try read(column, group, as: [CPQ_BYTES])
        var texts: OptionalValues<String> = []
        texts.reserveCapacity(Int(chunk.row_count))
        var next = 0
        // Neighbours are often equal: sorted by trace id, one source, one reason.
        var last: (start: Int, end: Int, text: String)?
        for row in 0..<Int(chunk.row_count) {
            guard chunk.present[row] != 0 else {
                texts.append(nil)
                continue
            }
            let (start, end) = bounds(of: next, in: chunk)
            next += 1
            if let last, equal(chunk, last.start..<last.end, start..<end) {
                texts.append(last.text)
                continue
            }
            let bytes = UnsafeRawBufferPointer(start: chunk.values.values + start, count: end - start)
            let text = String(decoding: bytes, as: UTF8.self)
            texts.append(text)
            last = (start, end, text)
        }
        return texts
    }

    /// The rows of a column of texts or bytes, as they are.
    public func bytes(of column: ParquetColumn, rowGroup group: Int) throws(ParquetError) -> OptionalValues<[UInt8]> {
        let chunk = try read(column, group, as: [CPQ_BYTES])
        var rows: OptionalValues<[UInt8]> = []
        var next = 0
        for row in 0..<Int(chunk.row_count) {
            guard chunk.present[row] != 0 else {
                rows.append(nil)
                continue
            }
            let (start, end) = bounds(of: next, in: chunk)
            rows.append(Array(UnsafeRawBufferPointer(start: chunk.values.values + start, count: end - start)))
            next += 1
        }
        return rows
    }

    private func bounds(of value: Int, in chunk: cpq_chunk) -> (Int, Int) {
        (value == 0 ? 0 : Int(chunk.values.ends[value - 1]), Int(chunk.values.ends[value]))
    }

    private func equal(_ chunk: cpq_chunk, _ one: Range<Int>, _ other: Range<Int>) -> Bool {
        let left = UnsafeRawBufferPointer(start: chunk.values.values + one.lowerBound, count: one.count)
        let right = UnsafeRawBufferPointer(start: chunk.values.values + other.lowerBound, count: other.count)
        return left.elementsEqual(right)
    }

    private func read(
        _ column: ParquetColumn, _ group: Int, as types: [cpq_type]
    ) throws(ParquetError) -> cpq_chunk {
        precondition(group >= 0 && group < rowGroupCount)
        guard types.contains(where: { Int32($0.rawValue) == column.type }) else {
            throw ParquetError(.corrupt, "column \(column.name) has another type")
        }
        var chunk = cpq_chunk()
        try call { cpq_reader_read(reader, Int32(group), column.leaf, &chunk, $0) }
        return chunk
    }

    /// One element for each row; the chunk's memory is read before the next call on the reader.
    private func spread<Value>(
        _ chunk: cpq_chunk, _ load: (Int, UnsafeRawPointer) -> Value
    ) -> OptionalValues<Value> {
        var rows: OptionalValues<Value> = []
        rows.reserveCapacity(Int(chunk.row_count))
        var next = 0
        for row in 0..<Int(chunk.row_count) {
            guard chunk.present[row] != 0 else {
                rows.append(nil)
                continue
            }
            rows.append(load(next, chunk.values.values))
            next += 1
        }
        return rows
    }
}

/// One element for each row, nil for null.
public typealias OptionalValues<Value> = [Value?]

/// A flat column of an open file.
public struct ParquetColumn: Sendable, Hashable {
    let leaf: Int32
    let type: Int32
    public let name: String
}
