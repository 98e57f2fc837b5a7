import CLibrdkafka
import Threads

// Administration: each call asks on a queue of its own and waits for the one answer.
extension KafkaHandle {
    /// The id that the topic got when it was made: another one of the same name has another.
    ///
    /// - Returns: Base64 of 16 bytes; nil when there is no such topic, or the broker (before 2.8) knows no ids.
    func topicID(of topic: String, within limit: Duration) throws(KafkaError) -> String? {
        let names = topic.withCString { name in
            var list: [UnsafePointer<CChar>?] = [name]
            return rd_kafka_TopicCollection_of_topic_names(&list, 1)
        }
        guard let names else { throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "topic \(topic)") }
        defer { rd_kafka_TopicCollection_destroy(names) }
        return try ask("description of \(topic)", limit) { options, queue in
            rd_kafka_DescribeTopics(self.pointer, names, options, queue)
        } answer: { event throws(KafkaError) in
            var count = 0
            guard let result = rd_kafka_event_DescribeTopics_result(event),
                let topics = rd_kafka_DescribeTopics_result_topics(result, &count), count > 0, let first = topics[0]
            else { return nil }
            if let error = rd_kafka_TopicDescription_error(first) {
                let code = rd_kafka_error_code(error)
                if code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
                if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, "description of \(topic)") }
            }
            guard let id = rd_kafka_TopicDescription_topic_id(first), let text = rd_kafka_Uuid_base64str(id) else {
                return nil
            }
            let words = String(cString: text)
            return words == Self.noTopicID ? nil : words
        }
    }

    /// Sixteen zero bytes: a broker that knows no ids.
    private static var noTopicID: String { "AAAAAAAAAAAAAAAAAAAAAA" }

    func createTopic(
        _ name: String, partitions: Int, replicas: Int, settings: [String: String], within limit: Duration
    ) throws(KafkaError) -> Bool {
        var text = [CChar](repeating: 0, count: 512)
        let topic = rd_kafka_NewTopic_new(
            name, Int32(clamping: partitions), Int32(clamping: replicas), &text, text.count)
        guard let topic else {
            throw KafkaError(code: .invalidConfiguration, message: "topic \(name): \(words(text))")
        }
        defer { rd_kafka_NewTopic_destroy(topic) }
        for (key, value) in settings { rd_kafka_NewTopic_set_config(topic, key, value) }
        return try ask("creation of \(name)", limit) { options, queue in
            var list: [OpaquePointer?] = [topic]
            rd_kafka_CreateTopics(self.pointer, &list, 1, options, queue)
        } answer: { event throws(KafkaError) in
            var count = 0
            let results = rd_kafka_event_CreateTopics_result(event).flatMap {
                rd_kafka_CreateTopics_result_topics($0, &count)
            }
            return try Self.outcome(results, count, "creation of \(name)", good: RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        }
    }

    func deleteTopic(_ name: String, within limit: Duration) throws(KafkaError) {
        let topic = rd_kafka_DeleteTopic_new(name)
        defer { rd_kafka_DeleteTopic_destroy(topic) }
        _ = try ask("deletion of \(name)", limit) { options, queue in
            var list: [OpaquePointer?] = [topic]
            rd_kafka_DeleteTopics(self.pointer, &list, 1, options, queue)
        } answer: { event throws(KafkaError) in
            var count = 0
            let results = rd_kafka_event_DeleteTopics_result(event).flatMap {
                rd_kafka_DeleteTopics_result_topics($0, &count)
            }
            return try Self.outcome(
                results, count, "deletion of \(name)", good: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        }
    }

    /// True when it was done, false when it had been done before.
    private static func outcome(
        _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ operation: String,
        good: rd_kafka_resp_err_t
    ) throws(KafkaError) -> Bool {
        guard let results, count > 0, let first = results[0] else {
            throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, operation)
        }
        let code = rd_kafka_topic_result_error(first)
        if code == good { return false }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let words = rd_kafka_topic_result_error_string(first).map { String(cString: $0) } ?? ""
            throw KafkaError(code: KafkaError.Code(code.rawValue), message: "\(operation): \(words)")
        }
        return true
    }

    private func ask<Answer>(
        _ operation: String, _ limit: Duration, _ request: (OpaquePointer?, OpaquePointer) -> Void,
        answer: (OpaquePointer) throws(KafkaError) -> Answer
    ) throws(KafkaError) -> Answer {
        let queue = rd_kafka_queue_new(pointer)!
        defer { rd_kafka_queue_destroy(queue) }
        let options = rd_kafka_AdminOptions_new(pointer, RD_KAFKA_ADMIN_OP_ANY)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 512)
        rd_kafka_AdminOptions_set_request_timeout(options, Self.milliseconds(limit), &text, text.count)
        request(options, queue)
        // The request's own time-out comes first; this only keeps a lost answer from blocking for ever.
        guard let event = rd_kafka_queue_poll(queue, Self.milliseconds(limit + .seconds(5))) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, operation)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let words = rd_kafka_event_error_string(event).map { String(cString: $0) } ?? ""
            throw KafkaError(code: KafkaError.Code(code.rawValue), message: "\(operation): \(words)")
        }
        return try answer(event)
    }
}
