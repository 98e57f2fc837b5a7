import Glibc
import Iceberg
import Pipeline
import Sampling
import ShardRunner
import SpanLog
import Telemetry
import Testing
import Threads
import TraceGenerator
import TraceModel

/// Real threads from the entrance to the table; only clock, disk and table are a test's.
@Suite struct RunnerTests {
    private let clock = FakeClock()
    private let table: FakeTable
    private let traces: DemoTraces
    private static let traceCount = 40

    init() {
        table = FakeTable(clock: clock)
        var options = DemoTraceOptions(seed: 5, startUnixNano: 1_764_000_000_000_000_000)
        options.traceCount = Self.traceCount
        options.spanCount = 3
        options.errorPercent = 100
        traces = DemoTraces(options)
    }

    /// Everything holds one, or as little as there can be.
    private func openLog(_ disk: FakeDisk) throws -> SpanLog {
        var options = LogOptions()
        options.queuedRequests = 1
        options.queuedBytes = 1
        options.groupBytes = 1
        options.segmentBytes = 4096
        options.reserveBytes = 1 << 20
        return try SpanLog(files: [disk], routedCount: 1, options: options, clock: clock)
    }

    private func makeRunner(_ log: SpanLog, writer: String) throws -> ShardRunner {
        var options = RunnerOptions(writer: writer, deadLetterFolder: "/tmp/tss-none", segmentFolder: "/tmp/tss-none")
        options.workerCount = 2
        options.commitInterval = .milliseconds(20)
        options.positionInterval = .milliseconds(20)
        options.readBytes = 1
        options.shard.keptBytes = 1
        options.shard.decisionsPerTurn = 1
        options.shard.decisionEvents = 1
        options.shard.keptSpansPerTurn = 1
        options.shard.tracesReadBack = 1
        options.steps.outageBaseMilliseconds = 1
        options.steps.outageCapMilliseconds = 10
        options.steps.conflictBaseMilliseconds = 1
        return ShardRunner(
            options: options, definition: FakeWriter.definition,
            ports: ShardRunner.Ports(
                sources: FixedSources(log.sources), catalog: table, files: table, rows: table, verdicts: nil,
                clock: clock),
            sampler: try Sampler(policies: SimpleSampling().policies()), metrics: Metrics(version: "test"),
            logger: .none)
    }

    /// Sends all of it again and again until it is durable, as a client does.
    private func send(_ indices: Range<Int>, to log: SpanLog) -> Bool {
        let deadline = MonotonicInstant.now + .seconds(60)
        for index in indices {
            let reply = ReplySlot<IngestAnswer>()
            while log.offer(traces.trace(at: index).requestBytes, answer: { reply.fill($0) }) != .accepted {
                guard .now < deadline else { return false }
                sched_yield()
            }
            guard case .durable = reply.take(until: deadline) else { return false }
        }
        return true
    }

    /// Lets the log's time run until the condition holds.
    private func waitUntil(_ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = MonotonicInstant.now + .seconds(60)
        while .now < deadline {
            if try condition() { return true }
            clock.advance(milliseconds: 1000)
            usleep(2000)
        }
        return false
    }

    @Test func `every capacity one, the catalog frozen at the start and in between: everything drains`() throws {
        let log = try openLog(FakeDisk())
        table.freeze(true)
        let runner = try makeRunner(log, writer: "one")
        try runner.start()
        let senders = try (0..<4).map { number in
            try NamedThread.start(name: "sender") {
                #expect(send(number * 10..<(number + 1) * 10, to: log))
            }
        }
        #expect(waitUntil { runner.status.obstacle != nil })
        #expect(!runner.status.hasStarted)
        table.freeze(false)
        #expect(try waitUntil { try table.liveRows().count > 3 * 5 })
        table.freeze(true)
        #expect(waitUntil { runner.status.obstacle != nil })
        for sender in senders { sender.join() }
        table.freeze(false)
        let all = 3 * Self.traceCount
        #expect(try waitUntil { try table.liveRows().count >= all })
        let rows = try table.liveRows()
        #expect(rows.count == all)
        #expect(Set(rows.map { "\($0.offset) \($0.index)" }).count == all)
        #expect(waitUntil { log.statistics[0].synced == Int64(Self.traceCount) })
        #expect(
            waitUntil {
                (try? table.metadata?.position(of: log.sources[0].id))??.settled == Int64(Self.traceCount)
            })
        log.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
    }

    @Test func `what an old copy of the log takes after it came back reaches the table`() throws {
        let disk = FakeDisk()
        var random = SeededRandom(seed: 3)
        let first = try openLog(disk)
        #expect(send(0..<5, to: first))
        // The copy that comes back.
        let copy = disk.afterPowerCut(.nothing, &random)
        #expect(send(5..<10, to: first))
        let runner = try makeRunner(first, writer: "one")
        try runner.start()
        #expect(try waitUntil { try table.liveRows().count == 30 })
        #expect(
            waitUntil { (try? table.metadata?.position(of: first.sources[0].id))??.resume == 10 })
        first.stop()
        #expect(runner.stop(by: .now + .seconds(30)))
        let second = try openLog(copy)
        #expect(second.sources[0].bounds.end == 5)
        #expect(send(20..<23, to: second))
        let again = try makeRunner(second, writer: "two")
        try again.start()
        #expect(send(23..<25, to: second))
        #expect(try waitUntil { try table.liveRows().count >= 45 })
        let rows = try table.liveRows()
        #expect(rows.count == 45)
        #expect(Set(rows.map { "\($0.offset) \($0.index)" }).count == 45)
        second.stop()
        #expect(again.stop(by: .now + .seconds(30)))
    }
}
