import KafkaIO
import Pipeline
import RDKafka
import Telemetry
import Testing
import Threads
import TraceModel

/// Takes what the group gives, as the committer does.
private final class Owner: SourceOwner {
    private let state = Lock<(sources: [any SpanSource], revoked: Int, lost: Int)>(([], 0, 0))

    var sources: [any SpanSource] { state.withLock { $0.sources } }
    var revokedCount: Int { state.withLock { $0.revoked } }

    func assigned(_ sources: [any SpanSource]) { state.withLock { $0.sources += sources } }

    func revoked(_ sources: [any SpanSource], isLost: Bool, within limit: Duration) {
        state.withLock { state in
            state.sources.removeAll { source in sources.contains { $0 === source } }
            state.revoked += sources.count
            if isLost { state.lost += sources.count }
        }
    }
}

private struct RealClock: Clock {
    var wallMilliseconds: Int64 { WallClock.milliseconds }
    var monotonicMilliseconds: Int64 { MonotonicInstant.now.milliseconds }
}

/// The group's side of taking partitions up and giving them back, over the mock cluster.
struct GroupTests {
    private let cluster: MockCluster
    private let metrics = Metrics(version: "test")

    init() throws {
        cluster = try MockCluster()
    }

    private func group(_ name: String = "g", reset: OffsetReset = .earliest) -> KafkaGroup {
        var options = KafkaSourceOptions(
            client: KafkaConfiguration([
                "bootstrap.servers": cluster.bootstrapServers, "heartbeat.interval.ms": "200",
                "topic.metadata.refresh.interval.ms": "300",
            ]), topic: "spans", group: name)
        options.reset = reset
        options.sessionTimeoutMilliseconds = 6000
        return KafkaGroup(options, metrics: metrics.kafka, logger: .none, clock: RealClock())
    }

    private func write(_ values: [[UInt8]], partition: Int32 = 0) throws {
        let messages = values.map { value in
            var message = KafkaProducer.Message(topic: "spans", value: value)
            message.partition = partition
            message.timestampMilliseconds = 1_700_000_000_000
            return message
        }
        #expect(try send(messages, to: cluster.bootstrapServers).count == values.count)
    }

