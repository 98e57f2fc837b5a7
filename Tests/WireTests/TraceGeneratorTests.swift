import OTLPWire
import Testing
import TraceGenerator
import TraceModel

@Suite struct DemoTracesTests {
    private func demo(_ change: (inout DemoTraceOptions) -> Void = { _ in }) -> DemoTraces {
        var options = DemoTraceOptions(seed: 42, startUnixNano: 1_780_000_000_000_000_000)
        change(&options)
        return DemoTraces(options)
    }

    private func traces(_ demo: DemoTraces) -> [GeneratedTrace] {
        (0..<demo.options.traceCount).map(demo.trace(at:))
    }

    @Test func `by default every third trace is an error, and trace 8 a normal one of demo-service`() {
        let all = traces(demo())
        #expect(all.filter { $0.kind == .error }.map(\.index) == [0, 3, 6, 9])
        #expect(demo().errorCount == 4)
        #expect(all.allSatisfy { $0.kind != .slow })
        #expect(all.map(\.service) == DemoTraces.services + ["api-gateway"])
        #expect(all[8].service == "demo-service")
        #expect(all[8].kind == .ok)
        #expect(all.allSatisfy { $0.spanCount == 5 })
    }

    @Test(arguments: [1, 10, 99, 100, 1000], [0.0, 0.1, 1, 7, 33, 50, 99, 100])
    func `rates give exactly the floor, spread evenly`(count: Int, percent: Double) {
        let all = traces(
            demo {
                $0.traceCount = count
                $0.errorPercent = percent
            })
        let errors = all.filter { $0.kind == .error }.map(\.index)
        let expected = count * Int(percent * 10) / 1000
        #expect(errors.count == expected)
        if expected > 1 {
            let gaps = zip(errors, errors.dropFirst()).map { $1 - $0 }
            #expect((gaps.max() ?? 0) - (gaps.min() ?? 0) <= 1)
        }
    }

    @Test func `slow traces are as many as asked for and really slow, errors stay errors`() {
        let all = traces(
            demo {
                $0.traceCount = 100
                $0.errorPercent = 10
                $0.slowPercent = 20
            })
        #expect(all.filter { $0.kind == .slow }.count == 20)
        #expect(all.filter { $0.kind == .error }.count == 10)
        for trace in all {
            let root = trace.spans[0]
            let milliseconds = (root.endTimeUnixNano - root.startTimeUnixNano) / 1_000_000
            #expect((milliseconds > 5000) == (trace.kind == .slow))
            #expect(milliseconds <= 500 || trace.kind == .slow)
        }
        let only = traces(
            demo {
                $0.errorPercent = 100
                $0.slowPercent = 50
            })
        #expect(only.allSatisfy { $0.kind == .error })
    }

    @Test(arguments: [1, 2, 5, 40]) func `the root covers its children and errors have the status`(count: Int) throws {
        let all = traces(
            demo {
                $0.spanCount = count; $0.traceCount = 18; $0.slowPercent = 20
            })
        for trace in all {
            let root = trace.spans[0]
            #expect(!root.parentSpanID.isValid)
            #expect(trace.spanCount == count)
            for span in trace.spans.dropFirst() {
                #expect(span.parentSpanID == root.spanID)
                #expect(span.startTimeUnixNano >= root.startTimeUnixNano)
                #expect(span.endTimeUnixNano >= span.startTimeUnixNano)
                #expect(span.endTimeUnixNano <= root.endTimeUnixNano)
            }
            #expect(trace.spans.contains { $0.statusCode == 2 } == (trace.kind == .error))
            #expect(Set(trace.spans.map(\.spanID)).count == count)
            let (batch, bytes) = try scan(trace.requestBytes)
            #expect(try batch.records.map { try Rebuilder(bytes: bytes).span($0) } == trace.spans)
        }
    }

    @Test func `seed and start fix the bytes, another seed changes the ids`() {
        #expect(demo().trace(at: 3).requestBytes == demo().trace(at: 3).requestBytes)
        // Position in the series, not how many were made before, decides: traces can be made in any order.
        #expect(traces(demo())[7] == demo().trace(at: 7))
        #expect(demo().trace(at: 3).traceID != demo { $0.seed = 43 }.trace(at: 3).traceID)
        #expect(Set(traces(demo { $0.traceCount = 1000 }).map(\.traceID)).count == 1000)
    }

