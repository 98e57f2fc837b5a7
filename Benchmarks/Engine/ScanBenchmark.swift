import OTLPWire
import TraceModel

/// What it costs to look at a span, and the floors below that: to read its bytes, to copy them.
struct ScanBenchmark: ~Copyable {
    let store: MessageStore
    /// Keeps what is computed from being left out.
    private var sink: UInt64 = 0
    private var batch = SpanBatch()

    init(_ store: consuming MessageStore) { self.store = store }

    /// One repetition is the whole store.
    mutating func floors(repetitions: Int) {
        var copy = [UInt8](repeating: 0, count: 4 << 20)
        var copying = Runs()
        var summing = Runs()
        for _ in 0..<repetitions {
            var cost = Cost()
            var stamp = Stamp()
            for message in store.messages { copyBytes(message.bytes, into: &copy) }
            cost.add(since: stamp)
            copying.add(cost, units: store.spanCount)
            cost = Cost()
            stamp = Stamp()
            for message in store.messages { sum(message.bytes) }
            cost.add(since: stamp)
            summing.add(cost, units: store.spanCount)
        }
        copying.row("floor_copy", per: "span").with("check", .number(Double(copy[0]))).print()
        summing.row("floor_sum", per: "span").with("check", .number(Double(sink % 1000))).print()
    }

    private func copyBytes(_ range: Range<Int>, into copy: inout [UInt8]) {
        copy.withUnsafeMutableBytes { target in
            store.bytes.withUnsafeBytes { source in
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
            }
        }
    }

    private mutating func sum(_ range: Range<Int>) {
        let sum = store.bytes.withUnsafeBytes { source in
            var sum: UInt64 = 0
            for byte in source[range] { sum &+= UInt64(byte) }
            return sum
        }
        sink &+= sum
    }

    mutating func scan(_ name: String, _ program: MatcherProgram, repetitions: Int) throws {
        var runs = Runs()
        for _ in 0..<repetitions {
            var cost = Cost()
            let stamp = Stamp()
            try scanOnce(program)
            cost.add(since: stamp)
            runs.add(cost, units: store.spanCount)
        }
        runs.row(name, per: "span").print()
    }

    /// Every message once.
    mutating func scanOnce(_ program: MatcherProgram) throws {
        sink &+= try Self.scan(store, program, &batch)
    }

    private static func scan(
        _ store: borrowing MessageStore, _ program: MatcherProgram, _ batch: inout SpanBatch
    ) throws -> UInt64 {
        let bytes = store.bytes.span.bytes
        var spans: UInt64 = 0
        for message in store.messages {
            try SpanScanner.scan(bytes.extracting(message.bytes), matching: program, into: &batch)
            spans &+= UInt64(batch.records.count)
        }
        return spans
    }

    var check: UInt64 { sink }
}
