import JSON
import Testing
import TraceGenerator
import TraceModel

/// One span, as the table and a sender name it.
struct SpanName: Hashable, Comparable, Sendable, CustomStringConvertible {
    var traceID: String
    var spanID: String

    init(_ span: GeneratedSpan) {
        traceID = span.traceID.description
        spanID = span.spanID.description
    }

    init(row: JSONValue) throws {
        guard let trace = row["trace_id"]?.text, let span = row["span_id"]?.text else {
            throw Failure("a row without ids: \(row)")
        }
        traceID = trace
        spanID = span
    }

    var description: String { "\(traceID)/\(spanID)" }

    static func < (one: SpanName, other: SpanName) -> Bool {
        (one.traceID, one.spanID) < (other.traceID, other.spanID)
    }
}

/// Holds the table against what its senders know.
enum Accounting {
    /// The columns that it looks at.
    static let columns = [
        "trace_id", "span_id", "decision_reason", "source_topic", "source_generation", "source_partition",
        "source_offset", "source_index",
    ]

    /// The table holds exactly these spans, each once.
    static func check(_ spans: [GeneratedSpan], in table: TableReader) throws {
        let found = try names(in: table)
        let expected = Set(spans.map(SpanName.init))
        #expect(expected.subtracting(found).sorted() == [], "missing")
        #expect(found.subtracting(expected).sorted() == [], "not expected")
    }

    /// The spans of the table, none of which may be there twice, neither as a span nor as a row.
    static func names(in table: TableReader) throws -> Set<SpanName> {
        var names = Set<SpanName>()
        var identities = Set<[JSONValue]>()
        var doubled: (spans: [SpanName], rows: [SpanName]) = ([], [])
        for row in table.rows {
            let name = try SpanName(row: row)
            if !names.insert(name).inserted { doubled.spans.append(name) }
            let identity = columns.suffix(5).map { row[$0] ?? .null }
            #expect(!identity.contains(.null), "a row without identity: \(row)")
            if !identities.insert(identity).inserted { doubled.rows.append(name) }
        }
        #expect(doubled.spans == [], "doubled spans")
        #expect(doubled.rows == [], "doubled rows")
        return names
    }
}
