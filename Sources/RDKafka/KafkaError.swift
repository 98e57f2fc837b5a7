import CLibrdkafka

/// Why an operation failed, in librdkafka's words and the broker's.
public struct KafkaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which error; an open set: new brokers send new ones.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// `rd_kafka_resp_err_t`: the client's own errors are negative, the broker's positive.
        public var value: Int32

        public init(_ value: Int32) {
            self.value = value
        }

        init(_ error: rd_kafka_resp_err_t) {
            value = error.rawValue
        }

        /// As the protocol names it: `UNKNOWN_TOPIC_OR_PART`, `_TRANSPORT`.
        public var description: String { String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(value))) }
    }

    public var code: Code
    public var message: String
    /// The client is of no further use.
    public var isFatal: Bool
    /// The same call may succeed later.
    public var isRetriable: Bool

    public init(code: Code, message: String, isFatal: Bool = false, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isFatal = isFatal
        self.isRetriable = isRetriable
    }

    init(_ error: rd_kafka_resp_err_t, _ operation: String) {
        self.init(code: Code(error), message: "\(operation): \(String(cString: rd_kafka_err2str(error)))")
    }

    /// Takes the error over and frees it.
    init(_ error: OpaquePointer, _ operation: String) {
        self.init(
            code: Code(rd_kafka_error_code(error)),
            message: "\(operation): \(String(cString: rd_kafka_error_string(error)))",
            isFatal: rd_kafka_error_is_fatal(error) != 0, isRetriable: rd_kafka_error_is_retriable(error) != 0)
        rd_kafka_error_destroy(error)
    }

    public var description: String { "\(message) (\(code))" }
}

extension KafkaError.Code {
    // The client's own.
    /// A wrong property, or a wrong value of one.
    public static let invalidConfiguration = Self(RD_KAFKA_RESP_ERR__INVALID_ARG)
    /// The end of a partition was reached.
    public static let partitionEnd = Self(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    public static let transport = Self(RD_KAFKA_RESP_ERR__TRANSPORT)
    public static let allBrokersDown = Self(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    public static let resolve = Self(RD_KAFKA_RESP_ERR__RESOLVE)
    public static let authentication = Self(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    public static let tls = Self(RD_KAFKA_RESP_ERR__SSL)
    public static let timedOut = Self(RD_KAFKA_RESP_ERR__TIMED_OUT)
    public static let messageTimedOut = Self(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    public static let queueFull = Self(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    public static let fatal = Self(RD_KAFKA_RESP_ERR__FATAL)
    /// Another process joined with the same `group.instance.id`.
    public static let fenced = Self(RD_KAFKA_RESP_ERR__FENCED)
    /// The committed offset, or where reading stood, is not in the log (`auto.offset.reset` is `error`).
    public static let offsetOutOfReach = Self(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
    public static let noOffset = Self(RD_KAFKA_RESP_ERR__NO_OFFSET)
    public static let assignmentLost = Self(RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST)
    public static let unknownPartition = Self(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    public static let unknownTopic = Self(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    public static let erroneousState = Self(RD_KAFKA_RESP_ERR__STATE)
    // The broker's.
    public static let unknownTopicOrPartition = Self(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    public static let topicExists = Self(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    public static let illegalGeneration = Self(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION)
    public static let unknownMember = Self(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
    public static let rebalanceInProgress = Self(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
    public static let fencedInstance = Self(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
    public static let coordinatorNotAvailable = Self(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    public static let coordinatorLoading = Self(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
    public static let notCoordinator = Self(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    public static let saslFailed = Self(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
    public static let topicForbidden = Self(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    public static let groupForbidden = Self(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    public static let messageTooLarge = Self(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
}

/// What a C function wrote into a buffer of ours.
func words(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
