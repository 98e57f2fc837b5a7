import Iceberg
import IcebergSink
import Parquet
import Pipeline
import Testing
import TraceGenerator
import TraceModel

struct RowFilesTests {
    private static let day: UInt64 = 86_400_000_000_000

    private func texts(_ file: DataFile, _ name: String) throws -> [String?] {
        let reader = try ParquetReader(path: String(file.path.dropFirst(7)))
        let found = reader.column(fieldID: id(name), name: name)
        let column = try #require(found)
        return try (0..<reader.rowGroupCount).flatMap { try reader.texts(of: column, rowGroup: $0) }
    }

    private func integers(_ file: DataFile, _ name: String) throws -> [Int64?] {
        let reader = try ParquetReader(path: String(file.path.dropFirst(7)))
        let found = reader.column(fieldID: id(name), name: name)
        let column = try #require(found)
        return try (0..<reader.rowGroupCount).flatMap { try reader.integers(of: column, rowGroup: $0) }
    }

    private func id(_ name: String) -> Int32 { SpanTable.schema.field(named: name)?.id ?? -1 }

    @Test func `rows are sorted by trace, start and identity, one file for each day`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let start: UInt64 = 20_000 * Self.day + 5
        var spans: [GeneratedSpan] = []
        for trace in [9, 3, 7] as [UInt64] {
            for number in 0..<4 as Range<UInt64> {
                spans.append(
                    Rows.span(trace: trace, span: trace * 100 + number, start: start + (3 - number) * Self.day / 2))
            }
        }
        let written = try files.write(
            Rows.sampled([Rows.message(spans)]), source: Rows.source, directory: folder.uri, name: "n")
        #expect(written.map(\.day) == [20_000, 20_001])
        #expect(folder.names == ["n-2024-10-04.parquet", "n-2024-10-05.parquet"])
        for file in written {
            let ids = try texts(file, "trace_id").compactMap { $0 }
            let starts = try integers(file, "start_time_unix_nano").compactMap { $0 }
            #expect(ids.count == 6)
            #expect(Array(zip(ids, starts)).sorted { $0 < $1 }.map(\.1) == starts)
            #expect(ids == ids.sorted())
            #expect(starts.allSatisfy { $0 / Int64(Self.day) == Int64(file.day ?? 0) })
            let times = try integers(file, "start_time").compactMap { $0 }
            #expect(times == starts.map { $0 / 1000 })
        }
        #expect(files.counts.rows == 12)
        #expect(files.counts.files == 2)
    }

    @Test func `more days than the limit go to the null partition, and no start is lost`() throws {
        let folder = try Folder()
        var options = ParquetRowFiles.Options()
        options.dayLimit = 3
        let files = try ParquetRowFiles(table: Rows.table(), options: options)
        // Day n has n spans, for n = 1 … 6.
        var spans: [GeneratedSpan] = []
        for day in 1...6 as ClosedRange<UInt64> {
            for number in 0..<day {
                spans.append(Rows.span(trace: day, span: day * 10 + number + 1, start: day * Self.day))
            }
        }
        let written = try files.write(
            Rows.sampled([Rows.message(spans)]), source: Rows.source, directory: folder.uri, name: "n")
        #expect(written.map(\.day) == [nil, 4, 5, 6])
        #expect(written.map(\.recordCount) == [6, 4, 5, 6])
        #expect(try integers(written[0], "start_time") == Array(repeating: nil, count: 6))
        let starts = try written.flatMap { try integers($0, "start_time_unix_nano") }.compactMap { $0 }
        #expect(starts.sorted() == spans.map { Int64($0.startTimeUnixNano) }.sorted())
        #expect(files.counts.beyondDayLimit == 6)
    }

    @Test func `the manifest's counts and bounds are those of the rows`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let spans = (1...50 as ClosedRange<UInt64>).map {
            Rows.span(trace: $0, span: $0, start: 20_000 * Self.day + $0 * 1000, name: "operation number \($0)")
        }
        let file = try #require(
            try files.write(
                Rows.sampled([Rows.message(spans)], firstOffset: 70), source: Rows.source, directory: folder.uri,
                name: "n"
            ).first)
        #expect(file.recordCount == 50)
        #expect(file.valueCounts[id("parent_span_id")] == 50)
        #expect(file.nullValueCounts[id("parent_span_id")] == 50)
        #expect(file.lowerBounds[id("parent_span_id")] == nil)
        #expect(file.lowerBounds[id("trace_id")] == Array("0000000000000000".utf8))
        #expect(file.upperBounds[id("trace_id")] == Array("0000000000000001".utf8))
        #expect(file.lowerBounds[id("operation_name")] == Array("operation number".utf8))
        #expect(file.upperBounds[id("operation_name")] == Array("operation numbes".utf8))
        #expect(file.lowerBounds[id("source_offset")] == [70, 0, 0, 0, 0, 0, 0, 0])
        #expect(file.upperBounds[id("source_index")] == [49, 0, 0, 0])
        #expect(file.lowerBounds[id("otlp_original")] == nil)
        #expect(file.splitOffsets == [4])
        #expect(file.sortOrderID == SpanTable.sortOrder.id)
        #expect(file.columnSizes.values.allSatisfy { $0 > 0 })
    }

    @Test func `recovery finds the rows above an offset, of its partition and source only`() throws {
        let folder = try Folder()
        var options = ParquetRowFiles.Options()
        options.rowGroupRows = 16
        let files = try ParquetRowFiles(table: Rows.table(), options: options)
        let messages = (0..<20 as Range<UInt64>).map { message in
            Rows.message(
                (0..<5 as Range<UInt64>).map { Rows.span(trace: 1 + ($0 + message) % 7, span: message * 5 + $0 + 1) })
        }
        let written = try files.write(
            Rows.sampled(messages, firstOffset: 100, partition: 3), source: Rows.source, directory: folder.uri,
            name: "n")
        let file = try #require(written.first)
        let partition = PartitionID(source: Rows.source, partition: 3)
        for offset in [0, 100, 107, 119, 120] as [Int64] {
            let present = try files.present(in: file, of: partition, from: offset)
            var expected: Set<PresentRow> = []
            for message in 0..<20 as Range<UInt64> where Int64(message) + 100 >= offset {
                for index in 0..<5 as Range<UInt64> {
                    expected.insert(
                        PresentRow(
                            traceID: TraceID(high: 0, low: 1 + (index + message) % 7), offset: Int64(message) + 100,
                            index: UInt32(index)))
                }
            }
            #expect(Set(present) == expected)
            #expect(present.count == expected.count)
        }
        let others = [
            PartitionID(source: Rows.source, partition: 2),
            PartitionID(source: SourceID(topic: "otlp:6f0f", generation: 1), partition: 3),
            PartitionID(source: SourceID(topic: Rows.source.topic, generation: 2), partition: 3),
        ]
        for other in others { #expect(try files.present(in: file, of: other, from: 0).isEmpty) }
        // Without the manifest's bounds the file itself says the same.
        var bare = DataFile(path: file.path, day: nil, recordCount: 0, fileSizeBytes: 0)
        bare.lowerBounds = [:]
        for other in others { #expect(try files.present(in: bare, of: other, from: 0).isEmpty) }
        #expect(try files.present(in: bare, of: partition, from: 0).count == 100)
    }

    @Test func `bounds of the manifest spare the reading of a file`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        var file = try #require(
            try files.write(
                Rows.sampled([Rows.message([Rows.span(trace: 1, span: 1)])], firstOffset: 10), source: Rows.source,
                directory: folder.uri, name: "n"
            ).first)
        file.path = folder.uri + "/absent.parquet"
        let partition = PartitionID(source: Rows.source, partition: 0)
        #expect(try files.present(in: file, of: partition, from: 11).isEmpty)
        #expect(try files.verdicts(in: file, since: 1_780_000_100_001).isEmpty)
        let error = #expect(throws: FileError.self) { try files.present(in: file, of: partition, from: 10) }
        #expect(error?.code == .notFound)
        #expect(throws: FileError.self) { try files.verdicts(in: file, since: 1_780_000_100_000) }
    }

    @Test func `recovery finds one verdict for each trace, as it was decided`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let early = try Rows.sampled(
            [Rows.message([Rows.span(trace: 1, span: 1), Rows.span(trace: 1, span: 2)])],
            decidedAtMilliseconds: 1000, reason: .latency, policy: "slow")
        let late = try Rows.sampled(
            [Rows.message([Rows.span(trace: 2, span: 3), Rows.span(trace: 3, span: 4)])], firstOffset: 9,
            decidedAtMilliseconds: 2000, reason: .forceRule, policy: "rule-1")
        let file = try #require(
            try files.write(early + late, source: Rows.source, directory: folder.uri, name: "n").first)
        let all = try files.verdicts(in: file, since: 0)
        #expect(Set(all.map(\.traceID.low)) == [1, 2, 3])
        #expect(all.count == 3)
        let recent = try files.verdicts(in: file, since: 2000)
        #expect(Set(recent.map(\.traceID.low)) == [2, 3])
        #expect(
            recent.first?.decision
                == Decision(verdict: .sampled, reason: .forceRule, policy: "rule-1", adjustedCount: 4))
        #expect(try files.verdicts(in: file, since: 2001).isEmpty)
    }

    @Test func `a span that cannot be read keeps its identity, its decision and its bytes`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        var traces = try Rows.sampled([
            Rows.message([Rows.span(trace: 1, span: 1), Rows.span(trace: 1, span: 2), Rows.span(trace: 1, span: 3)])
        ])
        // The last field of the second span ends inside of its value.
        traces[0].trace.spans[1].span.count -= 1
        traces[0].trace.spans[2].span.count = 30
        let written = try files.write(traces, source: Rows.source, directory: folder.uri, name: "n")
        // The third ends before its start time.
        #expect(written.map(\.day) == [nil, 20_601])
        #expect(try texts(written[0], "span_id") == ["0000000000000003"])
        #expect(try integers(written[0], "start_time_unix_nano") == [nil])
        let file = written[1]
        #expect(try texts(file, "span_id") == ["0000000000000001", "0000000000000002"])
        #expect(try texts(file, "decision_reason") == ["error", "error"])
        #expect(try texts(file, "operation_name") == ["GET /", nil])
        #expect(try integers(file, "start_time") == [1_780_000_000_000_000, 1_780_000_000_000_000])
        #expect(try texts(file, "otlp_original_cause") == [nil, "undecodable"])
        #expect(try texts(file, "otlp_original").map { $0?.isEmpty } == [nil, false])
        #expect(files.counts.undecodable == 2)
        #expect(files.counts.rows == 3)
        let present = try files.present(
            in: file, of: PartitionID(source: Rows.source, partition: 0), from: 0)
        #expect(Set(present.map(\.index)) == [0, 1])
    }

    @Test func `a failure leaves no file of the write`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let spans = [
            Rows.span(trace: 1, span: 1, start: 20_000 * Self.day),
            Rows.span(trace: 1, span: 2, start: 20_001 * Self.day),
        ]
        let traces = try Rows.sampled([Rows.message(spans)])
        _ = try files.write([traces[0].onlySpan(1)], source: Rows.source, directory: folder.uri, name: "n")
        #expect(folder.names == ["n-2024-10-05.parquet"])
        // The file of the second day is there already: the first day's must go too.
        #expect(throws: FileError.self) {
            try files.write(traces, source: Rows.source, directory: folder.uri, name: "n")
        }
        #expect(folder.names == ["n-2024-10-05.parquet"])
    }

    @Test func `places that are no files of this machine are refused`() throws {
        let files = try ParquetRowFiles(table: Rows.table())
        let traces = try Rows.sampled([Rows.message([Rows.span(trace: 1, span: 1)])])
        for directory in ["s3://bucket/data", "data", "file:data"] {
            let error = #expect(throws: FileError.self) {
                try files.write(traces, source: Rows.source, directory: directory, name: "n")
            }
            #expect(error?.code == .denied)
        }
    }
}

extension SampledTrace {
    func onlySpan(_ index: Int) -> SampledTrace {
        var copy = self
        copy.trace.spans = [trace.spans[index]]
        return copy
    }
}
