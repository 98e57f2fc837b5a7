public import Pipeline
public import RDKafka

/// How the topic is read.
public struct KafkaSourceOptions: Sendable {
    /// Properties of the client, the user's own among them; what the design owns is added by `consumerConfiguration`.
    public var client: KafkaConfiguration
    public var topic: String
    public var group: String
    public var reset = OffsetReset.earliest
    public var sessionTimeoutMilliseconds = 30_000
    /// Nil unless the operator named the instance: static membership keeps its partitions over a restart.
    public var instanceID: String?
    /// One call to the brokers; then the partition waits and the call is made again.
    public var callTimeout: Duration = .seconds(10)
    /// How long a rebalance waits for the last commit of the partitions that go.
    public var revokeTimeout: Duration = .seconds(5)
    /// Messages taken from librdkafka's queue at once.
    public var batchMessages = 256

    public init(client: KafkaConfiguration, topic: String, group: String) {
        self.client = client
        self.topic = topic
        self.group = group
    }

    /// Properties that the program decides, and the key to use instead.
    public static let owned: [String: String] = [
        "group.id": "kafka.consumer_group", "group.instance.id": "app.instance_id",
        "enable.auto.commit": "nothing: offsets are committed behind the table",
        "enable.auto.offset.store": "nothing: offsets are committed behind the table",
        "enable.partition.eof": "nothing: the end of a partition moves its clock",
        "partition.assignment.strategy": "nothing: cooperative-sticky keeps what stays",
        "auto.offset.reset": "kafka.auto_offset_reset",
    ]

    var consumerConfiguration: KafkaConfiguration {
        var configuration = client
        func fallback(_ name: String, _ value: String) {
            if configuration[name] == nil { configuration[name] = value }
        }
        configuration["group.id"] = group
        configuration["group.instance.id"] = instanceID
        configuration["enable.auto.commit"] = "false"
        configuration["enable.auto.offset.store"] = "false"
        configuration["enable.partition.eof"] = "true"
        configuration["partition.assignment.strategy"] = "cooperative-sticky"
        // Retention, a truncated log, another topic of this name: RECOVER decides, not the client.
        configuration["auto.offset.reset"] = "error"
        configuration["session.timeout.ms"] = "\(sessionTimeoutMilliseconds)"
        // Small fetches cost no CPU and keep what waits in memory small.
        fallback("fetch.max.bytes", "8388608")
        fallback("queued.max.messages.kbytes", "16384")
        fallback("fetch.wait.max.ms", "100")
        // An S3-backed broker answers its first metadata request slowly.
        fallback("socket.timeout.ms", "60000")
        fallback("client.id", "tail-sampling-selector")
        return configuration
    }
}
