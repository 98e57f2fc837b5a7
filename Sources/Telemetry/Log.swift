import Glibc
public import Threads

/// The program's log: any thread puts lines in, one thread writes them out.
///
/// A reader that is stuck stops the writer only: callers never wait, lines beyond the limit are dropped and
/// counted, and the first line after the jam says how many.
public final class Log: Sendable {
    public struct Options: Sendable {
        public var filter = LogFilter(.info)
        public var format = LogFormat.text
        /// Lines that wait for the writer; a burst of a second, and 2 MiB at the usual length.
        public var maxQueuedLines: UInt64 = 8192
        /// Bytes that wait for the writer.
        public var maxQueuedBytes = 4 << 20
        /// A longer line is cut.
        public var maxLineBytes = 16 << 10
        /// Where lines go; 2 is standard error. Not closed by us.
        public var descriptor: Int32 = 2

        public init() {}
    }

    struct Queue {
        var lines: [[UInt8]] = []
        var bytes = 0
        var dropped = 0
        /// Lines accepted since the start, and of those the written ones: what `flush` waits for.
        var accepted: UInt64 = 0
        var written: UInt64 = 0
        var isStopping = false
        /// The reader has gone for good: lines are thrown away.
        var isBroken = false
        /// The writer will touch nothing any more.
        var isFinished = false

        var waitingLines: UInt64 { accepted - written }
    }

    public let options: Options
    /// Lines written, by level, and dropped; metrics read them.
    let counts = LogCounts()
    private let queue = Lock(Queue())
    /// The writer waits on it.
    private let work = Wakeup()
    /// `flush` waits on it.
    private let progress = Wakeup()
    private let writer = Lock<NamedThread?>(nil)

    /// Starts the writer thread `log`.
    public init(_ options: Options = Options()) throws(ThreadError) {
        self.options = options
        let thread = try NamedThread.start(name: "log") { [queue, work, progress, options] in
            LogWriter(
                descriptor: options.descriptor, format: options.format, queue: queue, work: work, progress: progress
            )
            .run()
        }
        writer.withLock { $0 = thread }
    }

    /// A logger for a module: lower case with underscores, as `otlp_server`.
    public func logger(_ module: String) -> Logger {
        Logger(log: self, module: module, level: options.filter.level(of: module))
    }

    /// Lines dropped because the reader did not keep up.
    public var droppedLines: Int { counts.dropped.value }

    func submit(_ record: LogRecord) {
        var line = options.format.line(record)
        if line.count > options.maxLineBytes {
            line.removeLast(line.count - options.maxLineBytes)
            line[line.count - 1] = UInt8(ascii: "\n")
        }
        let (count, limits) = (line.count, options)
        let isTaken = queue.withLock { [line] queue in
            guard !queue.isBroken, !queue.isStopping, queue.waitingLines < limits.maxQueuedLines,
                queue.bytes + count <= limits.maxQueuedBytes
            else {
                queue.dropped += 1
                return false
            }
            queue.lines.append(line)
            queue.bytes += count
            queue.accepted += 1
            return true
        }
        if isTaken {
            counts.lines[record.level]?.add(1)
            work.signal()
        } else {
            counts.dropped.add(1)
        }
    }

    /// Waits until every line put in so far is written.
    ///
    /// - Returns: False when the reader did not take them within `limit`.
    @discardableResult
    public func flush(limit: Duration = .seconds(2)) -> Bool {
        let target = queue.withLock { $0.accepted }
        let isWritten = progress.wait(until: .now + limit) { () -> Bool? in
            queue.withLock { $0.written >= target || $0.isBroken } ? true : nil
        }
        return isWritten ?? false
    }

    /// Writes what waits and ends the writer; later lines are dropped. Returns after `limit` at the latest.
    public func stop(limit: Duration = .seconds(2)) {
        let deadline = MonotonicInstant.now + limit
        flush(limit: limit)
        queue.withLock { $0.isStopping = true }
        work.signal()
        // The writer polls before it writes, so it ends soon; unless another process filled the pipe in
        // between, and then its thread is left behind.
        let isFinished = progress.wait(until: deadline + .milliseconds(500)) { () -> Bool? in
            queue.withLock { $0.isFinished } ? true : nil
        }
        let thread = writer.withLock { thread -> NamedThread? in
            defer { thread = nil }
            return thread
        }
        if isFinished == true { thread?.join() }
    }

    deinit {
        queue.withLock { $0.isStopping = true }
        work.signal()
    }
}

/// Writes the lines of one log. Owned by the writer thread.
private struct LogWriter: Sendable {
    let descriptor: Int32
    let format: LogFormat
    let queue: Lock<Log.Queue>
    let work: Wakeup
    let progress: Wakeup

    /// Linux promises a writer of at most PIPE_BUF bytes room and atomicity when `poll` says POLLOUT.
    private static let chunkBytes = 4096
    /// How often a writer that finds no room looks whether it shall stop.
    private static let pollMilliseconds: Int32 = 100

    func run() {
        defer {
            queue.withLock { $0.isFinished = true }
            progress.signal()
        }
        while true {
            let ticket = work.ticket()
            let (batch, dropped, isStopping) = queue.withLock { queue -> ([[UInt8]], Int, Bool) in
                let taken = (queue.lines, queue.dropped, queue.isStopping)
                queue.lines = []
                queue.dropped = 0
                return taken
            }
            if batch.isEmpty && dropped == 0 {
                if isStopping { return }
                work.wait(past: ticket)
                continue
            }
            guard write(batch, dropped: dropped) else { return }
        }
    }

    /// - Returns: False when the log can no longer be written.
    private func write(_ batch: [[UInt8]], dropped: Int) -> Bool {
        for line in batch {
            guard write(line) else { return false }
            queue.withLock {
                $0.written += 1
                $0.bytes -= line.count
            }
            progress.signal()
        }
        guard dropped > 0 else { return true }
        // After the lines that were there first.
        return write(
            format.line(
                LogRecord(
                    time: WallClock.milliseconds, level: .warning, module: "log", message: "log lines dropped",
                    metadata: ["count": .count(dropped)])))
    }

    private func write(_ line: [UInt8]) -> Bool {
        var offset = 0
        while offset < line.count {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let result = poll(&ready, 1, Self.pollMilliseconds)
            if result == 0 || (result < 0 && errno == EINTR) {
                if queue.withLock({ $0.isStopping }) { return false }
                continue
            }
            let written = line.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress! + offset, min(bytes.count - offset, Self.chunkBytes))
            }
            if written > 0 {
                offset += written
            } else if written < 0 && errno != EINTR && errno != EAGAIN {
                queue.withLock {
                    $0.isBroken = true
                    $0.lines = []
                }
                return false
            }
        }
        return true
    }
}
