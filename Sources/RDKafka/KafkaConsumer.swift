import CLibrdkafka
import Threads

/// A change of what this member of the group owns, told inside `KafkaConsumer.poll`.
///
/// With the cooperative protocol the listener answers each by `assign` or `unassign`; until then the group waits.
public enum KafkaRebalance: Sendable, Hashable {
    case assigned([KafkaPartition])
    /// `isLost`: others own them already, nothing may be committed for them.
    case revoked([KafkaPartition], isLost: Bool)
    /// The group is out of reach; whatever is owned stays owned.
    case failed(KafkaError)

    init(
        _ client: OpaquePointer, _ code: rd_kafka_resp_err_t,
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        let partitions = PartitionList.entries(list).map(\.partition)
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: self = .assigned(partitions)
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            self = .revoked(partitions, isLost: rd_kafka_assignment_lost(client) != 0)
        default: self = .failed(KafkaError(code, "rebalance"))
        }
    }
}

/// A member of a consumer group.
///
/// One thread calls `poll`, often: it serves rebalances and keeps the membership. Messages are not delivered there but
/// in the queues that partitions are forwarded to. Every other call may be made from any thread.
public final class KafkaConsumer: Sendable {
    private let handle: KafkaHandle

    /// - Parameters:
    ///   - committed: What came of a `commitSoon`; called inside `poll` and `close`.
    ///   - rebalance: Called inside `poll` and `close`.
    public init(
        _ configuration: KafkaConfiguration, listener: KafkaListener = KafkaListener(),
        committed: (@Sendable (Result<[KafkaCommit], KafkaError>) -> Void)? = nil,
        rebalance: @escaping @Sendable (KafkaRebalance) -> Void
    ) throws(KafkaError) {
        handle = try KafkaHandle(
            RD_KAFKA_CONSUMER, configuration, KafkaContext(listener, rebalance: rebalance, committed: committed))
        // All events of the group come through `poll`.
        rd_kafka_poll_set_consumer(handle.pointer)
    }

    // MARK: Membership

    /// Joins the group; the topics need not be there yet.
    public func subscribe(_ topics: [String]) throws(KafkaError) {
        let list = PartitionList(topics.map { KafkaPartition(topic: $0, number: RD_KAFKA_PARTITION_UA) })
        try check(rd_kafka_subscribe(handle.pointer, list.pointer), "subscribe")
    }

    /// Serves what has happened, at most one event; waits for it.
    ///
    /// - Returns: An error that came, nil otherwise. A message of a partition that is not forwarded is handed back as
    ///   `erroneousState`: the caller forgot to forward it, and its place is lost.
    public func poll(within limit: Duration) -> KafkaError? {
        guard let message = rd_kafka_consumer_poll(handle.pointer, KafkaHandle.milliseconds(limit)) else { return nil }
        defer { rd_kafka_message_destroy(message) }
        if let error = KafkaMessage(message).error { return error.code == .partitionEnd ? nil : error }
        return KafkaError(code: .erroneousState, message: "a message of a partition that has no queue")
    }

    /// Leaves the group (a static member stays in it); the rebalance listener is told to let go of everything.
    public func close() {
        rd_kafka_consumer_close(handle.pointer)
    }

    /// The id that the coordinator gave to this member; empty before.
    public var memberID: String {
        guard let text = rd_kafka_memberid(handle.pointer) else { return "" }
        defer { rd_kafka_mem_free(handle.pointer, text) }
        return String(cString: text)
    }

