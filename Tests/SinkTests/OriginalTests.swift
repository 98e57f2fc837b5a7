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
}
