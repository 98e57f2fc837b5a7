public import Iceberg
import Parquet
public import Pipeline
import Synchronization
public import TraceModel

/// The rows of kept spans in Parquet files of the table.
///
/// Spans go from the wire's bytes to columns without anything in between; one row group is in memory at a time. Safe to
/// use from several threads: a call shares nothing with another but counters.
public final class ParquetRowFiles: RowFiles {
    /// Limits and encodings.
    public struct Options: Sendable {
        /// Days that get a file of their own in one write; the rows of the rarest others go to the null partition.
        /// An interval's spans are of one or two days; a sender with broken clocks must not cause thousands of files.
        public var dayLimit = 32
        /// Rows of a row group.
        public var rowGroupRows = 8192
        /// Bytes of spans, resources and scopes after which a row group ends early: bounds the memory of a write.
        public var rowGroupBytes = 64 << 20
        public var zstdLevel: Int32 = 1

        public init() {}
    }

    /// What was written since the start, and what of it the columns could not hold.
    public struct Counts: Sendable, Hashable {
        public var rows: Int64 = 0
        public var files: Int64 = 0
        /// Rows with `otlp_original`, by cause; a row can have several.
        public var invalidUTF8: Int64 = 0
        public var duplicateKey: Int64 = 0
        public var outOfRange: Int64 = 0
        public var undecodable: Int64 = 0
        /// Rows in the null partition because a write had too many days.
        public var beyondDayLimit: Int64 = 0

        public init(rows: Int64 = 0, files: Int64 = 0) {
            self.rows = rows
            self.files = files
        }
    }

    private let options: Options
    private let columns: [ParquetField]
    /// Types of the columns outside lists and maps, by field id.
    private let flat: [Int32: ParquetType]
    /// Ids of the columns outside lists and maps, by name.
    let fieldIDs: [String: Int32]
    private let sortOrderID: Int32?
    private let counters = Counters()

    /// - Parameter table: As it is now, after `SpanTable.evolution` has been applied.
    public init(table: TableMetadata, options: Options = Options()) throws(SpanTableError) {
        guard let schema = table.schema else {
            throw SpanTableError(message: "table metadata has no current schema")
        }
        self.options = options
        columns = try SpanTable.parquetColumns(for: schema)
        var flat: [Int32: ParquetType] = [:]
        var ids: [String: Int32] = [:]
        for column in columns {
            guard let id = column.fieldID else { continue }
            switch column.type {
            case .list, .map, .structure: continue
            default:
                flat[id] = column.type
                ids[column.name] = id
            }
        }
        self.flat = flat
        fieldIDs = ids
        let wanted = SpanTable.sortOrder(id: 0, for: schema).fields
        sortOrderID = table.sortOrders.first { $0.fields == wanted }?.id
    }

    /// Since the start.
    public var counts: Counts { counters.load() }

    public func write(
        _ traces: [SampledTrace], source: SourceID, directory: String, name: String
    ) throws(FileError) -> [DataFile] {
        let order = RowOrder(traces, dayLimit: options.dayLimit)
        var columns = SpanColumns()
        var written: [DataFile] = []
        for file in order.files {
            let stem = "\(name)-\(file.day.map(CalendarDay.text) ?? "null").parquet"
            do {
                let path = try LocalPath(directory).path + "/" + stem
                let summary = try write(
                    file.rows, of: traces, hasStartTime: file.day != nil, source, path: path, &columns)
                var dataFile = DataFile(
                    path: directory + "/" + stem, day: file.day, recordCount: Int64(file.rows.count),
                    fileSizeBytes: summary.byteCount)
                dataFile.take(summary, flat: flat)
                dataFile.sortOrderID = sortOrderID
                written.append(dataFile)
            } catch {
                // Nobody will know of the files before it: leave no orphans.
                for file in written { Self.remove(file.path) }
                throw FileError(writing: stem, error)
            }
        }
        counters.add(files: written.count, beyondDayLimit: order.overflowCount)
        return written
    }