    @Test func `the resource says demo and who it is`() {
        let trace = demo { $0.service = "mine" }.trace(at: 0)
        #expect(trace.service == "mine")
        for attribute in [
            GeneratedAttribute("service.name", "mine"), GeneratedAttribute("deployment.environment", "demo"),
            GeneratedAttribute("deployment.environment.name", "demo"),
        ] {
            #expect(trace.request.resource.contains(attribute))
        }
    }

    @Test func `late spans are children of the same root with ids of their own`() {
        let demo = demo()
        let trace = demo.trace(at: 2)
        let late = demo.lateSpans(of: 2, count: 3)
        #expect(late.spanCount == 3)
        #expect(late.spans.allSatisfy { $0.traceID == trace.traceID && $0.parentSpanID == trace.spans[0].spanID })
        #expect(Set(late.spans.map(\.spanID)).isDisjoint(with: trace.spans.map(\.spanID)))
    }
}

@Suite struct WorkloadTests {
    /// The yardstick's own run over 20,000 traces: 568 bytes a span, 297 spans a batch (the last are
    /// cut short), 383 error and 177 slow traces, 12 attributes; the ranges are what another seed may move.
    @Test func `the statistics are those of the yardstick`() throws {
        var workload = Workload(seed: 5, traceCount: 20_000)
        var batch = SpanBatch()
        var contents = SpanContents()
        var spanCount = 0
        var byteCount = 0
        var batchCount = 0
        var distinctTraces = 0
        var attributeCounts: Set<Int> = []
        var durations: [TraceID: (start: UInt64, end: UInt64)] = [:]
        var failed: Set<TraceID> = []
        while let request = workload.nextRequest() {
            try SpanScanner.scan(request.span.bytes, matching: .empty, into: &batch)
            #expect(batch.records.count <= 512)
            #expect(batch.rejectedCount == 0)
            batchCount += 1
            byteCount += request.count
            spanCount += batch.records.count
            distinctTraces += Set(batch.records.map(\.traceID)).count
            for record in batch.records {
                let known = durations[record.traceID] ?? (.max, 0)
                durations[record.traceID] = (
                    min(known.start, record.startTimeUnixNano), max(known.end, record.endTimeUnixNano)
                )
                if record.statusCode == 2 { failed.insert(record.traceID) }
            }
            if batchCount % 50 == 0 {
                try contents.decode(batch.records[0].span, in: request.span.bytes)
                attributeCounts.insert(contents.attributes.count)
            }
        }
        #expect(workload.truth.count == 20_000)
        #expect(spanCount == 160_000)
        #expect(attributeCounts == [Workload.attributesPerSpan])
        #expect((540...600).contains(byteCount / spanCount), "\(byteCount / spanCount) bytes a span")
        #expect((270...340).contains(spanCount / batchCount), "\(spanCount / batchCount) spans a batch")
        #expect((110...260).contains(distinctTraces / batchCount), "\(distinctTraces / batchCount) traces a batch")
        let errors = workload.truth.filter(\.isError).count
        let slow = workload.truth.filter(\.isSlow).count
        #expect((320...480).contains(errors), "2 %: \(errors)")
        #expect((150...250).contains(slow), "1 %: \(slow)")
        for truth in workload.truth {
            let times = try #require(durations[truth.traceID])
            #expect((times.end - times.start >= 5_000_000_000) == truth.isSlow)
            #expect(failed.contains(truth.traceID) == truth.isError)
        }
    }

