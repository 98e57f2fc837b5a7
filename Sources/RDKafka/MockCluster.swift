import CLibrdkafka
import Threads

/// librdkafka's imitation of a cluster, inside this process: for the demo and for tests that need no broker.
///
/// It keeps less than 5 MB of a partition and forgets the oldest.
public final class MockCluster: @unchecked Sendable {
    private let handle: KafkaHandle
    private let pointer: OpaquePointer

    public init(brokers: Int = 1) throws(KafkaError) {
        handle = try KafkaHandle(RD_KAFKA_PRODUCER, KafkaConfiguration(), KafkaContext(KafkaListener()))
        guard let pointer = rd_kafka_mock_cluster_new(handle.pointer, Int32(brokers)) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__FAIL, "mock cluster")
        }
        self.pointer = pointer
        // A real coordinator waits 3 s for more members of a new group; nobody else comes here.
        rd_kafka_mock_group_initial_rebalance_delay_ms(pointer, 0)
    }

    /// Ends the brokers; clients see them go away.
    deinit { rd_kafka_mock_cluster_destroy(pointer) }

    /// For `bootstrap.servers`.
    public var bootstrapServers: String { String(cString: rd_kafka_mock_cluster_bootstraps(pointer)) }

    public func createTopic(_ name: String, partitions: Int, replicas: Int = 1) throws(KafkaError) {
        try check(rd_kafka_mock_topic_create(pointer, name, Int32(partitions), Int32(replicas)), "topic \(name)")
    }

    /// Numbers start at 1. A broker that is down answers nothing.
    public func setBroker(_ number: Int, isUp: Bool) throws(KafkaError) {
        let code =
            isUp
            ? rd_kafka_mock_broker_set_up(pointer, Int32(number))
            : rd_kafka_mock_broker_set_down(pointer, Int32(number))
        try check(code, "broker \(number)")
    }

    /// Delays every answer of a broker.
    public func setRoundTrip(_ delay: Duration, ofBroker number: Int) throws(KafkaError) {
        try check(
            rd_kafka_mock_broker_set_rtt(pointer, Int32(number), KafkaHandle.milliseconds(delay)),
            "round trip of broker \(number)")
    }

    /// The next requests with this API key are answered by these errors, one each.
    public func failNext(apiKey: Int16, with codes: [KafkaError.Code]) {
        var errors = codes.map { rd_kafka_resp_err_t($0.value) }
        rd_kafka_mock_push_request_errors_array(pointer, apiKey, errors.count, &errors)
    }

    private func check(_ code: rd_kafka_resp_err_t, _ operation: String) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, operation) }
    }
}
