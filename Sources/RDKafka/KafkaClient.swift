import CLibrdkafka
import Threads

/// A line of librdkafka's log.
public struct KafkaLogLine: Sendable, Hashable {
    /// As syslog counts: 0 emergency … 7 debug.
    public var level: Int32
    /// Which part speaks, such as `FAIL` or `GETPID`.
    public var facility: String
    public var message: String
}

/// What a client says without being asked; called on librdkafka's or the polling thread, must not block.
public struct KafkaListener: Sendable {
    public var log: @Sendable (KafkaLogLine) -> Void
    /// An error of no particular call: a broker that is away, an authentication that failed.
    public var error: @Sendable (KafkaError) -> Void

    public init(
        log: @escaping @Sendable (KafkaLogLine) -> Void = { _ in },
        error: @escaping @Sendable (KafkaError) -> Void = { _ in }
    ) {
        self.log = log
        self.error = error
    }
}

/// What librdkafka's callbacks find again: retained while the handle lives.
final class KafkaContext: Sendable {
    let listener: KafkaListener
    let rebalance: (@Sendable (KafkaRebalance) -> Void)?
    let delivered: (@Sendable (KafkaDelivery) -> Void)?
    let committed: (@Sendable (Result<[KafkaCommit], KafkaError>) -> Void)?

    init(
        _ listener: KafkaListener, rebalance: (@Sendable (KafkaRebalance) -> Void)? = nil,
        delivered: (@Sendable (KafkaDelivery) -> Void)? = nil,
        committed: (@Sendable (Result<[KafkaCommit], KafkaError>) -> Void)? = nil
    ) {
        self.listener = listener
        self.rebalance = rebalance
        self.delivered = delivered
        self.committed = committed
    }
}

/// One librdkafka handle and the calls that consumers, producers and administrators share.
///
/// librdkafka's functions may be called from any thread; who polls is the owner's business.
final class KafkaHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    private let context: Unmanaged<KafkaContext>

    init(_ type: rd_kafka_type_t, _ configuration: KafkaConfiguration, _ context: KafkaContext) throws(KafkaError) {
        let conf = try configuration.make()
        let retained = Unmanaged.passRetained(context)
        rd_kafka_conf_set_opaque(conf, retained.toOpaque())
        rd_kafka_conf_set_log_cb(conf) { client, level, facility, text in
            guard let client, let context = KafkaHandle.context(rd_kafka_opaque(client)) else { return }
            context.listener.log(
                KafkaLogLine(
                    level: level, facility: facility.map { String(cString: $0) } ?? "",
                    message: text.map { String(cString: $0) } ?? ""))
        }
        rd_kafka_conf_set_error_cb(conf) { client, code, text, opaque in
            guard let client, let context = KafkaHandle.context(opaque) else { return }
            context.listener.error(KafkaHandle.error(client, code, text))
        }
        if context.rebalance != nil {
            rd_kafka_conf_set_rebalance_cb(conf) { client, code, partitions, opaque in
                guard let client, let rebalance = KafkaHandle.context(opaque)?.rebalance else { return }
                rebalance(KafkaRebalance(client, code, partitions))
            }
        }
        if context.committed != nil {
            rd_kafka_conf_set_offset_commit_cb(conf) { _, code, offsets, opaque in
                guard let committed = KafkaHandle.context(opaque)?.committed else { return }
                committed(KafkaCommit.result(code, offsets))
            }
        }
        if context.delivered != nil {
            rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
                guard let message, let delivered = KafkaHandle.context(opaque)?.delivered else { return }
                delivered(KafkaDelivery(message.pointee))
            }
        }
        var text = [CChar](repeating: 0, count: 512)
        guard let pointer = rd_kafka_new(type, conf, &text, text.count) else {
            rd_kafka_conf_destroy(conf)
            retained.release()
            throw KafkaError(code: .invalidConfiguration, message: words(text))
        }
        self.pointer = pointer
        self.context = retained
    }

    /// Ends librdkafka's threads; a consumer was closed before.
    deinit {
        rd_kafka_destroy(pointer)
        context.release()
    }

    private static func context(_ opaque: UnsafeMutableRawPointer?) -> KafkaContext? {
        opaque.map { Unmanaged<KafkaContext>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A fatal error says `_FATAL` and nothing else: the cause is asked for.
    private static func error(_ client: OpaquePointer, _ code: Int32, _ text: UnsafePointer<CChar>?) -> KafkaError {
        let code = rd_kafka_resp_err_t(code)
        guard code == RD_KAFKA_RESP_ERR__FATAL else {
            let message = text.map { String(cString: $0) } ?? String(cString: rd_kafka_err2str(code))
            return KafkaError(code: KafkaError.Code(code.rawValue), message: message)
        }
        var words = [CChar](repeating: 0, count: 512)
        let cause = rd_kafka_fatal_error(client, &words, words.count)
        return KafkaError(
            code: KafkaError.Code(cause.rawValue), message: RDKafka.words(words), isFatal: true)
    }

    static func milliseconds(_ duration: Duration) -> Int32 { Int32(clamping: duration.wholeMilliseconds) }

    // MARK: Questions to the brokers

    /// The id that the brokers agreed on; nil when none has answered in time.
    func clusterID(within limit: Duration) -> String? {
        guard let text = rd_kafka_clusterid(pointer, Self.milliseconds(limit)) else { return nil }
        defer { rd_kafka_mem_free(pointer, text) }
        return String(cString: text)
    }

    /// The number of partitions of a topic; nil when there is no such topic.
    func partitionCount(of topic: String, within limit: Duration) throws(KafkaError) -> Int? {
        let handle = rd_kafka_topic_new(pointer, topic, nil)
        guard let handle else { throw KafkaError(rd_kafka_last_error(), "topic \(topic)") }
        defer { rd_kafka_topic_destroy(handle) }
        var found: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(pointer, 0, handle, &found, Self.milliseconds(limit))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let found else { throw KafkaError(code, "metadata of \(topic)") }
        defer { rd_kafka_metadata_destroy(found) }
        guard found.pointee.topic_cnt > 0, let first = found.pointee.topics?.pointee else { return nil }
        switch first.err {
        case RD_KAFKA_RESP_ERR_NO_ERROR: return Int(first.partition_cnt)
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC: return nil
        default: throw KafkaError(first.err, "metadata of \(topic)")
        }
    }

    /// Asks the partition's leader which messages it has.
    func watermarks(of partition: KafkaPartition, within limit: Duration) throws(KafkaError) -> KafkaWatermarks {
        var marks = KafkaWatermarks(low: 0, high: 0)
        let code = rd_kafka_query_watermark_offsets(
            pointer, partition.topic, partition.number, &marks.low, &marks.high, Self.milliseconds(limit))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code, "offsets of \(partition)") }
        return marks
    }
}
