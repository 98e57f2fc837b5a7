import Glibc
import Iceberg
import Pipeline
import SpanLog
import Testing
import Threads
import TraceModel

@Suite struct SpanLogTests {
    private let clock = FakeClock()

    private func options() -> LogOptions {
        var options = LogOptions()
        options.segmentBytes = 4096
        options.diskBytes = 1 << 30
        options.reserveBytes = 1 << 20
        return options
    }

    private func open(_ disk: FakeDisk, _ options: LogOptions? = nil) throws -> SpanLog {
        try SpanLog(files: [disk], routedCount: 1, options: options ?? self.options(), clock: clock)
    }

    /// Offers until it is taken, then waits for the answer.
    private static func send(_ body: [UInt8], to log: SpanLog) -> IngestAnswer? {
        let reply = ReplySlot<IngestAnswer>()
        let deadline = MonotonicInstant.now + .seconds(30)
        while log.offer(body, answer: { reply.fill($0) }) != .accepted {
            guard .now < deadline else { return nil }
            sched_yield()
        }
        return reply.take(until: deadline)
    }

    private static func readAll(_ source: any SpanSource, from offset: Int64 = 0) throws -> [[UInt8]] {
        var bodies: [[UInt8]] = []
        var next = offset
        while true {
            let batch = try source.read(from: next, limitBytes: 1000)
            guard let last = batch.entries.last else { return bodies }
            bodies += batch.entries.map { Array(batch.bytes[$0.body]) }
            next = last.record.offset + 1
        }
    }

