import CLibrdkafka
import Glibc

/// A partition of a topic.
public struct KafkaPartition: Hashable, Sendable, CustomStringConvertible {
    public var topic: String
    public var number: Int32

    public init(topic: String, number: Int32) {
        self.topic = topic
        self.number = number
    }

    public var description: String { "\(topic)/\(number)" }
}

/// A place in a partition.
public enum KafkaOffset: Hashable, Sendable {
    case at(Int64)
    /// Of the oldest message that is there.
    case beginning
    /// Behind the newest message.
    case end

    var value: Int64 {
        switch self {
        case .at(let offset): offset
        case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .end: Int64(RD_KAFKA_OFFSET_END)
        }
    }
}

/// What a group committed for a partition.
public struct KafkaCommit: Hashable, Sendable {
    public var partition: KafkaPartition
    /// Of the next message to read.
    public var offset: Int64
    /// What the committer wrote beside it; any bytes, empty when there are none.
    public var metadata: String

    public init(partition: KafkaPartition, offset: Int64, metadata: String = "") {
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
    }
}

extension KafkaCommit {
    /// What the coordinator said of a commit; the first refusal speaks for all.
    static func result(
        _ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> Result<[KafkaCommit], KafkaError> {
        let entries = PartitionList.entries(list)
        let errors = [code] + entries.map(\.error)
        if let error = errors.first(where: { $0 != RD_KAFKA_RESP_ERR_NO_ERROR }) {
            return .failure(KafkaError(error, "commit"))
        }
        return .success(
            entries.map { KafkaCommit(partition: $0.partition, offset: $0.offset, metadata: $0.metadata) })
    }
}

/// Offsets of a partition's messages: `low` ..< `high`.
public struct KafkaWatermarks: Hashable, Sendable {
    public var low: Int64
    public var high: Int64

    public init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}

/// librdkafka's list of partitions, freed with this value.
struct PartitionList: ~Copyable {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(capacity: Int) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: capacity))
    }

    init(_ partitions: [KafkaPartition], at offset: KafkaOffset? = nil) {
        self.init(capacity: partitions.count)
        for partition in partitions { add(partition, offset: offset?.value) }
    }

    init(_ positions: [KafkaPartition: KafkaOffset]) {
        self.init(capacity: positions.count)
        for (partition, offset) in positions { add(partition, offset: offset.value) }
    }

    init(_ commits: [KafkaCommit]) {
        self.init(capacity: commits.count)
        for commit in commits {
            let entry = add(commit.partition, offset: commit.offset)
            guard !commit.metadata.isEmpty else { continue }
            // Freed with the list by librdkafka, which allocates with malloc.
            entry.pointee.metadata = UnsafeMutableRawPointer(strdup(commit.metadata))
            entry.pointee.metadata_size = commit.metadata.utf8.count
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    @discardableResult
    private func add(
        _ partition: KafkaPartition, offset: Int64?
    ) -> UnsafeMutablePointer<rd_kafka_topic_partition_t> {
        let entry = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.number)!
        if let offset { entry.pointee.offset = offset }
        return entry
    }

    var entries: [KafkaListEntry] { Self.entries(pointer) }

    static func entries(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [KafkaListEntry] {
        guard let list, let first = list.pointee.elems else { return [] }
        return (0..<Int(list.pointee.cnt)).map { KafkaListEntry(first[$0]) }
    }
}

/// One line of such a list, copied out.
struct KafkaListEntry {
    var partition: KafkaPartition
    /// Negative when there is none.
    var offset: Int64
    var metadata: String
    var error: rd_kafka_resp_err_t

    init(_ entry: rd_kafka_topic_partition_t) {
        partition = KafkaPartition(topic: String(cString: entry.topic), number: entry.partition)
        offset = entry.offset
        error = entry.err
        metadata = ""
        if let bytes = entry.metadata, entry.metadata_size > 0 {
            metadata = String(
                decoding: UnsafeRawBufferPointer(start: bytes, count: entry.metadata_size), as: UTF8.self)
        }
    }
}
