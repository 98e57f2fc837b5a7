import RDKafka
import Synchronization
import Testing
import Threads

/// A member of a group whose partitions go to one queue, as soon as they are assigned.
final class Member: Sendable {
    let consumer: KafkaConsumer
    let queue: KafkaQueue
    private let seen: Lock<[KafkaRebalance]>
    private let isPolling = Lock(true)
    private let thread: NamedThread

    init(
        _ servers: String, group: String, topics: [String], start: KafkaOffset = .beginning,
        settings: [String: String] = [:]
    ) throws {
        var configuration = KafkaConfiguration([
            "bootstrap.servers": servers, "group.id": group, "enable.auto.commit": "false",
            "enable.auto.offset.store": "false", "enable.partition.eof": "true", "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "200", "topic.metadata.refresh.interval.ms": "500",
        ])
        for (name, value) in settings { configuration[name] = value }
        let seen = Lock<[KafkaRebalance]>([])
        let box = Lock<(KafkaConsumer, KafkaQueue)?>(nil)
        let consumer = try KafkaConsumer(configuration) { rebalance in
            seen.withLock { $0.append(rebalance) }
            guard let (consumer, queue) = box.withLock({ $0 }) else { return }
            switch rebalance {
            case .assigned(let partitions):
                try? consumer.assign(partitions, at: start)
                for partition in partitions { try? consumer.forward(partition, to: queue) }
            case .revoked(let partitions, _): try? consumer.unassign(partitions)
            case .failed: break
            }
        }
        let queue = consumer.makeQueue()
        box.withLock { $0 = (consumer, queue) }
        try consumer.subscribe(topics)
        self.consumer = consumer
        self.queue = queue
        self.seen = seen
        let isPolling = isPolling
        thread = try NamedThread.start(name: "member") {
            while isPolling.withLock({ $0 }) { _ = consumer.poll(within: .milliseconds(50)) }
            consumer.close()
            // The listener's way to the consumer ends here, and with it their mutual hold.
            box.withLock { $0 = nil }
        }
    }

    var rebalances: [KafkaRebalance] { seen.withLock { $0 } }

    func close() {
        isPolling.withLock { $0 = false }
        thread.join()
    }

    /// Values of the next messages, with their places.
    func take(_ count: Int, within limit: Duration = .seconds(60)) -> [(partition: Int32, offset: Int64, text: String)]
    {
        var found: [(partition: Int32, offset: Int64, text: String)] = []
        var batch = KafkaBatch(capacity: 64)
        let deadline = MonotonicInstant.now + limit
        while found.count < count, .now < deadline {
            queue.take(into: &batch, within: .milliseconds(100))
            for index in 0..<batch.count where batch[index].error == nil {
                let text = batch.withValue(at: index) { bytes in
                    bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                }
                found.append((batch[index].partition, batch[index].offset, text))
            }
            batch.removeAll()
        }
        return found
    }
}

/// Sends and waits until every message is there.
func send(_ messages: [KafkaProducer.Message], to servers: String, settings: [String: String] = [:]) throws
    -> [KafkaDelivery]
{
    var configuration = KafkaConfiguration(["bootstrap.servers": servers, "message.timeout.ms": "60000"])
    for (name, value) in settings { configuration[name] = value }
    let deliveries = Lock<[KafkaDelivery]>([])
    let producer = try KafkaProducer(configuration) { delivery in deliveries.withLock { $0.append(delivery) } }
    for (number, message) in messages.enumerated() { try producer.send(message, token: UInt(number)) }
    #expect(producer.flush(within: .seconds(60)))
    return deliveries.withLock { $0 }
}

/// Waits for something that another thread or the cluster does.
func eventually(within limit: Duration = .seconds(60), _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = MonotonicInstant.now + limit
    let pause = Wakeup()
    while try !condition() {
        guard .now < deadline else { return false }
        pause.sleep(.milliseconds(20))
    }
    return true
}