    private static func temporaryFolder() -> String {
        var template = Array("/tmp/tss-log-XXXXXX".utf8CString)
        mkdtemp(&template)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func `many senders over a queue of one, with a reader beside them: everything drains`() throws {
        var options = options()
        options.queuedRequests = 1
        options.queuedBytes = 1
        options.groupBytes = 1
        let log = try open(FakeDisk(), options)
        let source = log.sources[0]
        let senders = 6
        let requests = 40
        let durable = Lock(0)
        let wakeup = Wakeup()
        source.notify { wakeup.signal() }
        let reader = Lock<Set<[UInt8]>>([])
        let readerThread = try NamedThread.start(name: "reader") {
            var next: Int64 = 0
            _ = wakeup.wait(until: .now + .seconds(60)) { () -> Bool? in
                while let batch = try? source.read(from: next, limitBytes: 300), let last = batch.entries.last {
                    let bodies = batch.entries.map { Array(batch.bytes[$0.body]) }
                    reader.withLock { $0.formUnion(bodies) }
                    next = last.record.offset + 1
                    source.release(below: next)
                }
                return next == Int64(senders * requests) ? true : nil
            }
        }
        let threads = try (0..<senders).map { sender in
            try NamedThread.start(name: "sender \(sender)") {
                for number in 0..<requests {
                    let body = LogBench.body(sender * 1000 + number, bytes: 30 + number)
                    if Self.send(body, to: log) == .durable(isRepeat: false) { durable.withLock { $0 += 1 } }
                }
            }
        }
        for thread in threads { thread.join() }
        readerThread.join()
        #expect(durable.withLock { $0 } == senders * requests)
        #expect(reader.withLock { $0.count } == senders * requests)
        log.stop()
        #expect(log.statistics[0].refusal == .notServing)
        #expect(log.offer([1], answer: { _ in }) == .busy(retryAfterSeconds: 15, cause: .notServing))
    }

    @Test func `no record has a stamp below one that the quiet log promised`() throws {
        let log = try open(FakeDisk())
        let source = log.sources[0]
        let isOver = Lock(false)
        let promised = Lock<[(offset: Int64, stamp: Int64)]>([])
        let watcher = try NamedThread.start(name: "watcher") {
            while !isOver.withLock({ $0 }) {
                self.clock.advance(milliseconds: 1)
                let end = source.bounds.end
                if case .quiet(let stamp) = source.reach(at: end) { promised.withLock { $0.append((end, stamp)) } }
            }
        }
        for number in 0..<300 { #expect(Self.send(LogBench.body(number), to: log) == .durable(isRepeat: false)) }
        isOver.withLock { $0 = true }
        watcher.join()
        var stamps: [Int64] = []
        while let batch = try? source.read(from: Int64(stamps.count), limitBytes: 500), !batch.entries.isEmpty {
            stamps += batch.entries.map(\.record.timestampMilliseconds)
        }
        #expect(stamps.count == 300)
        let promises = promised.withLock { $0 }
        #expect(!promises.isEmpty)
        for promise in promises where promise.offset < 300 {
            #expect(stamps[Int(promise.offset)] >= promise.stamp)
        }
        log.stop()
    }

    @Test func `answers repeats and refuses while the disk fails, then goes on`() throws {
        let disk = FakeDisk()
        let log = try open(disk)
        defer { log.stop() }
        let body = LogBench.body(1)
        #expect(Self.send(body, to: log) == .durable(isRepeat: false))
        #expect(Self.send(body, to: log) == .durable(isRepeat: true))
        disk.fail("sync", with: FileError(.failed, "input/output error"))
        #expect(Self.send(LogBench.body(2), to: log) == .unavailable(retryAfterSeconds: 15, cause: .diskFailed))
        #expect(log.offer([1], answer: { _ in }) == .busy(retryAfterSeconds: 15, cause: .diskFailed))
        #expect(log.statistics[0].refusal == .diskFailed)
        disk.fail("sync", with: nil)
        clock.advance(milliseconds: 1000)
        #expect(Self.send(LogBench.body(2), to: log) == .durable(isRepeat: false))
        #expect(try Self.readAll(log.sources[0]) == [body, LogBench.body(2)])
    }

    @Test func `stops taking at the disk's limits and starts again when there is room`() throws {
        let disk = FakeDisk()
        let log = try open(disk)
        defer { log.stop() }
        #expect(Self.send(LogBench.body(1), to: log) == .durable(isRepeat: false))
        disk.setSpace(DiskSpace(totalBytes: 1 << 30, availableBytes: 1 << 20))
        clock.advance(milliseconds: 2000)
        #expect(Self.send(LogBench.body(2), to: log) == .durable(isRepeat: false))
        let full = IngestAdmission.busy(retryAfterSeconds: 15, cause: .diskFull)
        let deadline = MonotonicInstant.now + .seconds(30)
        while log.statistics[0].refusal == nil, .now < deadline { sched_yield() }
        #expect(log.offer([1], answer: { _ in }) == full)
        #expect(log.statistics[0].refusal == .diskFull)
        disk.setSpace(DiskSpace(totalBytes: 1 << 30, availableBytes: 1 << 29))
        clock.advance(milliseconds: 2000)
        #expect(Self.send(LogBench.body(3), to: log) == .durable(isRepeat: false))
    }

    @Test func `a log that is older than the table moves on behind it`() throws {
        let disk = FakeDisk()
        let log = try open(disk)
        defer { log.stop() }
        #expect(Self.send(LogBench.body(1), to: log) == .durable(isRepeat: false))
        #expect(try log.sources[0].skip(to: 500) == 500)
        #expect(Self.send(LogBench.body(2), to: log) == .durable(isRepeat: false))
        #expect(try Self.readAll(log.sources[0], from: 500) == [LogBench.body(1), LogBench.body(2)])
        #expect(log.sources[0].bounds.end == 502)
    }

    @Test func `lives on a real disk: private files, what was answered is there after a restart`() throws {
        let folder = Self.temporaryFolder()
        let first = try SpanLog(folder: folder + "/log", options: options(), clock: clock)
        for number in 0..<50 {
            #expect(Self.send(LogBench.body(number, bytes: 200), to: first) == .durable(isRepeat: false))
        }
        first.stop()
        var status = stat()
        #expect(stat(folder + "/log/0", &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(stat(folder + "/log/0/superblock", &status) == 0 && status.st_mode & 0o777 == 0o600)
        let second = try SpanLog(folder: folder + "/log", options: options(), clock: clock)
        #expect(second.source == first.source && second.source.topic.hasPrefix("otlp:"))
        #expect(try Self.readAll(second.sources[0]) == (0..<50).map { LogBench.body($0, bytes: 200) })
        #expect(Self.send(LogBench.body(3, bytes: 200), to: second) == .durable(isRepeat: true))
        let statistics = second.statistics[0]
        #expect(statistics.synced == 50 && statistics.start == 0 && statistics.segmentCount > 2)
        #expect(statistics.diskBytes > 50 * 248)
        second.stop()
    }

    @Test func `a second instance on the folder is refused by name`() throws {
        let folder = Self.temporaryFolder() + "/data"
        let first = try DataFolder(path: folder)
        let error = #expect(throws: FileError.self) { _ = try DataFolder(path: folder) }
        #expect(error?.message.contains("pid \(getpid())") == true)
        #expect(error?.message.contains(folder) == true)
        withExtendedLifetime(first) {}
    }

    @Test func `the lock goes with its owner`() throws {
        let folder = Self.temporaryFolder()
        for _ in 0..<2 { withExtendedLifetime(try DataFolder(path: folder)) {} }
    }
}
