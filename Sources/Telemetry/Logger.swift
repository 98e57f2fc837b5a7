import Threads

/// Writes lines of one module; cheap to copy, may be used from any thread.
///
/// The message is constant and the values are metadata, the phrases that people search for excepted.
public struct Logger: Sendable {
    private let log: Log?
    public let module: String
    /// Lines below are not made: their message and metadata are never evaluated.
    public let level: LogLevel

    init(log: Log?, module: String, level: LogLevel) {
        self.log = log
        self.module = module
        self.level = level
    }

    /// Writes nothing: for tools and tests.
    public static var none: Logger { Logger(log: nil, module: "", level: .off) }

    public func trace(_ message: @autoclosure () -> String, metadata: @autoclosure () -> LogMetadata = [:]) {
        write(.trace, message, metadata)
    }

    public func debug(_ message: @autoclosure () -> String, metadata: @autoclosure () -> LogMetadata = [:]) {
        write(.debug, message, metadata)
    }

    /// Lifecycle.
    public func info(_ message: @autoclosure () -> String, metadata: @autoclosure () -> LogMetadata = [:]) {
        write(.info, message, metadata)
    }

    /// Something failed and is recovered or tried again.
    public func warning(_ message: @autoclosure () -> String, metadata: @autoclosure () -> LogMetadata = [:]) {
        write(.warning, message, metadata)
    }

    /// Data was lost, or somebody must act.
    public func error(_ message: @autoclosure () -> String, metadata: @autoclosure () -> LogMetadata = [:]) {
        write(.error, message, metadata)
    }

    /// Writes an error line, flushes the log and stops the program: an invariant is broken.
    public func fatal(_ message: String, metadata: LogMetadata = [:]) -> Never {
        write(.error, { message }, { metadata })
        log?.flush()
        fatalError(message)
    }

    private func write(_ level: LogLevel, _ message: () -> String, _ metadata: () -> LogMetadata) {
        guard level >= self.level, let log else { return }
        log.submit(
            LogRecord(
                time: WallClock.milliseconds, level: level, module: module, message: message(), metadata: metadata()))
    }
}
