import Iceberg
import IcebergSink
import Parquet
import Pipeline
import ProtobufWriter
import Testing
import TraceModel

@testable import TraceGenerator

/// Spans that the columns cannot hold as they were sent.
struct OriginalTests {
    private struct Row {
        var cause: String?
        var original: [UInt8]?
        var name: String?
        var startNano: Int64?
        var timestamp: Int64?
        var parent: String?
    }

    private func row(of message: [UInt8]) throws -> (row: Row, counts: ParquetRowFiles.Counts, day: Int32?) {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let file = try #require(
            try files.write(Rows.sampled([message]), source: Rows.source, directory: folder.uri, name: "n").first)
        let reader = try ParquetReader(path: String(file.path.dropFirst(7)))
        func column(_ name: String) throws -> ParquetColumn {
            let found = reader.column(fieldID: SpanTable.schema.field(named: name)?.id ?? -1, name: name)
            return try #require(found)
        }
        let row = Row(
            cause: try reader.texts(of: column("otlp_original_cause"), rowGroup: 0)[0],
            original: try reader.bytes(of: column("otlp_original"), rowGroup: 0)[0],
            name: try reader.texts(of: column("operation_name"), rowGroup: 0)[0],
            startNano: try reader.integers(of: column("start_time_unix_nano"), rowGroup: 0)[0],
            timestamp: try reader.integers(of: column("timestamp_ms"), rowGroup: 0)[0],
            parent: try reader.texts(of: column("parent_span_id"), rowGroup: 0)[0])
        return (row, files.counts, file.day)
    }

    /// A message of one span as `write` makes it, with a resource and a scope.
    private func message(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        writer.message(1) { resourceSpans in
            resourceSpans.message(1) { $0.message(1) { GeneratedAttribute("service.name", "a").write(to: &$0) } }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) { $0.string(1, "scope") }
                scopeSpans.message(2) { span in
                    span.bytes(1, [UInt8](repeating: 7, count: 16))
                    span.bytes(2, [UInt8](repeating: 8, count: 8))
                    write(&span)
                }
                scopeSpans.string(3, "https://scope/1")
            }
            resourceSpans.string(3, "https://resource/1")
        }
        return writer.bytes
    }

    private func attribute(_ key: String, _ number: Int, _ span: inout MessageWriter) {
        span.message(9) { GeneratedAttribute(key, number).write(to: &$0) }
    }

    @Test func `two starts in one span: the first is in the columns, what was sent is kept`() throws {
        let sent = message {
            $0.fixed64(7, 5_000_000)
            $0.fixed64(7, 9_000_000)
        }
        let (row, _, day) = try row(of: sent)
        #expect(row.startNano == 5_000_000)
        #expect(day == 0)
        #expect(row.cause == "out_of_range")
        #expect(row.original == sent)
    }

    @Test func `a whole span has no original`() throws {
        let (row, counts, _) = try row(of: message { $0.string(5, "plain") })
        #expect(row.cause == nil)
        #expect(row.original == nil)
        #expect(counts == ParquetRowFiles.Counts(rows: 1, files: 1))
    }

    @Test func `text that is not UTF-8 is repaired, and what was sent is kept`() throws {
        let sent = message { $0.bytes(5, [0x61, 0xFF, 0x62]) }
        let (row, counts, _) = try row(of: sent)
        #expect(row.name == "a\u{FFFD}b")
        #expect(row.cause == "invalid_utf8")
        #expect(row.original == sent)
        #expect(counts.invalidUTF8 == 1)
    }

    @Test func `of a repeated key the first is in the map, and what was sent is kept`() throws {
        let sent = message {
            $0.string(5, "n")
            attribute("k", 1, &$0)
            attribute("k", 2, &$0)
        }
        let (row, counts, _) = try row(of: sent)
        #expect(row.cause == "duplicate_key")
        #expect(row.original == sent)
        #expect(counts.duplicateKey == 1)
    }

    @Test func `a time beyond the column is its largest, in the partition of that day`() throws {
        let sent = message {
            $0.fixed64(7, UInt64(Int64.max) + 1)
            $0.fixed64(8, .max)
        }
        let (row, counts, day) = try row(of: sent)
        #expect(row.startNano == .max)
        #expect(row.timestamp == Int64.max / 1_000_000)
        #expect(day == 106_751)
        #expect(row.cause == "out_of_range")
        #expect(row.original == sent)
        #expect(counts.outOfRange == 1)
    }

    @Test func `bad text inside a list, and twice the same key, are two causes`() throws {
        let sent = message { span in
            attribute("k", 1, &span)
            attribute("k", 1, &span)
            span.message(9) { attribute in
                attribute.string(1, "list")
                attribute.message(2) { $0.message(5) { $0.message(1) { $0.bytes(1, [0xC0]) } } }
            }
        }
        let (row, counts, _) = try row(of: sent)
        #expect(row.cause == "invalid_utf8,duplicate_key")
        #expect(row.original == sent)
        #expect(counts.rows == 1)
        #expect(counts.invalidUTF8 == 1)
        #expect(counts.duplicateKey == 1)
    }

    @Test func `what is wrong with a span is said of each that has it, the first and those like it`() throws {
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        var spans = (1...6 as ClosedRange<UInt64>).map { Rows.span(trace: $0, span: $0) }
        for index in 0..<4 {
            spans[index].attributes = [
                GeneratedAttribute("a", 1), GeneratedAttribute("b", "x"), GeneratedAttribute("a", 1),
                GeneratedAttribute("b", "x"),
            ]
        }
        let file = try #require(
            try files.write(
                Rows.sampled([Rows.message(spans)]), source: Rows.source, directory: folder.uri, name: "n"
            ).first)
        #expect(files.counts.duplicateKey == 4)
        let reader = try ParquetReader(path: String(file.path.dropFirst(7)))
        let found = reader.column(
            fieldID: SpanTable.schema.field(named: "otlp_original_cause")?.id ?? -1, name: "otlp_original_cause")
        let causes = try reader.texts(of: #require(found), rowGroup: 0)
        #expect(causes == Array(repeating: "duplicate_key", count: 4) + [nil, nil])
    }

    @Test func `a resource and a scope that many spans share are repaired in each`() throws {
        var writer = MessageWriter()
        writer.message(1) { resourceSpans in
            resourceSpans.message(1) { resource in
                resource.message(1) { pair in
                    pair.string(1, "service.name")
                    pair.message(2) { $0.bytes(1, [0x61, 0xFF]) }
                }
            }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) { $0.bytes(1, [0xFE, 0x62]) }
                for number in 1...20 as ClosedRange<UInt8> {
                    scopeSpans.message(2) { span in
                        span.bytes(1, [UInt8](repeating: number / 4 + 1, count: 16))
                        span.bytes(2, [UInt8](repeating: number, count: 8))
                    }
                }
            }
        }
        let folder = try Folder()
        var options = ParquetRowFiles.Options()
        options.rowGroupRows = 6
        let files = try ParquetRowFiles(table: Rows.table(), options: options)
        let file = try #require(
            try files.write(
                Rows.sampled([writer.bytes]), source: Rows.source, directory: folder.uri, name: "n"
            ).first)
        #expect(files.counts.invalidUTF8 == 20)
        let reader = try ParquetReader(path: String(file.path.dropFirst(7)))
        for (name, text) in [("service_name", "a\u{FFFD}"), ("scope_name", "\u{FFFD}b")] {
            let found = reader.column(fieldID: SpanTable.schema.field(named: name)?.id ?? -1, name: name)
            let column = try #require(found)
            let texts = try (0..<reader.rowGroupCount).flatMap { try reader.texts(of: column, rowGroup: $0) }
            #expect(texts == Array(repeating: text, count: 20))
        }
    }

    @Test func `a resource that cannot be read costs its own spans only`() throws {
        // An attribute whose value's length runs over its end.
        let broken: [UInt8] = [0x0A, 0x05, 0x0A, 0x01, 0x61, 0x12, 0x7F]
        var body = MessageWriter()
        body.bytes(1, [UInt8](repeating: 9, count: 16))
        var trace = KeptTrace(traceID: TraceID(high: 9, low: 9), partition: 0, arena: broken + body.bytes)
        for index in 0..<9 as Range<UInt32> {
            trace.spans.append(
                KeptSpan(
                    spanID: SpanID(UInt64(index) + 1), offset: 1, index: index,
                    span: ByteRange(offset: UInt32(broken.count), count: UInt32(body.bytes.count)),
                    resource: index % 3 == 0 ? .none : ByteRange(offset: 0, count: UInt32(broken.count)),
                    scope: .none, resourceSchemaURL: .none, scopeSchemaURL: .none))
        }
        let folder = try Folder()
        let files = try ParquetRowFiles(table: Rows.table())
        let decision = Decision(verdict: .sampled, reason: .error, policy: "errors", adjustedCount: 1)
        let written = try files.write(
            [SampledTrace(trace: trace, decision: decision, decidedAtMilliseconds: 1)], source: Rows.source,
            directory: folder.uri, name: "n")
        #expect(files.counts.undecodable == 6)
        #expect(written.reduce(0) { $0 + $1.recordCount } == 9)
    }
}
