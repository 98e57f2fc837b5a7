import CBenchmark
import OTLPWire

extension BenchmarkProgram {
    /// Small, and the same from run to run: 8,000 spans in each repetition, some thousand live traces.
    private static let gateTraces = 1_000
    private static let gateLiveTraces = 12_000
    private static let gateSpans = 16_000

    /// Cheap rows under one name each. Alone it prints their allocations; under callgrind
    /// (`--instr-atstart=no`) each becomes a profile of that name.
    static func gates() throws {
        var scanning = ScanBenchmark(try MessageStore(traceCount: gateTraces))
        let one = try Policies.oneMatch()
        for (name, program) in [("scan", .empty), ("scan_one", one)] {
            try scanning.scanOnce(program)
            let cost = try counted(name) { try scanning.scanOnce(program) }
            gate(name, cost, units: scanning.store.spanCount, per: "span")
        }

        // Twice the same, for only one part of it can be counted at a time.
        for part in [BufferBenchmark.Part.ingesting, .deciding] {
            let store = try MessageStore(traceCount: gateTraces)
            var buffer = BufferBenchmark(store, liveTraces: gateLiveTraces, sampler: try Policies.five())
            try buffer.run(spans: gateLiveTraces * 16)
            buffer.counted = part
            try buffer.run(spans: gateSpans)
            if part == .ingesting {
                tss_benchmark_counted("ingest")
                gate("ingest", buffer.ingesting, units: buffer.spanCount, per: "span")
            } else {
                tss_benchmark_counted("decide")
                gate("decide", buffer.deciding, units: buffer.droppedCount, per: "dropped trace")
            }
            try expectRight(buffer.wrongCount)
        }

        let shards = ShardBenchmark(
            try MessageStore(traceCount: gateTraces), shardCount: 1, liveTraces: gateLiveTraces,
            sampler: try Policies.five())
        shards.run(spans: gateLiveTraces * 16)
        shards.isCounted = true
        shards.run(spans: gateSpans)
        tss_benchmark_counted("path")
        gate("path", shards.cost, units: shards.spanCount, per: "span")
        try expectRight(shards.wrongCount)
    }

    private static func expectRight(_ wrongCount: Int) throws {
        guard wrongCount == 0 else { throw Usage(message: "\(wrongCount) decisions are wrong") }
    }

    private static func counted(_ name: String, _ work: () throws -> Void) rethrows -> Cost {
        var cost = Cost()
        let stamp = Stamp()
        tss_benchmark_count()
        try work()
        tss_benchmark_pause()
        cost.add(since: stamp)
        tss_benchmark_counted(name)
        return cost
    }

    private static func gate(_ name: String, _ cost: Cost, units: Int, per unit: String) {
        Row(
            name,
            [
                "per": .text(unit), "units": .number(Double(units)),
                "allocations": .number(Double(cost.allocations) / Double(max(1, units))),
            ]
        ).print()
    }
}
