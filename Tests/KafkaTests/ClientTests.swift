import RDKafka
import Testing
import Threads

/// The client over librdkafka's mock cluster: no broker is needed.
struct ClientTests {
    @Test func `the linked library keeps its place in rebalances`() {
        #expect(KafkaLibrary.problem == nil)
        #expect(KafkaLibrary.version.hasPrefix("2.16"))
    }

    @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"])
    func `messages come back as they were sent, whatever the codec`(codec: String) throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 2)
        var message = KafkaProducer.Message(topic: "spans", key: Array("key".utf8), value: Array("value".utf8))
        message.partition = 1
        message.headers = [KafkaHeader("origin", "a"), KafkaHeader("origin", "b"), KafkaHeader("empty", [])]
        message.timestampMilliseconds = 1_700_000_000_123
        let sent = try send([message], to: cluster.bootstrapServers, settings: ["compression.codec": codec])
        let delivery = try #require(sent.first)
        #expect(delivery.token == 0)
        #expect(try delivery.result.get() == KafkaDelivery.Place(partition: 1, offset: 0))

        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        defer { member.close() }
        var batch = KafkaBatch(capacity: 8)
        var found = 0
        let deadline = MonotonicInstant.now + .seconds(60)
        while found == 0, .now < deadline {
            member.queue.take(into: &batch, within: .milliseconds(200))
            for index in 0..<batch.count where batch[index].error == nil {
                found += 1
                #expect(batch[index].topic == "spans")
                #expect(batch[index].partition == 1 && batch[index].offset == 0)
                #expect(batch[index].timestampMilliseconds == 1_700_000_000_123)
                #expect(!batch[index].isAppendTime)
                #expect(batch.key(at: index) == Array("key".utf8))
                #expect(batch.headers(at: index) == message.headers)
                let value = batch.withValue(at: index) { $0.withUnsafeBytes { [UInt8]($0) } }
                #expect(value == message.value)
            }
            batch.removeAll()
        }
        #expect(found == 1)
    }

    @Test func `a tombstone has no value and no key`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 1)
        _ = try send([KafkaProducer.Message(topic: "spans", value: [])], to: cluster.bootstrapServers)
        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        defer { member.close() }
        #expect(member.take(1).map(\.text) == [""])
    }

    @Test func `a paused start reads nothing, then exactly from the offset that is sought`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 1)
        let messages = (0..<20).map { KafkaProducer.Message(topic: "spans", value: Array("\($0)".utf8)) }
        _ = try send(messages, to: cluster.bootstrapServers)
        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"], start: .end)
        defer { member.close() }
        #expect(eventually { !member.consumer.assignment.isEmpty })
        let partition = KafkaPartition(topic: "spans", number: 0)
        try member.consumer.pause([partition])
        try member.consumer.seek([partition: .at(7)], within: .seconds(5))
        try member.consumer.resume([partition])
        #expect(member.take(13).map(\.offset) == Array(7..<20))
    }

    @Test func `a commit carries its metadata, and partitions without one are left out`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 2)
        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        defer { member.close() }
        #expect(eventually { member.consumer.assignment.count == 2 })
        let partitions = [0, 1].map { KafkaPartition(topic: "spans", number: $0) }
        let commit = KafkaCommit(partition: partitions[0], offset: 42, metadata: "tss1 a b 3 4 5")
        try member.consumer.commit([commit])
        #expect(try member.consumer.committed(partitions, within: .seconds(5)) == [commit])
    }

    @Test func `a refused commit says why`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 1)
        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        defer { member.close() }
        #expect(eventually { !member.consumer.assignment.isEmpty })
        // OffsetCommit
        cluster.failNext(apiKey: 8, with: [.illegalGeneration])
        let partition = KafkaPartition(topic: "spans", number: 0)
        let error = #expect(throws: KafkaError.self) {
            try member.consumer.commit([KafkaCommit(partition: partition, offset: 1)])
        }
        #expect(error?.code == .illegalGeneration)
    }

    @Test func `two members share the partitions, and one that leaves gives its own back`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 4)
        let first = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        #expect(eventually { first.consumer.assignment.count == 4 })
        let second = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        #expect(eventually { first.consumer.assignment.count == 2 && second.consumer.assignment.count == 2 })
        #expect(Set(first.consumer.assignment).isDisjoint(with: second.consumer.assignment))
        // Cooperative: what stays is never taken away meanwhile.
        let revoked = first.rebalances.compactMap { rebalance in
            if case .revoked(let partitions, let isLost) = rebalance { return isLost ? nil : partitions.count }
            return nil
        }
        #expect(revoked == [2])
        second.close()
        #expect(eventually { first.consumer.assignment.count == 4 })
        first.close()
    }

    @Test func `a missing topic has no partitions, and offsets are asked of the leader`() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("spans", partitions: 3)
        _ = try send(
            (0..<5).map { _ in
                var message = KafkaProducer.Message(topic: "spans", value: [1])
                message.partition = 2
                return message
            }, to: cluster.bootstrapServers)
        let producer = try KafkaProducer(KafkaConfiguration(["bootstrap.servers": cluster.bootstrapServers])) { _ in }
        #expect(try producer.partitionCount(of: "spans", within: .seconds(10)) == 3)
        #expect(producer.clusterID(within: .seconds(10)) != nil)
        let member = try Member(cluster.bootstrapServers, group: "g", topics: ["spans"])
        defer { member.close() }
        let marks = try member.consumer.watermarks(
            of: KafkaPartition(topic: "spans", number: 2), within: .seconds(10))
        #expect(marks == KafkaWatermarks(low: 0, high: 5))
    }

    @Test func `a message that nobody takes is reported as not delivered`() throws {
        let deliveries = Lock<[KafkaDelivery]>([])
        // Nothing listens on the discard port here.
        let configuration = KafkaConfiguration(["bootstrap.servers": "127.0.0.1:9", "message.timeout.ms": "300"])
        let producer = try KafkaProducer(configuration) { delivery in deliveries.withLock { $0.append(delivery) } }
        try producer.send(KafkaProducer.Message(topic: "spans", value: [1]), token: 7)
        producer.flush(within: .seconds(60))
        let delivery = try #require(deliveries.withLock { $0.first })
        #expect(delivery.token == 7)
        #expect(throws: KafkaError.self) { try delivery.result.get() }
    }

    @Test func `wrong properties are named, and a secret is not repeated`() {
        #expect(KafkaConfiguration.problem(with: "compression.codec", "lz4") == nil)
        #expect(KafkaConfiguration.problem(with: "compression.codec", "rar")?.contains("compression.codec") == true)
        #expect(KafkaConfiguration.problem(with: "no.such.property", "1") != nil)
        let configuration = KafkaConfiguration(["sasl.password": "hidden", "client.id": "shown"])
        #expect(configuration.redacted == ["sasl.password": "***", "client.id": "shown"])
        let error = #expect(throws: KafkaError.self) {
            try KafkaProducer(KafkaConfiguration(["no.such.property": "1"])) { _ in }
        }
        #expect(error?.code == .invalidConfiguration)
    }
}
