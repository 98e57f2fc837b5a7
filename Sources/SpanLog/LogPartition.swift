import Iceberg
import Pipeline
import Synchronization
import Telemetry
import Threads

/// One partition of the log with its sync thread: groups requests, writes, syncs, answers in order.
///
///     offer ─▶ queue ─▶ [sync thread: write group · fsync] ─▶ answers
///                                    └─▶ synced ─▶ shard reads (its own thread)
///
/// While one group is synced the next one gathers: a lone request waits for nobody, many share a sync. The
/// thread waits on its own condition, never by polling.
final class LogPartition: SpanSource {
    let id: PartitionID
    let siblingCount: Int
    private let options: LogOptions
    private let files: any SegmentFiles
    private let clock: any Clock
    private let otherBytes: @Sendable () -> Int
    private let metrics: EntranceMetrics?
    private let logger: Logger
    private let wakeup = Wakeup()
    /// Guards everything that threads share; never held during a write or a call of somebody else's code.
    private let queue: Lock<LogQueue>
    /// Every record below it is durable; readers ask this first, without the lock.
    private let synced: Atomic<Int64>
    /// Where the last reader stood; taken out while it reads, so that nobody waits for a disk.
    private let reader = Lock(LogReader())
    /// Handed to the sync thread when it starts.
    private let log: Lock<PartitionLog?>
    private let thread = Lock<NamedThread?>(nil)

    init(
        _ log: PartitionLog, id: PartitionID, siblingCount: Int, files: any SegmentFiles, options: LogOptions,
        clock: any Clock,
        otherBytes: @escaping @Sendable () -> Int, metrics: EntranceMetrics?, logger: Logger
    ) {
        self.id = id
        self.siblingCount = siblingCount
        self.files = files
        self.options = options
        self.clock = clock
        self.otherBytes = otherBytes
        self.metrics = metrics
        self.logger = logger
        synced = Atomic(log.synced)
        queue = Lock(LogQueue(log, space: try? files.space(), at: clock.moment))
        self.log = Lock(log)
    }

