internal import Threads
internal import TraceGenerator

/// Where traces are sent to.
protocol TraceReceiver {
    /// Sends all at once and returns when every one was taken, with the words that say where each went.
    func send(_ traces: [OutgoingTrace]) throws(ProduceFailure) -> [String]
}

/// One request, of spans of one trace.
struct OutgoingTrace {
    /// Hexadecimal.
    var traceID: String
    var bytes: [UInt8]

    init(_ trace: GeneratedTrace) {
        traceID = "\(trace.traceID)"
        bytes = trace.requestBytes
    }

    init(traceID: String, bytes: [UInt8]) {
        self.traceID = traceID
        self.bytes = bytes
    }
}

/// Sends what a plan says and prints a line for each trace.
struct Producer {
    let plan: ProducePlan
    let client: any TraceReceiver

    func run() throws(ProduceFailure) {
        print("=== Simple Trace Producer ===")
        if !plan.isSeedGiven && !plan.isQuiet { print("Seed: \(plan.traces.seed)") }
        let traces = DemoTraces(plan.traces)
        if let longRunning = plan.longRunning {
            try send(traces, lasting: longRunning)
        } else {
            if !plan.isQuiet { print("Sending traces...") }
            try send(0..<plan.traces.traceCount, of: traces)
            if plan.lateSpanCount > 0 { try sendLateSpans(of: traces) }
        }
        print("Done! Sent \(plan.traces.traceCount) traces (\(traces.errorCount) with errors)")
    }

    /// Sends whole traces, `batchCount` requests at a time, and prints them in order.
    private func send(_ indices: Range<Int>, of traces: DemoTraces) throws(ProduceFailure) {
        for start in stride(from: indices.lowerBound, to: indices.upperBound, by: plan.batchCount) {
            let batch = (start..<min(start + plan.batchCount, indices.upperBound)).map { traces.trace(at: $0) }
            let places = try client.send(batch.map(OutgoingTrace.init))
            if plan.isQuiet { continue }
            for (trace, place) in zip(batch, places) {
                print("  [\(trace.kind.label)] Trace \(trace.index) -> \(place)")
            }
        }
    }

    private func sendLateSpans(of traces: DemoTraces) throws(ProduceFailure) {
        if !plan.isQuiet {
            print("Waiting \(plan.lateAfter.inSeconds) s, until the traces are decided...")
        }
        Wakeup().sleep(plan.lateAfter)
        for start in stride(from: 0, to: plan.traces.traceCount, by: plan.batchCount) {
            let batch = (start..<min(start + plan.batchCount, plan.traces.traceCount)).map {
                traces.lateSpans(of: $0, count: plan.lateSpanCount)
            }
            let places = try client.send(batch.map(OutgoingTrace.init))
            if plan.isQuiet { continue }
            for (trace, place) in zip(batch, places) {
                print("  [LATE] Trace \(trace.index) -> \(place): \(plan.lateSpanCount) spans")
            }
        }
    }

    /// Sends every trace's spans one at a time, `spanInterval` apart, children first: the root ends last.
    private func send(_ traces: DemoTraces, lasting plan: ProducePlan.LongRunning) throws(ProduceFailure) {
        let rounds = max(1, Int(plan.duration.inSeconds / plan.spanInterval.inSeconds))
        let indices = 0..<self.plan.traces.traceCount
        for round in 0..<rounds {
            if round > 0 { Wakeup().sleep(plan.spanInterval) }
            var requests: [OutgoingTrace] = []
            for index in indices {
                var request = traces.trace(at: index).request
                let spans = request.spans
                // The last round brings the root; the others a child each, with a fresh id when they come round again.
                request.spans =
                    round == rounds - 1 || spans.count == 1
                    ? [spans[0]] : [traces.lateSpans(of: index, count: round + 1).spans[round]]
                requests.append(
                    OutgoingTrace(traceID: "\(traces.trace(at: index).traceID)", bytes: request.encoded()))
            }
            for start in stride(from: 0, to: requests.count, by: self.plan.batchCount) {
                _ = try client.send(Array(requests[start..<min(start + self.plan.batchCount, requests.count)]))
            }
            if !self.plan.isQuiet { print("  Round \(round + 1) of \(rounds): \(requests.count) spans accepted") }
        }
    }
}

extension GeneratedTrace.Kind {
    fileprivate var label: String {
        switch self {
        case .ok: "OK"
        case .error: "ERROR"
        case .slow: "SLOW"
        }
    }
}
