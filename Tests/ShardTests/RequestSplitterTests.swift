import OTLPWire
import Pipeline
import Testing
import TraceGenerator
import TraceModel

@Suite struct RequestSplitterTests {
    /// What the splitter must keep of a span, by id.
    private struct Seen: Hashable {
        var traceID: TraceID
        var spanID: SpanID
        var span: [UInt8]
        var resource: [UInt8]
        var scope: [UInt8]
    }

    private func spans(_ body: [UInt8]) throws -> [Seen] {
        var batch = SpanBatch()
        try SpanScanner.scan(body.span.bytes, matching: .empty, into: &batch)
        let bytes = body + batch.merged
        func copy(_ range: ByteRange) -> [UInt8] { Array(bytes[range.lowerBound..<range.upperBound]) }
        return batch.records.map {
            Seen(
                traceID: $0.traceID, spanID: $0.spanID, span: copy($0.span), resource: copy($0.resource),
                scope: copy($0.scope))
        }
    }

    @Test(arguments: [2, 3, 8], [UInt64(1), 2, 3])
    func `every span is in exactly one part, whole, with its resource and scope, beside its trace`(
        count: Int, seed: UInt64
    ) throws {
        var workload = Workload(seed: seed, traceCount: 200)
        var partOfTrace: [TraceID: Int] = [:]
        var requestCount = 0
        while let request = workload.nextRequest() {
            requestCount += 1
            let parts = try RequestSplitter.split(request, count: count)
            var found: [Seen] = []
            for part in parts {
                _ = try MessageValidator.validate(part.body.span.bytes)
                let spans = try spans(part.body)
                #expect(!spans.isEmpty)
                for span in spans {
                    #expect(partOfTrace[span.traceID, default: part.partition] == part.partition)
                    partOfTrace[span.traceID] = part.partition
                }
                found += spans
            }
            let sent = try spans(request)
            #expect(found.count == sent.count)
            #expect(Set(found) == Set(sent))
            #expect(try RequestSplitter.split(request, count: count) == parts, "the same request splits the same way")
        }
        #expect(requestCount > 1)
        #expect(Set(partOfTrace.values).count == count, "every partition gets traces")
    }

    @Test func `a request of one trace is its own part, unchanged`() throws {
        let trace = DemoTraces(DemoTraceOptions(seed: 7, startUnixNano: 1)).trace(at: 0)
        let body = trace.requestBytes
        let parts = try RequestSplitter.split(body, count: 5)
        #expect(parts.map(\.partition) == [RequestSplitter.partition(of: trace.traceID, count: 5)])
        #expect(parts.map(\.body) == [body])
    }

    @Test func `traces spread evenly, also those whose ids begin alike`() {
        var counts = [0, 0, 0, 0]
        for number in 0..<4000 {
            let id = TraceID(high: 0x65F0_0000_0000_0000 | UInt64(number), low: 1)
            counts[RequestSplitter.partition(of: id, count: 4)] += 1
        }
        #expect(counts.allSatisfy { (850...1150).contains($0) }, "\(counts)")
    }
}