    private func write(
        _ places: [RowPlace], of traces: [SampledTrace], hasStartTime: Bool, _ source: SourceID, path: String,
        _ columns: inout SpanColumns
    ) throws -> ParquetSummary {
        var writer = try ParquetWriter(path: path, columns: self.columns, options: parquetOptions)
        var lastTrace: Int32 = -1
        var bytes = 0
        var defects = DefectTally()
        columns.removeAll()
        var trace = KeptTrace(traceID: TraceID(high: 0, low: 0), partition: 0)
        var row = SampledRow(trace)
        for place in places {
            if place.trace != lastTrace {
                trace = traces[Int(place.trace)].trace
                row = SampledRow(traces[Int(place.trace)])
                columns.beginTrace()
                lastTrace = place.trace
            }
            let span = trace.spans[Int(place.span)]
            defects.add(columns.append(span, place, of: row, hasStartTime: hasStartTime, in: trace.arena.span))
            bytes += Int(span.span.count) + Int(span.resource.count) + Int(span.scope.count)
            if columns.rowCount == options.rowGroupRows || bytes >= options.rowGroupBytes {
                try flush(&columns, to: &writer, source)
                bytes = 0
            }
        }
        if columns.rowCount > 0 { try flush(&columns, to: &writer, source) }
        let summary = try writer.publish()
        counters.add(rows: places.count, defects)
        return summary
    }

    private func flush(
        _ columns: inout SpanColumns, to writer: inout ParquetWriter, _ source: SourceID
    ) throws(ParquetError) {
        columns.finish(source: source)
        try columns.write(to: &writer)
        columns.removeAll()
    }

    private var parquetOptions: ParquetOptions {
        var parquet = ParquetOptions()
        parquet.zstdLevel = options.zstdLevel
        parquet.rowGroupRows = options.rowGroupRows
        parquet.bloomDistinctValues = options.rowGroupRows
        return parquet
    }

    private static func remove(_ location: String) {
        guard let path = try? LocalPath(location).path else { return }
        ParquetFile.remove(path)
    }
}

/// Rows by defect.
struct DefectTally {
    var invalidUTF8 = 0
    var duplicateKey = 0
    var outOfRange = 0
    var undecodable = 0

    mutating func add(_ defects: RowDefects) {
        guard !defects.isEmpty else { return }
        if defects.contains(.invalidUTF8) { invalidUTF8 += 1 }
        if defects.contains(.duplicateKey) { duplicateKey += 1 }
        if defects.contains(.outOfRange) { outOfRange += 1 }
        if defects.contains(.undecodable) { undecodable += 1 }
    }
}

private final class Counters: Sendable {
    private let rows = Atomic<Int64>(0)
    private let files = Atomic<Int64>(0)
    private let invalidUTF8 = Atomic<Int64>(0)
    private let duplicateKey = Atomic<Int64>(0)
    private let outOfRange = Atomic<Int64>(0)
    private let undecodable = Atomic<Int64>(0)
    private let beyondDayLimit = Atomic<Int64>(0)

    func add(files count: Int, beyondDayLimit moved: Int) {
        files.add(Int64(count), ordering: .relaxed)
        beyondDayLimit.add(Int64(moved), ordering: .relaxed)
    }

    func add(rows count: Int, _ defects: DefectTally) {
        rows.add(Int64(count), ordering: .relaxed)
        invalidUTF8.add(Int64(defects.invalidUTF8), ordering: .relaxed)
        duplicateKey.add(Int64(defects.duplicateKey), ordering: .relaxed)
        outOfRange.add(Int64(defects.outOfRange), ordering: .relaxed)
        undecodable.add(Int64(defects.undecodable), ordering: .relaxed)
    }

    func load() -> ParquetRowFiles.Counts {
        var counts = ParquetRowFiles.Counts()
        counts.rows = rows.load(ordering: .relaxed)
        counts.files = files.load(ordering: .relaxed)
        counts.invalidUTF8 = invalidUTF8.load(ordering: .relaxed)
        counts.duplicateKey = duplicateKey.load(ordering: .relaxed)
        counts.outOfRange = outOfRange.load(ordering: .relaxed)
        counts.undecodable = undecodable.load(ordering: .relaxed)
        counts.beyondDayLimit = beyondDayLimit.load(ordering: .relaxed)
        return counts
    }
}
