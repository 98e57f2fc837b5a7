import CLibrdkafka
import Threads

/// A queue of messages that one thread takes from: partitions are forwarded to it.
public final class KafkaQueue: @unchecked Sendable {
    let pointer: OpaquePointer
    /// A queue must not outlive its client.
    private let handle: KafkaHandle
    private let listeners = Lock<[Listener]>([])

    init(_ handle: KafkaHandle) {
        self.handle = handle
        pointer = rd_kafka_queue_new(handle.pointer)
    }

    deinit {
        rd_kafka_queue_cb_event_enable(pointer, nil, nil)
        rd_kafka_queue_destroy(pointer)
    }

    /// Messages that wait here, errors and ends of partitions among them.
    public var count: Int { Int(rd_kafka_queue_length(pointer)) }

    /// Adds waiting messages, as many as there is room for; waits for the first one.
    ///
    /// - Returns: How many came.
    @discardableResult
    public func take(into batch: inout KafkaBatch, within limit: Duration) -> Int {
        batch.fill(from: pointer, milliseconds: KafkaHandle.milliseconds(limit))
    }

    /// Calls `signal` whenever the empty queue gets something; on librdkafka's threads, must not block.
    public func notify(_ signal: @escaping @Sendable () -> Void) {
        let new = Listener(signal)
        // An earlier one may be in a call just now: all of them live as long as the queue.
        listeners.withLock { $0.append(new) }
        let box = Unmanaged.passUnretained(new)
        rd_kafka_queue_cb_event_enable(
            pointer,
            { _, opaque in
                opaque.map { Unmanaged<Listener>.fromOpaque($0).takeUnretainedValue().signal() }
            }, box.toOpaque())
    }

    /// Keeps the closure where librdkafka finds it, as long as the queue lives.
    private final class Listener: Sendable {
        let signal: @Sendable () -> Void

        init(_ signal: @escaping @Sendable () -> Void) {
            self.signal = signal
        }
    }
}

/// Messages in librdkafka's memory, until they are let go. Used by one thread at a time.
public struct KafkaBatch: ~Copyable {
    /// Most messages in it.
    public let capacity: Int
    public private(set) var count = 0
    private let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>

    public init(capacity: Int) {
        precondition(capacity > 0, "a batch holds something")
        self.capacity = capacity
        messages = .allocate(capacity: capacity)
        messages.initialize(repeating: nil, count: capacity)
    }

    deinit {
        for index in 0..<count { rd_kafka_message_destroy(messages[index]) }
        messages.deallocate()
    }

    mutating func fill(from queue: OpaquePointer, milliseconds: Int32) -> Int {
        guard count < capacity else { return 0 }
        let taken = rd_kafka_consume_batch_queue(queue, milliseconds, messages + count, capacity - count)
        guard taken > 0 else { return 0 }
        count += taken
        return taken
    }

    /// Gives all messages back to librdkafka.
    public mutating func removeAll() {
        for index in 0..<count {
            rd_kafka_message_destroy(messages[index])
            messages[index] = nil
        }
        count = 0
    }

    /// What a message is; its bytes stay where they are.
    public subscript(index: Int) -> KafkaMessage {
        precondition(index >= 0 && index < count, "index within the batch")
        return KafkaMessage(messages[index]!)
    }

    /// Lends the message's value; empty for a tombstone.
    public func withValue<Result>(at index: Int, _ body: (borrowing RawSpan) throws -> Result) rethrows -> Result {
        precondition(index >= 0 && index < count, "index within the batch")
        let message = messages[index]!.pointee
        // The bytes live until `removeAll`, which nobody can call meanwhile.
        let bytes = UnsafeRawBufferPointer(start: message.payload, count: message.payload == nil ? 0 : message.len)
        return try body(bytes.bytes)
    }

    /// A copy of the message's key; nil when it has none.
    public func key(at index: Int) -> [UInt8]? {
        precondition(index >= 0 && index < count, "index within the batch")
        let message = messages[index]!.pointee
        return message.key.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: message.key_len)) }
    }

    /// Copies of the message's headers, in their order.
    public func headers(at index: Int) -> [KafkaHeader] {
        precondition(index >= 0 && index < count, "index within the batch")
        var list: OpaquePointer?
        guard rd_kafka_message_headers(messages[index]!, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else {
            return []
        }
        return KafkaHeader.all(in: list)
    }
}

/// A message of a batch, or an error in its place.
public struct KafkaMessage {
    public var partition: Int32
    /// Of the message; where reading stands for an error.
    public var offset: Int64
    /// Milliseconds since 1970; nil when the message carries none.
    public var timestampMilliseconds: Int64?
    /// Whether the broker stamped it on arrival.
    public var isAppendTime: Bool
    public var byteCount: Int
    /// Not a message when there is one; `partitionEnd` says that everything was read.
    public var error: KafkaError?
    /// Tells topics apart without copying names: the same for all messages of one topic.
    public var topicKey: UInt
    private let topicHandle: OpaquePointer?

    /// The timestamp lies beside the message in librdkafka's memory: the pointer must be the original one.
    init(_ pointer: UnsafeMutablePointer<rd_kafka_message_t>) {
        let message = pointer.pointee
        partition = message.partition
        offset = message.offset
        byteCount = message.len
        topicHandle = message.rkt
        topicKey = UInt(bitPattern: message.rkt)
        isAppendTime = false
        if message.err != RD_KAFKA_RESP_ERR_NO_ERROR {
            let words = message.payload.map { String(cString: $0.assumingMemoryBound(to: CChar.self)) }
            error = KafkaError(
                code: KafkaError.Code(message.err.rawValue),
                message: words ?? String(cString: rd_kafka_err2str(message.err)))
            byteCount = 0
            return
        }
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = rd_kafka_message_timestamp(pointer, &type)
        if type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE, timestamp >= 0 { timestampMilliseconds = timestamp }
        isAppendTime = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME
    }

    /// The topic's name; a copy. Valid while the batch holds the message.
    public var topic: String { topicHandle.map { String(cString: rd_kafka_topic_name($0)) } ?? "" }
}

/// A named value beside a message.
public struct KafkaHeader: Hashable, Sendable {
    public var name: String
    public var value: [UInt8]

    public init(_ name: String, _ value: [UInt8]) {
        self.name = name
        self.value = value
    }

    public init(_ name: String, _ value: String) {
        self.init(name, Array(value.utf8))
    }

    static func all(in list: OpaquePointer) -> [KafkaHeader] {
        var found: [KafkaHeader] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(list, found.count, &name, &value, &count) == RD_KAFKA_RESP_ERR_NO_ERROR {
            found.append(
                KafkaHeader(
                    name.map { String(cString: $0) } ?? "",
                    value.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) } ?? []))
        }
        return found
    }
}
