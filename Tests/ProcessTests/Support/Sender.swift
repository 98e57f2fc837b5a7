import Threads
import TraceGenerator
import TraceModel

/// A supply of traces of the kinds that a test wants.
final class Traces: Sendable {
    private let seed: UInt64
    private let count = Lock<UInt64>(0)

    init(seed: UInt64) {
        self.seed = seed
        print("traces of seed \(seed)")
    }

    /// A trace that nobody has had.
    func next(_ kind: GeneratedTrace.Kind, spanCount: Int = 5, startUnixNano: UInt64? = nil) -> GeneratedTrace {
        let number = count.withLock { count in
            count += 1
            return count
        }
        var options = DemoTraceOptions(
            seed: seed &+ number,
            startUnixNano: startUnixNano ?? UInt64(WallClock.nanoseconds) - 10_000_000_000)
        options.traceCount = 1
        options.spanCount = spanCount
        options.errorPercent = kind == .error ? 100 : 0
        options.slowPercent = kind == .slow ? 100 : 0
        return DemoTraces(options).trace(at: 0)
    }
}
