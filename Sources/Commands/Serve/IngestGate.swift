internal import Pipeline
internal import Threads

/// The entrance before there is a log behind it: the ports are open at once, requests are told to come again.
final class IngestGate: IngestPort {
    private let port = Lock<(any IngestPort)?>(nil)

    /// From now on requests go to the log.
    func open(_ log: any IngestPort) { port.withLock { $0 = log } }

    /// Requests are refused again.
    func close() { port.withLock { $0 = nil } }

    func offer(_ body: [UInt8], answer: @escaping @Sendable (IngestAnswer) -> Void) -> IngestAdmission {
        guard let port = port.withLock({ $0 }) else { return .busy(retryAfterSeconds: 1, cause: .notServing) }
        return port.offer(body, answer: answer)
    }
}

/// The world's clocks.
struct SystemClock: Clock {
    var wallMilliseconds: Int64 { WallClock.milliseconds }
    var monotonicMilliseconds: Int64 { MonotonicInstant.now.milliseconds }
}
