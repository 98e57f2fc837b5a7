import Glibc
import Iceberg
import OTLPWire
import Pipeline
import Sampling
import ShardRunner
import SpanLog
import Telemetry
import Testing
import Threads
import TraceBuffering
import TraceGenerator
import TraceModel

/// A disk of segments that a test makes full, slow or broken.
final class FakeSegments: Sendable {
    struct State {
        var files: [String: [UInt8]] = [:]
        var limitBytes = Int.max
        var readsFail = false
        var deletesFail = false
        /// Writes and reads wait for it.
        var isFrozen = false
        var written = 0
        var read = 0
        var refused = 0
        var cleared = 0

        var byteCount: Int { files.values.reduce(0) { $0 + $1.count } }
    }

    let state = Lock(State(files: ["7-3": [1, 2, 3]]))
    let wakeup = Wakeup()

    func freeze(_ isFrozen: Bool) {
        state.withLock { $0.isFrozen = isFrozen }
        wakeup.signal()
    }

    /// The one that the spill thread makes.
    struct Store: SegmentStore {
        let disk: FakeSegments

        private func waitUntilThawed() {
            _ = disk.wakeup.wait { disk.state.withLock { $0.isFrozen } ? nil : true }
        }

        func write(_ name: String, _ segment: SealedSegment) throws(FileError) -> Int {
            waitUntilThawed()
            let bytes = segment.bytes
            let isTaken = disk.state.withLock { state -> Bool in
                guard state.byteCount + bytes.count <= state.limitBytes else {
                    state.refused += 1
                    return false
                }
                state.files[name] = bytes
                state.written += 1
                return true
            }
            guard isTaken else { throw FileError(.full, "no space left") }
            return bytes.count
        }

        func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8] {
            waitUntilThawed()
            let bytes = disk.state.withLock { state -> [UInt8]? in
                guard !state.readsFail else { return nil }
                state.read += 1
                return state.files[name].map { Array($0[position..<position + count]) }
            }
            guard let bytes else { throw FileError(.failed, "input or output error") }
            return bytes
        }

        func remove(_ name: String) throws(FileError) {
            let isRemoved = disk.state.withLock { state -> Bool in
                guard !state.deletesFail else { return false }
                state.files[name] = nil
                return true
            }
            guard isRemoved else { throw FileError(.failed, "input or output error") }
        }

        func removeAll() throws(FileError) {
            disk.state.withLock { state in
                state.cleared += state.files.count
                state.files = [:]
            }
        }

        func space() throws(FileError) -> DiskSpace { DiskSpace(totalBytes: 1 << 40, availableBytes: 1 << 39) }
    }
}

/// Buffers that spill, with real threads; clock, disks and table are a test's.
@Suite struct SpillTests {
    private let clock = FakeClock()
    private let table: FakeTable
    private let segments = FakeSegments()
    private let metrics = Metrics(version: "test")
    private static let traceCount = 60
    private static let spanCount = 4

    init() {
        table = FakeTable(clock: clock)
    }

    private func makeRunner(_ log: SpanLog, _ change: (inout RunnerOptions) -> Void = { _ in }) throws -> ShardRunner {
        var options = RunnerOptions(writer: "one", deadLetterFolder: "/tmp/tss-none", segmentFolder: "/tmp/tss-none")
        options.workerCount = 2
        options.commitInterval = .milliseconds(20)
        options.positionInterval = .milliseconds(20)
        options.readBytes = 1
        options.shard.buffer.spills = true
        options.shard.buffer.segmentBytes = 500
        options.shard.buffer.bytes = 8_000
        change(&options)
        let store = segments
        return ShardRunner(
            options: options, definition: FakeWriter.definition,
            ports: ShardRunner.Ports(
                sources: FixedSources(log.sources), catalog: table, files: table, rows: table, verdicts: nil,
                clock: clock,
                segments: { FakeSegments.Store(disk: store) }),
            sampler: try Sampler(policies: SimpleSampling().policies()), metrics: metrics, logger: .none)
    }

