internal import Threads

/// How fast buffered spans are matched against newer rules, so that ingest and disk keep their share.
struct RematchPace {
    let bytesPerSecond: Int
    private var allowance = 0
    private var last: MonotonicInstant?

    init(bytesPerSecond: Int) {
        self.bytesPerSecond = bytesPerSecond
    }

    /// Whether the next segment may be matched now.
    mutating func mayGo(at now: MonotonicInstant) -> Bool {
        let elapsed = last.map { now - $0 } ?? .seconds(1)
        last = now
        // A tenth of a second at once, no more, however long nothing was to be done.
        let gained = Double(bytesPerSecond) * min(0.1, elapsed.inSeconds)
        allowance = min(allowance + Int(gained), bytesPerSecond / 10)
        return allowance > 0
    }

    mutating func went(_ byteCount: Int) { allowance -= byteCount }
}
