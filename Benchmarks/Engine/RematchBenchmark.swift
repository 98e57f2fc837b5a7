import OTLPWire
import Sampling
import TraceBuffering
import TraceModel

extension BufferBenchmark {
    /// Every buffered span is matched anew, as for a rule that came after it; spilled segments come from memory.
    ///
    /// - Returns: The cost, and how many spans were matched.
    mutating func rematchAll(_ program: MatcherProgram) -> (cost: Cost, spans: Int) {
        var spans = 0
        let scan: (borrowing RawSpan, inout SpanBatch) -> Void = { message, batch in
            do throws(WireError) {
                try SpanScanner.scan(message, matching: program, into: &batch)
            } catch {
                preconditionFailure("\(error)")
            }
            spans += batch.records.count
        }
        var cost = Cost()
        let stamp = Stamp()
        buffer.startRematch()
        while let next = buffer.nextRematch() {
            switch next {
            case .memory(let segment):
                buffer.rematch(segment, using: scan)
            case .read(let read):
                guard let bytes = disk?[read.segment] else { preconditionFailure("a segment that was not written") }
                buffer.rematch(read.segment, read: bytes.span.bytes, using: scan)
            }
        }
        cost.add(since: stamp)
        return (cost, spans)
    }
}

extension BenchmarkProgram {
    static func rematch(_ options: Options) throws {
        let store = try MessageStore(traceCount: storeTraces)
        let program = try Policies.oneMatch()
        let expected = try matching(program, in: store)
        let warmUp = warmUpSpans(store, options.liveTraces)
        var benchmark = BufferBenchmark(
            store, liveTraces: options.liveTraces, sampler: try Policies.five(), keepsSpilled: true)
        try benchmark.run(spans: warmUp)
        let (cost, spans) = benchmark.rematchAll(program)
        let live = benchmark.liveCount
        // Whole traces that leave from here on have the new program's bits.
        let wrong = benchmark.finish { $0.matches & 1 == (expected.contains($0.traceID.low) ? 1 : 0) }
        var runs = Runs()
        runs.add(cost, units: spans)
        runs.row("rematch_\(liveLabel(options.liveTraces))", per: "span")
            .with("live_traces", .number(Double(live))).with("wrong", .number(Double(wrong)))
            .with("seconds", .number(Double(cost.cpuNanoseconds) / 1e9)).with("is_right", .flag(wrong == 0)).print()
    }

    /// The second halves of the ids of traces with a span that matches.
    private static func matching(
        _ program: MatcherProgram, in store: borrowing MessageStore
    ) throws -> Set<UInt64> {
        var found: Set<UInt64> = []
        var batch = SpanBatch()
        for message in store.messages {
            try SpanScanner.scan(store.bytes.span.bytes.extracting(message.bytes), matching: program, into: &batch)
            for record in batch.records where record.matches != 0 { found.insert(record.traceID.low) }
        }
        return found
    }
}