    /// What broke the client for good; nil while it works.
    public var fatalError: KafkaError? {
        var words = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(handle.pointer, &words, words.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(code: KafkaError.Code(code.rawValue), message: RDKafka.words(words), isFatal: true)
    }

    // MARK: Assignment

    /// Takes partitions up beside those already owned; reading starts at `offset`.
    public func assign(_ partitions: [KafkaPartition], at offset: KafkaOffset) throws(KafkaError) {
        let list = PartitionList(partitions, at: offset)
        if let error = rd_kafka_incremental_assign(handle.pointer, list.pointer) {
            throw KafkaError(error, "assign \(partitions)")
        }
    }

    /// Lets partitions go.
    public func unassign(_ partitions: [KafkaPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        if let error = rd_kafka_incremental_unassign(handle.pointer, list.pointer) {
            throw KafkaError(error, "unassign \(partitions)")
        }
    }

    public var assignment: [KafkaPartition] {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard rd_kafka_assignment(handle.pointer, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        return PartitionList.entries(list).map(\.partition)
    }

    /// Fetches nothing of these until `resume`; what is queued already is thrown away and fetched again.
    public func pause(_ partitions: [KafkaPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        try check(rd_kafka_pause_partitions(handle.pointer, list.pointer), "pause")
        try checkEach(list, "pause")
    }

    public func resume(_ partitions: [KafkaPartition]) throws(KafkaError) {
        let list = PartitionList(partitions)
        try check(rd_kafka_resume_partitions(handle.pointer, list.pointer), "resume")
        try checkEach(list, "resume")
    }

    /// Moves where owned partitions are read next.
    public func seek(_ positions: [KafkaPartition: KafkaOffset], within limit: Duration) throws(KafkaError) {
        let list = PartitionList(positions)
        if let error = rd_kafka_seek_partitions(handle.pointer, list.pointer, KafkaHandle.milliseconds(limit)) {
            throw KafkaError(error, "seek")
        }
        try checkEach(list, "seek")
    }

    /// A new queue of this client.
    public func makeQueue() -> KafkaQueue { KafkaQueue(handle) }

    /// Messages of an owned partition go to this queue from now on; nil sends them back to `poll`.
    public func forward(_ partition: KafkaPartition, to queue: KafkaQueue?) throws(KafkaError) {
        guard let source = rd_kafka_queue_get_partition(handle.pointer, partition.topic, partition.number) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "queue of \(partition)")
        }
        defer { rd_kafka_queue_destroy(source) }
        rd_kafka_queue_forward(source, queue?.pointer)
    }

    // MARK: Offsets

    /// What the group committed; partitions without an offset are left out.
    public func committed(
        _ partitions: [KafkaPartition], within limit: Duration
    ) throws(KafkaError) -> [KafkaCommit] {
        let list = PartitionList(partitions)
        try check(
            rd_kafka_committed(handle.pointer, list.pointer, KafkaHandle.milliseconds(limit)), "committed offsets")
        try checkEach(list, "committed offset")
        return list.entries.compactMap { entry in
            guard entry.offset >= 0 else { return nil }
            return KafkaCommit(partition: entry.partition, offset: entry.offset, metadata: entry.metadata)
        }
    }

    /// Commits and waits for the coordinator's answer.
    ///
    /// - Throws: What the coordinator said of the request, or of the first partition that it refused.
    public func commit(_ commits: [KafkaCommit]) throws(KafkaError) {
        let list = PartitionList(commits)
        try check(rd_kafka_commit(handle.pointer, list.pointer, 0), "commit")
        try checkEach(list, "commit")
    }

    /// Commits without waiting; the `committed` listener is told what came of it.
    public func commitSoon(_ commits: [KafkaCommit]) throws(KafkaError) {
        let list = PartitionList(commits)
        try check(rd_kafka_commit(handle.pointer, list.pointer, 1), "commit")
    }

    /// Asks the partition's leader which messages it has.
    public func watermarks(of partition: KafkaPartition, within limit: Duration) throws(KafkaError) -> KafkaWatermarks {
        try handle.watermarks(of: partition, within: limit)
    }

    /// As of the last fetch; nil before one.
    public func lastKnownWatermarks(of partition: KafkaPartition) -> KafkaWatermarks? {
        var marks = KafkaWatermarks(low: -1, high: -1)
        let code = rd_kafka_get_watermark_offsets(
            handle.pointer, partition.topic, partition.number, &marks.low, &marks.high)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, marks.high >= 0 else { return nil }
        return marks
    }

    /// The id that the brokers agreed on; nil when none has answered in time.
    public func clusterID(within limit: Duration) -> String? { handle.clusterID(within: limit) }

    /// The number of partitions of a topic; nil when there is no such topic.
    public func partitionCount(of topic: String, within limit: Duration) throws(KafkaError) -> Int? {
        try handle.partitionCount(of: topic, within: limit)
    }

    /// The id that the topic got when it was made; see `KafkaHandle.topicID`.
    public func topicID(of topic: String, within limit: Duration) throws(KafkaError) -> String? {
        try handle.topicID(of: topic, within: limit)
    }

    private func check(_ code: rd_kafka_resp_err_t, _ operation: String) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, operation) }
    }

    private func checkEach(_ list: borrowing PartitionList, _ operation: String) throws(KafkaError) {
        for entry in list.entries where entry.error != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError(entry.error, "\(operation) of \(entry.partition)")
        }
    }
}
