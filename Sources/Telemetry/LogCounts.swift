/// What a log has taken and dropped.
final class LogCounts: Sendable {
    let lines: [LogLevel: Counter]
    let dropped = Counter()

    init() {
        lines = Dictionary(uniqueKeysWithValues: LogLevel.written.map { ($0, Counter()) })
    }
}