    /// All records that are there, until the end of the partition.
    private func readAll(
        _ source: any SpanSource, from start: Int64, atLeast count: Int = 0
    ) throws -> [(offset: Int64, bytes: [UInt8])] {
        var found: [(offset: Int64, bytes: [UInt8])] = []
        #expect(
            try eventually {
                let next = found.last.map { $0.offset + 1 } ?? start
                let batch = try source.read(from: next, limitBytes: 1 << 20)
                for entry in batch.entries { found.append((entry.record.offset, Array(batch.bytes[entry.body]))) }
                if case .end = source.reach(at: found.last.map { $0.offset + 1 } ?? start) {
                    return found.count >= count
                }
                return false
            })
        return found
    }

    @Test func `a partition is read from where it is begun, to its end`() throws {
        try cluster.createTopic("spans", partitions: 1)
        try write((0..<10).map { [0x0A, 0x00, 0x0A, 0x00, 0x0A, 0x00] + [UInt8](repeating: 0, count: $0) })
        let owner = Owner()
        let group = group()
        try group.start(owner)
        defer { group.stop() }
        #expect(eventually { owner.sources.count == 1 })
        let source = try #require(owner.sources.first)
        #expect(source.siblingCount == 1)
        #expect(source.id.source.topic.hasPrefix("kafka:") && source.id.source.topic.hasSuffix("/spans"))
        try source.confirm()
        #expect(try source.prepare() == SourceStart(bounds: SourceBounds(start: 0, end: 10)))
        let anchor = try #require(try source.record(at: 3))
        #expect(anchor.offset == 3 && anchor.timestampMilliseconds == 1_700_000_000_000)
        #expect(try source.record(at: 3) == anchor)
        try source.begin(at: 4)
        #expect(try readAll(source, from: 4).map(\.offset) == Array(4..<10))
        // What comes later is read from there on.
        try write([[0x0A, 0x00]])
        #expect(try readAll(source, from: 10, atLeast: 1).map(\.offset) == [10])
    }

    @Test func `offsets are remembered with their stamp and found by the next owner`() throws {
        try cluster.createTopic("spans", partitions: 1)
        try write([[0x0A, 0x00], [0x0A, 0x00]])
        let stamp = GroupStamp(tableUUID: "t", generation: 1, epoch: 2, sequence: 3, settled: 2)
        do {
            let owner = Owner()
            let group = group()
            try group.start(owner)
            defer { group.stop() }
            #expect(eventually { owner.sources.count == 1 })
            group.remember([owner.sources[0].id: GroupOffset(offset: 1, stamp: stamp)])
        }
        let owner = Owner()
        let group = group()
        try group.start(owner)
        defer { group.stop() }
        #expect(eventually { owner.sources.count == 1 })
        let source = try #require(owner.sources.first)
        try source.confirm()
        #expect(try source.prepare().group == GroupOffset(offset: 1, stamp: stamp))
    }

    @Test func `a second member gets its share, and the first is asked for it`() throws {
        try cluster.createTopic("spans", partitions: 4)
        let (owner, other) = (Owner(), Owner())
        let first = group()
        try first.start(owner)
        #expect(eventually { owner.sources.count == 4 })
        let kept = owner.sources
        let second = group()
        try second.start(other)
        #expect(eventually { owner.sources.count == 2 && other.sources.count == 2 })
        #expect(owner.revokedCount == 2)
        #expect(kept.filter(\.isAssigned).count == 2)
        #expect(Set(owner.sources.map(\.id)).isDisjoint(with: other.sources.map(\.id)))
        second.stop()
        #expect(eventually { owner.sources.count == 4 })
        first.stop()
        #expect(owner.sources.isEmpty)
    }

    @Test func `bare resource spans and JSON come out as requests, garbage as it is`() throws {
        try cluster.createTopic("spans", partitions: 1)
        let json = #" {"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}"#
        // ResourceSpans with one scope (field 2), and with a schema URL (field 3) only.
        let bare: [UInt8] = [0x12, 0x04, 0x12, 0x02, 0x2A, 0x00]
        let schema: [UInt8] = [0x1A, 0x01, 0x61]
        let request: [UInt8] = [0x0A, 0x06] + bare
        try write([request, bare, schema, Array(json.utf8), Array("{nonsense".utf8), [0xFF, 0xFF], []])
        let owner = Owner()
        let group = group()
        try group.start(owner)
        defer { group.stop() }
        #expect(eventually { owner.sources.count == 1 })
        let source = try #require(owner.sources.first)
        try source.begin(at: 0)
        let bytes = try readAll(source, from: 0).map(\.bytes)
        #expect(bytes.count == 7)
        #expect(bytes[0] == request && bytes[1] == request)
        #expect(bytes[2] == [0x0A, 0x03] + schema)
        #expect(bytes[3] == [0x0A, 0x07, 0x12, 0x05, 0x12, 0x03, 0x2A, 0x01, 0x61])
        #expect(bytes[4] == Array("{nonsense".utf8) && bytes[5] == [0xFF, 0xFF] && bytes[6] == [])
    }

    @Test func `health says that nobody answers, and that somebody does again`() throws {
        try cluster.createTopic("spans", partitions: 1)
        try write([[0x0A, 0x00]])
        let owner = Owner()
        let group = group()
        try group.start(owner)
        defer { group.stop() }
        #expect(eventually { owner.sources.count == 1 && group.status.hasJoined && group.status.error == nil })
        try cluster.setBroker(1, isUp: false)
        #expect(eventually { group.status.error != nil })
        try cluster.setBroker(1, isUp: true)
        let source = try #require(owner.sources.first)
        #expect(eventually { (try? source.begin(at: 0)) != nil })
        #expect(try eventually { try !source.read(from: 0, limitBytes: 1).entries.isEmpty })
        #expect(group.status.error == nil)
    }
}