    func start() throws(ThreadError) {
        let started = try NamedThread.start(name: "tss-log-\(id.partition)") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Takes nothing more, writes what waits, ends the thread.
    func stop() {
        queue.withLock { if $0.life == .open { $0.life = .draining } }
        wakeup.signal()
        let running = thread.withLock { thread -> NamedThread? in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    // MARK: Senders

    func offer(_ body: [UInt8], answer: @escaping @Sendable (IngestAnswer) -> Void) -> IngestAdmission {
        let now = clock.monotonicMilliseconds
        let otherBytes = otherBytes()
        let (admission, isWanted) = queue.withLock { queue -> (IngestAdmission, Bool) in
            let admission = queue.admit(body, options: options, otherBytes: otherBytes, monotonicMilliseconds: now)
            if admission == .accepted { queue.put(PendingRequest(body: body, answer: answer)) }
            return (admission, queue.isWanted)
        }
        if isWanted { wakeup.signal() }
        return admission
    }

    // MARK: The sync thread

    private func run() {
        guard
            var log = log.withLock({ log -> PartitionLog? in
                defer { log = nil }
                return log
            })
        else { return }
        while true {
            let ticket = wakeup.ticket()
            let (group, moment) = queue.withLock { queue in
                // Read under the lock: nobody can be promised a later stamp than this group gets.
                (queue.takeGroup(options), clock.moment)
            }
            if !group.isEmpty { write(group, to: &log, at: moment) }
            followOrders(&log)
            let isOver = queue.withLock { queue -> Bool in
                guard queue.life == .draining, queue.waiting.isEmpty else { return false }
                queue.life = .ended
                return true
            }
            if isOver { return }
            if queue.withLock({ !$0.isWanted }) { wakeup.wait(past: ticket) }
        }
    }

    private func write(_ group: [PendingRequest], to log: inout PartitionLog, at moment: Moment) {
        let before = (end: log.synced, bytes: log.byteCount)
        let answers = log.append(group.map(\.body), at: moment)
        let after = clock.moment
        let failure = answers.lazy.compactMap { answer -> BusyCause? in
            if case .unavailable(_, let cause) = answer { return cause }
            return nil
        }.first
        let listeners = queue.withLock { [log] queue in
            queue.publish(log)
            queue.isWriting = false
            queue.groupBytes = 0
            queue.failed = failure.map { ($0, after.monotonicMilliseconds + options.failureRetryMilliseconds) }
            return queue.listeners
        }
        synced.store(log.synced, ordering: .releasing)
        count(log.synced - before.end, bytes: log.byteCount - before.bytes, answers, from: moment, to: after)
        if let failure {
            logger.error(
                "the log was not written, its senders keep the requests",
                metadata: ["partition": "\(id)", "cause": "\(failure.rawValue)", "requests": .count(group.count)])
        }
        for (request, answer) in zip(group, answers) { request.answer(answer) }
        if log.synced > before.end { for listener in listeners { listener() } }
        measure(after)
    }

    private func count(
        _ records: Int64, bytes: Int, _ answers: [IngestAnswer], from start: Moment, to end: Moment
    ) {
        guard let metrics else { return }
        metrics.spanLogRecords.add(Int(records))
        metrics.spanLogBytes.add(max(0, bytes))
        metrics.spanLogRepeats.add(answers.count { $0 == .durable(isRepeat: true) })
        metrics.spanLogSyncDuration.observe(
            .milliseconds(end.monotonicMilliseconds - start.monotonicMilliseconds))
    }

    private func followOrders(_ log: inout PartitionLog) {
        let (release, skips, wantsSpace) = queue.withLock { queue in
            defer { (queue.releaseBelow, queue.skips, queue.wantsSpace) = (.min, [], false) }
            return (queue.releaseBelow, queue.skips, queue.wantsSpace)
        }
        for skip in skips {
            do throws(FileError) {
                let start = try log.skip(to: skip.offset, at: clock.moment)
                finishOrder(log)
                skip.reply.fill(.done(start: start))
            } catch {
                finishOrder(log)
                skip.reply.fill(.failed(error.message))
            }
        }
        if release > .min, log.release(below: release, at: clock.moment) > 0 { finishOrder(log) }
        if wantsSpace { measure(clock.moment, isForced: true) }
    }

    private func finishOrder(_ log: PartitionLog) {
        queue.withLock { $0.publish(log) }
        synced.store(log.synced, ordering: .releasing)
    }

    /// Asks the file system how much room there is, at most once a second.
    private func measure(_ moment: Moment, isForced: Bool = false) {
        let isDue = queue.withLock {
            moment.monotonicMilliseconds - $0.spaceAtMilliseconds >= LogQueue.spaceAgeMilliseconds
        }
        guard isDue || isForced else { return }
        let space = try? files.space()
        queue.withLock { queue in
            queue.space = space
            // What was taken meanwhile is not on the disk yet.
            queue.space?.availableBytes -= queue.waitingBytes
            queue.spaceAtMilliseconds = moment.monotonicMilliseconds
        }
    }

    // MARK: SpanSource

    var bounds: SourceBounds { queue.withLock { $0.bounds } }

    func read(from offset: Int64, limitBytes: Int) throws(FileError) -> SourceBatch {
        guard offset < synced.load(ordering: .acquiring) else { return SourceBatch() }
        let segments = queue.withLock { $0.segments }
        var reader = reader.withLock { $0 }
        let batch = try reader.read(from: offset, limitBytes: limitBytes, segments: segments, files: files)
        self.reader.withLock { [reader] in $0 = reader }
        return batch
    }

    func reach(at offset: Int64) -> LogReach {
        queue.withLock { queue in
            guard offset >= queue.bounds.end, !queue.isWriting, queue.waiting.isEmpty else { return .behind }
            // Under the lock, as the stamps of groups are: no record will have a lower one.
            return .quiet(stampMilliseconds: queue.clock.stamp(at: clock.moment))
        }
    }

    func release(below offset: Int64) {
        queue.withLock { $0.releaseBelow = max($0.releaseBelow, offset) }
        wakeup.signal()
    }

    func skip(to offset: Int64) throws(FileError) -> Int64 {
        let reply = ReplySlot<SkipResult>()
        let isTaken = queue.withLock { queue -> Bool in
            guard queue.life == .open else { return false }
            queue.skips.append((offset, reply))
            return true
        }
        guard isTaken else { throw FileError(.failed, "the log is closed") }
        wakeup.signal()
        switch reply.take(until: nil) {
        case .done(let start): return start
        case .failed(let message): throw FileError(.failed, message)
        case nil: throw FileError(.failed, "the log did not answer")
        }
    }

    func notify(_ signal: @escaping @Sendable () -> Void) {
        queue.withLock { $0.listeners.append(signal) }
        signal()
    }

    // MARK: Health

    /// Whoever reads that the disk is full has it measured anew: where nobody sends, because readiness says so,
    /// nothing else would.
    var statistics: SpanLogStatistics {
        let now = clock.monotonicMilliseconds
        let (statistics, isStale) = queue.withLock { queue -> (SpanLogStatistics, Bool) in
            var cause = queue.failed.flatMap { now < $0.untilMilliseconds ? $0.cause : nil }
            let refused = queue.refused.flatMap { now < $0.untilMilliseconds ? $0.bodyBytes : nil } ?? 0
            if cause == nil, !options.admits(bodyBytes: refused, logBytes: queue.logBytes, space: queue.space) {
                cause = .diskFull
                queue.wantsSpace = now - queue.spaceAtMilliseconds >= LogQueue.spaceAgeMilliseconds
            }
            let statistics = SpanLogStatistics(
                partition: id.partition, diskBytes: queue.logBytes, segmentCount: queue.segments.count,
                start: queue.bounds.start, synced: queue.bounds.end, waitingRequests: queue.waiting.count,
                waitingBytes: queue.waitingBytes, availableBytes: queue.space?.availableBytes,
                refusal: queue.life == .open ? cause : .notServing)
            return (statistics, queue.wantsSpace)
        }
        if isStale { wakeup.signal() }
        return statistics
    }
}
