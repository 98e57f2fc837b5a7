import JSON
import Testing
import Threads
import TraceGenerator
import TraceModel

extension WholeProgram {
    /// The accounting itself: it must see what it is there to see.
    @Suite struct AccountingTests {
        private let trace = Traces(seed: 5).next(.error)

        private func row(_ span: GeneratedSpan, _ offset: Int64, _ index: Int64) -> JSONValue {
            [
                "trace_id": .string(span.traceID.description), "span_id": .string(span.spanID.description),
                "source_topic": "otlp:1", "source_generation": 1, "source_partition": 0,
                "source_offset": .integer(offset), "source_index": .integer(index),
            ]
        }

        /// The rows that the trace's five spans have when it was one request.
        private var rows: [JSONValue] { trace.spans.enumerated().map { row($0.element, 0, Int64($0.offset)) } }

        private func sent(isAnswered: Bool, _ kind: GeneratedTrace.Kind = .error) -> [SentTrace] {
            [SentTrace(kind: kind, requests: [SentRequest(spans: trace.spans, isAnswered: isAnswered)])]
        }

        private func issues(_ sent: [SentTrace], _ rows: [JSONValue]) throws -> Int {
            let found = Lock(0)
            try withKnownIssue(isIntermittent: true) {
                var table = TableReader()
                table.rows = rows
                _ = try Accounting.check(sent, in: table)
            } matching: { _ in
                found.withLock { $0 += 1 }
                return true
            }
            return found.withLock { $0 }
        }

        @Test func `is content with each span once, and an unanswered request whole or not at all`() throws {
            #expect(try issues(sent(isAnswered: true), rows) == 0)
            #expect(try issues(sent(isAnswered: false), rows) == 0)
            #expect(try issues(sent(isAnswered: false), []) == 0)
            #expect(try issues(sent(isAnswered: true, .ok), []) == 0)
        }

        @Test func `sees what is missing, doubled, torn and not expected`() throws {
            #expect(try issues(sent(isAnswered: true), Array(rows.dropLast())) == 1, "missing")
            #expect(try issues(sent(isAnswered: true), rows + [row(trace.spans[0], 9, 0)]) == 1, "the span twice")
            #expect(try issues(sent(isAnswered: true), rows + [rows[1]]) == 2, "the row twice")
            #expect(try issues(sent(isAnswered: false), Array(rows.prefix(2))) == 1, "torn")
            #expect(try issues(sent(isAnswered: true, .ok), rows) == 1, "a dropped trace")
            let other = Traces(seed: 6).next(.ok)
            let strange = rows + [row(other.spans[0], 3, 0)]
            #expect(try issues(sent(isAnswered: true), strange) == 1, "never sent")
        }
    }
}
