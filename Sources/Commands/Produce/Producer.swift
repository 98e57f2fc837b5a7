internal import Threads
internal import TraceGenerator

/// Sends what a plan says and prints a line for each trace.
struct Producer {
    let plan: ProducePlan
    let client: OTLPTraceClient

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
            try client.send(batch.map(\.requestBytes))
            if plan.isQuiet { continue }
            for trace in batch {
                print("  [\(trace.kind.label)] Trace \(trace.index) -> accepted, \(trace.traceID)")
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
            try client.send(batch.map(\.requestBytes))
            if plan.isQuiet { continue }
            for trace in batch {
                print("  [LATE] Trace \(trace.index) -> accepted, \(trace.traceID): \(plan.lateSpanCount) spans")
            }
        }
    }

    /// Sends every trace's spans one at a time, `spanInterval` apart, children first: the root ends last.
    private func send(_ traces: DemoTraces, lasting plan: ProducePlan.LongRunning) throws(ProduceFailure) {
        let rounds = max(1, Int(plan.duration.inSeconds / plan.spanInterval.inSeconds))
        let indices = 0..<self.plan.traces.traceCount
        for round in 0..<rounds {
            if round > 0 { Wakeup().sleep(plan.spanInterval) }
            var requests: [[UInt8]] = []
            for index in indices {
                var request = traces.trace(at: index).request
                let spans = request.spans
                // The last round brings the root; the others a child each, with a fresh id when they come round again.
                request.spans =
                    round == rounds - 1 || spans.count == 1
                    ? [spans[0]] : [traces.lateSpans(of: index, count: round + 1).spans[round]]
                requests.append(request.encoded())
            }
            for start in stride(from: 0, to: requests.count, by: self.plan.batchCount) {
                try client.send(Array(requests[start..<min(start + self.plan.batchCount, requests.count)]))
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
