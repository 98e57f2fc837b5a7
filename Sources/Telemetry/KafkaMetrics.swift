internal import Threads

/// What comes from Kafka and what the group stands at.
public final class KafkaMetrics: Sendable {
    public let messagesReceived: CountersByName
    public let messagesProcessed: CountersByName
    public let errors: Counter
    public let redelivered: Counter
    public let rebalances: Counter
    public let assignedPartitions: Gauge
    private let partitions = Lock<[Partition: Standing]>([:])

    private struct Partition: Hashable {
        var topic: String
        var number: Int32
    }

    private struct Standing {
        var lag: Int?
        var uncommitted: Int?
    }

    init(_ declare: inout MetricDeclarations) {
        messagesReceived = declare.countersByName(
            "kafka_messages_received_total", by: "topic", "Messages fetched from the brokers.")
        messagesProcessed = declare.countersByName(
            "kafka_messages_processed_total", by: "topic", "Messages handed to their shard.")
        errors = declare.counter("kafka_errors_total", "Errors that the Kafka client reported.")
        redelivered = declare.counter(
            "kafka_redelivered_total", "Messages that came again below the place already reached, and were skipped.")
        rebalances = declare.counter("kafka_rebalances_total", "Changes of the partitions that this instance owns.")
        assignedPartitions = declare.gauge("kafka_assigned_partitions_current", "Partitions owned now.")
        let partitions = partitions
        declare.byPartition("kafka_consumer_lag", "Messages behind the next one to read, up to the log's end.") {
            Self.samples(partitions, \.lag)
        }
        declare.byPartition(
            "kafka_uncommitted_messages", "Messages read and not committed: what a crash would read again."
        ) { Self.samples(partitions, \.uncommitted) }
    }

    private static func samples(
        _ partitions: Lock<[Partition: Standing]>, _ value: KeyPath<Standing, Int?>
    ) -> [(topic: String, partition: Int32, value: Int)] {
        let standings = partitions.withLock { $0 }
        return standings.compactMap { partition, standing in
            standing[keyPath: value].map { (partition.topic, partition.number, $0) }
        }.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }

    /// What an owned partition stands at.
    public func show(topic: String, partition: Int32, lag: Int?, uncommitted: Int?) {
        partitions.withLock {
            $0[Partition(topic: topic, number: partition)] = Standing(lag: lag, uncommitted: uncommitted)
        }
    }

    /// The partition is somebody else's now: its series end here.
    public func remove(topic: String, partition: Int32) {
        partitions.withLock { $0[Partition(topic: topic, number: partition)] = nil }
    }
}

extension MetricDeclarations {
    fileprivate mutating func byPartition(
        _ name: String, _ help: String,
        _ read: @escaping @Sendable () -> [(topic: String, partition: Int32, value: Int)]
    ) {
        add(name, .gauge, help, [("topic", nil), ("partition", nil)]) {
            read().map { entry in
                MetricSample(
                    labels: [("topic", entry.topic), ("partition", "\(entry.partition)")], value: .integer(entry.value))
            }
        }
    }
}
