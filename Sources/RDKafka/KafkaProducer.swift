import CLibrdkafka
import Threads

/// What became of a message.
public struct KafkaDelivery: Sendable {
    /// As given to `send`.
    public var token: UInt
    public var result: Result<Place, KafkaError>

    public struct Place: Sendable, Hashable {
        public var partition: Int32
        public var offset: Int64

        public init(partition: Int32, offset: Int64) {
            self.partition = partition
            self.offset = offset
        }
    }

    init(_ message: rd_kafka_message_t) {
        token = UInt(bitPattern: message._private)
        if message.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            result = .success(Place(partition: message.partition, offset: message.offset))
        } else {
            result = .failure(KafkaError(message.err, "delivery"))
        }
    }
}

/// Sends messages.
///
/// Deliveries are reported inside `poll` and `flush`, on the thread that calls them.
public final class KafkaProducer: Sendable {
    private let handle: KafkaHandle

    public init(
        _ configuration: KafkaConfiguration, listener: KafkaListener = KafkaListener(),
        delivered: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        handle = try KafkaHandle(
            RD_KAFKA_PRODUCER, configuration, KafkaContext(listener, delivered: delivered))
    }

    /// A message to send.
    public struct Message: Sendable {
        public var topic: String
        /// Nil: the partitioner chooses by the key.
        public var partition: Int32?
        public var key: [UInt8] = []
        public var value: [UInt8]
        public var headers: [KafkaHeader] = []
        /// Milliseconds since 1970; nil: now.
        public var timestampMilliseconds: Int64?

        public init(topic: String, key: [UInt8] = [], value: [UInt8]) {
            self.topic = topic
            self.key = key
            self.value = value
        }
    }

    /// Queues a message; its bytes are copied.
    ///
    /// - Throws: `queueFull` when too many wait: `poll`, then try again.
    public func send(_ message: Message, token: UInt = 0) throws(KafkaError) {
        let headers = message.headers.isEmpty ? nil : rd_kafka_headers_new(message.headers.count)
        for header in message.headers {
            header.value.withUnsafeBytes { value in
                _ = rd_kafka_header_add(headers, header.name, -1, value.baseAddress, value.count)
            }
        }
        let failure = message.key.withUnsafeBytes { key in
            message.value.withUnsafeBytes { value in
                tss_kafka_produce(
                    handle.pointer, message.topic, message.partition ?? RD_KAFKA_PARTITION_UA, key.baseAddress,
                    key.count, value.baseAddress, value.count, message.timestampMilliseconds ?? 0, headers,
                    UnsafeMutableRawPointer(bitPattern: token))
            }
        }
        guard let failure else { return }
        if let headers { rd_kafka_headers_destroy(headers) }
        throw KafkaError(failure, "send to \(message.topic)")
    }

    /// Reports deliveries; waits for the first one.
    public func poll(within limit: Duration) {
        rd_kafka_poll(handle.pointer, KafkaHandle.milliseconds(limit))
    }

    /// Messages that are queued or under way.
    public var waitingCount: Int { Int(rd_kafka_outq_len(handle.pointer)) }

    /// Sends what waits and reports it.
    ///
    /// - Returns: False when the time is over first.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        rd_kafka_flush(handle.pointer, KafkaHandle.milliseconds(limit)) == RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Gives up what waits: each message is reported as not delivered.
    public func purge() {
        rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        rd_kafka_poll(handle.pointer, 0)
    }

    /// The id that the brokers agreed on; nil when none has answered in time.
    public func clusterID(within limit: Duration) -> String? { handle.clusterID(within: limit) }

    /// The number of partitions of a topic; nil when there is no such topic.
    public func partitionCount(of topic: String, within limit: Duration) throws(KafkaError) -> Int? {
        try handle.partitionCount(of: topic, within: limit)
    }

    /// Makes a topic; one that is there already is left as it is.
    ///
    /// - Returns: Whether it is new.
    @discardableResult
    public func createTopic(
        _ name: String, partitions: Int, replicas: Int = -1, settings: [String: String] = [:], within limit: Duration
    ) throws(KafkaError) -> Bool {
        try handle.createTopic(name, partitions: partitions, replicas: replicas, settings: settings, within: limit)
    }

    /// Deletes a topic.
    public func deleteTopic(_ name: String, within limit: Duration) throws(KafkaError) {
        try handle.deleteTopic(name, within: limit)
    }
}