    /// Counted in the yardstick's run over 20,000 traces: of the spans 3/8 are servers, 4/8 clients, 1/8 internal; 1/8
    /// are roots and 1/4 have a remote parent; bodies of 493 to 1,618 bytes with a median of 543; an error trace has
    /// 1 failed span (about 50 %), 4 (20 %) or 6 (30 %); durations with a median of 73 ms, 90 % below 244 ms.
    @Test func `kinds, sizes, failures and durations are those of the yardstick`() throws {
        var workload = Workload(seed: 6, traceCount: 8_000)
        var batch = SpanBatch()
        var kinds: [UInt8: Int] = [:]
        var flags: [UInt32: Int] = [:]
        var rootCount = 0
        var sizes: [UInt32] = []
        var failures: [TraceID: Int] = [:]
        var times: [TraceID: (start: UInt64, end: UInt64)] = [:]
        while let request = workload.nextRequest() {
            try SpanScanner.scan(request.span.bytes, matching: .empty, into: &batch)
            for record in batch.records {
                kinds[record.kind, default: 0] += 1
                flags[record.flags, default: 0] += 1
                rootCount += record.isRoot ? 1 : 0
                sizes.append(record.span.count)
                if record.statusCode == 2 { failures[record.traceID, default: 0] += 1 }
                let known = times[record.traceID] ?? (.max, 0)
                times[record.traceID] = (
                    min(known.start, record.startTimeUnixNano), max(known.end, record.endTimeUnixNano)
                )
            }
        }
        #expect(kinds == [1: 8_000, 2: 24_000, 3: 32_000])
        #expect(flags == [0x101: 48_000, 0x301: 16_000])
        #expect(rootCount == 8_000)
        sizes.sort()
        #expect((480...520).contains(sizes[0]), "smallest body: \(sizes[0])")
        #expect((530...560).contains(sizes[sizes.count / 2]), "median body: \(sizes[sizes.count / 2])")
        #expect((1_400...1_700).contains(sizes[sizes.count - 1]), "largest body: \(sizes[sizes.count - 1])")
        let counts: [Int: Int] = failures.values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        #expect(Set(counts.keys) == [1, 4, 6])
        let shares = counts.mapValues { 100 * $0 / failures.count }
        // Some 160 traces fail: four standard deviations around 50, 20 and 30 %.
        #expect((34...66).contains(shares[1] ?? 0), "\(shares)")
        #expect((7...33).contains(shares[4] ?? 0), "\(shares)")
        #expect((15...45).contains(shares[6] ?? 0), "\(shares)")
        let milliseconds = times.values.map { ($0.end - $0.start) / 1_000_000 }.sorted()
        #expect((14...16).contains(milliseconds[80]), "1 %: \(milliseconds[80]) ms")
        #expect((65...80).contains(milliseconds[4_000]), "50 %: \(milliseconds[4_000]) ms")
        #expect((225...265).contains(milliseconds[7_200]), "90 %: \(milliseconds[7_200]) ms")
    }

    @Test func `the seed fixes the bytes`() {
        func bytes(_ seed: UInt64) -> [[UInt8]] {
            var workload = Workload(seed: seed, traceCount: 300)
            var requests: [[UInt8]] = []
            while let request = workload.nextRequest() { requests.append(request) }
            return requests
        }
        #expect(bytes(1) == bytes(1))
        #expect(bytes(1) != bytes(2))
    }
}

@Suite struct ScatteredTracesTests {
    @Test(arguments: 0..<20) func `every span is where the truth says`(seed: Int) throws {
        let scattered = ScatteredTraces(seed: UInt64(seed))
        let batches = try scattered.messages.map { try scan($0).batch }
        var count = 0
        for trace in scattered.traces {
            for span in trace.spans {
                let record = batches[span.message].records[span.index]
                #expect(record.spanID == span.spanID)
                #expect(record.traceID == trace.traceID)
                count += 1
            }
            let records = trace.spans.map { batches[$0.message].records[$0.index] }
            #expect(records.contains { $0.statusCode == 2 } == trace.isError)
            let start = records.map(\.startTimeUnixNano).min() ?? 0
            let end = records.map(\.endTimeUnixNano).max() ?? 0
            #expect((end - start >= 5_000_000_000) == trace.isSlow)
        }
        #expect(count == batches.reduce(0) { $0 + $1.records.count })
    }
}

@Suite struct SeededRandomTests {
    @Test func `the numbers are those of the published algorithm`() {
        // SplitMix64 of seed 0 gives e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec;
        // the first output of xoshiro256** is rotl(s1 * 5, 7) * 9.
        let second: UInt64 = 0x6E78_9E6A_A1B9_65F4
        let product = second &* 5
        let rotated = product << 7 | product >> 57
        var random = SeededRandom(seed: 0)
        #expect(random.next() == rotated &* 9)
    }

    @Test func `numbers stay in their ranges and reach every value`() {
        var random = SeededRandom(seed: 1)
        var seen: Set<Int> = []
        for _ in 0..<1000 {
            seen.insert(random.below(7))
            #expect((0..<1).contains(random.unit()))
            #expect((3...5).contains(random.int(in: 3...5)))
        }
        #expect(seen == Set(0..<7))
        var one = SeededRandom(seed: 9, stream: 1)
        var two = SeededRandom(seed: 9, stream: 2)
        #expect(one.next() != two.next())
    }
}