    /// One span a request, so that every trace lies in several segments.
    private func send(to log: SpanLog) {
        let deadline = MonotonicInstant.now + .seconds(60)
        for index in 0..<Self.traceCount * Self.spanCount {
            let (trace, span) = (index % Self.traceCount, index / Self.traceCount)
            var sent = GeneratedSpan(
                traceID: TraceID(high: 9, low: UInt64(trace + 1)), spanID: SpanID(UInt64(index + 1)), name: "operation",
                startTimeUnixNano: 1_780_000_000_000_000_000, endTimeUnixNano: 1_780_000_000_010_000_000)
            sent.parentSpanID = SpanID(7)
            if span == 2 { sent.statusCode = 2 }
            let body = GeneratedRequest(
                resource: [GeneratedAttribute("service.name", "test")], scopeName: "test", scopeVersion: "1",
                spans: [sent]
            ).encoded()
            while log.offer(body, answer: { _ in }) != .accepted {
                guard .now < deadline else { return }
                sched_yield()
            }
        }
        _ = waitUntil { log.statistics[0].synced == Int64(Self.traceCount * Self.spanCount) }
    }

    private func openLog() throws -> SpanLog {
        var options = LogOptions()
        options.reserveBytes = 1 << 20
        return try SpanLog(files: [FakeDisk()], routedCount: 1, options: options, clock: clock)
    }

    private func waitUntil(advancing milliseconds: Int = 0, _ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = MonotonicInstant.now + .seconds(60)
        while .now < deadline {
            if try condition() { return true }
            if milliseconds > 0 { clock.advance(milliseconds: Int64(milliseconds)) }
            usleep(2000)
        }
        return false
    }

    private func expectAllRows() throws {
        let all = Self.traceCount * Self.spanCount
        #expect(try waitUntil(advancing: 1000) { try table.liveRows().count >= all })
        let rows = try table.liveRows()
        #expect(rows.count == all)
        #expect(Set(rows.map { "\($0.offset) \($0.index)" }).count == all)
    }

    @Test func `what an earlier life left is deleted, kept traces are read back, and nothing stays`() throws {
        let log = try openLog()
        send(to: log)
        let runner = try makeRunner(log)
        try runner.start()
        #expect(waitUntil { runner.gauges.first?.next == Int64(Self.traceCount * Self.spanCount) })
        #expect(waitUntil { segments.state.withLock { $0.written } > 20 })
        #expect(segments.state.withLock { $0.cleared } == 1)
        #expect((runner.spillStatus?.diskBytes ?? 0) > 10_000)
        #expect(metrics.pipeline.segmentDiskBytes.value > 10_000)
        try expectAllRows()
        #expect(waitUntil { segments.state.withLock { $0.files.isEmpty } })
        #expect(segments.state.withLock { $0.read } > 0)
        #expect(metrics.pipeline.earlyDecisions.value == 0)
        log.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
    }

    @Test func `a slow disk pauses the partition and decides nothing early`() throws {
        let log = try openLog()
        send(to: log)
        segments.freeze(true)
        let runner = try makeRunner(log)
        try runner.start()
        #expect(waitUntil { metrics.pipeline.bufferMemoryBytes.value >= 7_000 })
        #expect(!waitBriefly { runner.gauges[0].next == Int64(Self.traceCount * Self.spanCount) })
        #expect(metrics.pipeline.earlyDecisions.value == 0)
        segments.freeze(false)
        try expectAllRows()
        #expect(metrics.pipeline.earlyDecisions.value == 0)
        log.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
    }

    /// Some turns of the workers: what does not happen now does not happen.
    private func waitBriefly(_ condition: () -> Bool) -> Bool {
        for _ in 0..<100 {
            if condition() { return true }
            usleep(2000)
        }
        return false
    }

    @Test func `a full disk makes the buffer decide early, health knows, and nothing is lost`() throws {
        let log = try openLog()
        send(to: log)
        segments.state.withLock { $0.limitBytes = 4_000 }
        let runner = try makeRunner(log)
        try runner.start()
        #expect(waitUntil { runner.spillStatus?.isFull == true })
        #expect(runner.spillStatus?.lastError == "no space left")
        #expect(waitUntil { metrics.pipeline.earlyDecisions.value > 0 })
        #expect(metrics.pipeline.segmentsRefused.value > 0)
        #expect(metrics.pipeline.segmentErrors[.write].value == 0)
        segments.state.withLock { $0.limitBytes = .max }
        #expect(waitUntil(advancing: 1000) { log.statistics[0].synced == runner.gauges[0].settled })
        #expect(runner.spillStatus?.isFull == false)
        // Early decisions keep what had its error by then; rows are whole spans, each once.
        let rows = try table.liveRows()
        #expect(Set(rows.map { "\($0.offset) \($0.index)" }).count == rows.count)
        #expect(rows.count >= Self.traceCount)
        log.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
    }

    @Test func `the budget of the disk counts as a full disk`() throws {
        let log = try openLog()
        send(to: log)
        let runner = try makeRunner(log) { $0.segmentBytes = { 3_000 } }
        try runner.start()
        #expect(waitUntil { runner.spillStatus?.isFull == true })
        #expect(segments.state.withLock { $0.refused } == 0)
        #expect((runner.spillStatus?.diskBytes ?? .max) <= 3_000)
        log.stop()
        runner.stop(by: .now + .seconds(30))
    }

    @Test func `bytes that do not come back are read from the log again`() throws {
        let log = try openLog()
        send(to: log)
        segments.state.withLock { $0.readsFail = true }
        let runner = try makeRunner(log) { $0.segmentRetryDelay = .milliseconds(1) }
        try runner.start()
        #expect(waitUntil { runner.gauges.first?.next == Int64(Self.traceCount * Self.spanCount) })
        #expect(waitUntil(advancing: 1000) { metrics.pipeline.segmentErrors[.read].value > 10 })
        segments.state.withLock { $0.readsFail = false }
        try expectAllRows()
        log.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
    }

    // MARK: Files

    @Test func `a folder of segments gives back any range, whether direct or not, and forgets all of them`() throws {
        for parent in ["/tmp", "/dev/shm"] {
            let path = "\(parent)/tss-segments-\(getpid())"
            defer { rmdir(path) }
            let folder = SegmentFolder(path: path)
            let sealed = Self.segments(of: 100_000)
            var random = SeededRandom(seed: 11)
            for (number, segment) in sealed.enumerated() {
                let byteCount = try folder.write("1-\(number)", segment)
                #expect(byteCount >= segment.byteCount && byteCount % 4096 == 0)
            }
            for _ in 0..<200 {
                let number = Int.random(in: 0...sealed.count - 1, using: &random)
                let bytes = sealed[number].bytes
                let start = Int.random(in: 0...bytes.count - 1, using: &random)
                let count = Int.random(in: 1...min(5_000, bytes.count - start), using: &random)
                #expect(try folder.read("1-\(number)", at: start, count: count) == Array(bytes[start..<start + count]))
            }
            #expect(throws: FileError.self) { try folder.read("1-0", at: 0, count: 10_000_000) }
            #expect(throws: FileError.self) { try folder.read("9-0", at: 0, count: 1) }
            try folder.remove("1-0")
            try folder.remove("1-0")
            try folder.removeAll()
            #expect(throws: FileError.self) { try folder.read("1-1", at: 0, count: 1) }
        }
    }

    /// Full segments of a buffer, some of them of several blocks.
    private static func segments(of byteCount: Int) -> [SealedSegment] {
        var limits = BufferLimits()
        limits.spills = true
        limits.segmentBytes = 30_000
        limits.segmentsInFlight = 1000
        var buffer = TraceBuffer(limits: limits)
        var sealed: [SealedSegment] = []
        var offset: Int64 = 0
        var batch = SpanBatch()
        while sealed.reduce(0, { $0 + $1.byteCount }) < byteCount {
            let span = GeneratedSpan(
                traceID: TraceID(high: 3, low: UInt64(offset + 1)), spanID: SpanID(UInt64(offset + 1)),
                name: String(repeating: "n", count: 100 + Int(offset) % 500), startTimeUnixNano: 1, endTimeUnixNano: 2)
            let body = GeneratedRequest(
                resource: [], scopeName: "test", scopeVersion: "1", spans: [span]
            ).encoded()
            do {
                try SpanScanner.scan(body.span.bytes, matching: .empty, into: &batch)
            } catch {
                Issue.record("a generated request does not decode: \(error)")
            }
            _ = buffer.ingest(body.span.bytes, batch, offset: offset, at: StreamTick(0))
            sealed += buffer.sealed()
            offset += 1
        }
        return sealed
    }
}
