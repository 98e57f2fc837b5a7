internal import CSystem
internal import Iceberg
internal import Pipeline
internal import RDKafka
internal import Synchronization
internal import Telemetry
internal import Threads
internal import TraceModel

/// One assignment of one partition: made when the group gives it, dead once it takes it back.
///
/// Calls come from the committer's thread until `begin`, then from the worker's that owns the shard.
final class KafkaPartitionSource: SpanSource {
    /// Bytes at either end of a message that its checksum covers: enough to tell two logs apart.
    private static let checksumBytes = 4096

    let partition: KafkaPartition
    let siblingCount: Int
    private let topicName: String
    private let group: KafkaGroup
    private let consumer: KafkaConsumer
    private let queue: KafkaQueue
    private let options: KafkaSourceOptions
    private let metrics: KafkaMetrics
    private let generation = Atomic<Int64>(1)
    private let isOurs = Atomic<Bool>(true)
    private let lastRead = Atomic<Int64>(-1)
    private let lastCommitted = Atomic<Int64>(-1)
    private let reading: Lock<Reading>

    /// What one thread at a time does with the queue.
    private struct Reading: ~Copyable {
        var batch: KafkaBatch
        /// First message of the batch that was not handed over.
        var position = 0
        /// Nothing below comes any more.
        var next: Int64 = 0
        /// The end that was reached: the offset behind the last message.
        var end: Int64?
    }

    /// - Parameter topicName: `kafka:<cluster id>/<topic>`.
    init(
        _ partition: KafkaPartition, topicName: String, siblingCount: Int, group: KafkaGroup, consumer: KafkaConsumer,
        options: KafkaSourceOptions, metrics: KafkaMetrics
    ) throws(KafkaError) {
        self.partition = partition
        self.topicName = topicName
        self.siblingCount = siblingCount
        self.group = group
        self.consumer = consumer
        self.options = options
        self.metrics = metrics
        queue = consumer.makeQueue()
        reading = Lock(Reading(batch: KafkaBatch(capacity: options.batchMessages)))
        try consumer.forward(partition, to: queue)
    }

    var id: PartitionID {
        PartitionID(
            source: SourceID(topic: topicName, generation: generation.load(ordering: .acquiring)),
            partition: partition.number)
    }

    // A sender's clock: a broker's own (LogAppendTime) never jumps, and passes the same test.
    var timestamps: TimestampKind { .createTime }

    func identify(generation new: Int64) { generation.store(new, ordering: .releasing) }

    var isAssigned: Bool { isOurs.load(ordering: .acquiring) }

    /// The group has given it to somebody else.
    func lose() {
        isOurs.store(false, ordering: .releasing)
        metrics.remove(topic: partition.topic, partition: partition.number)
    }

    var bounds: SourceBounds {
        let marks = consumer.lastKnownWatermarks(of: partition)
        return SourceBounds(start: marks?.low ?? 0, end: marks?.high ?? 0)
    }

    // MARK: Before it is taken up

    /// Commits the group's offset again, unchanged: only the member that owns the partition can.
    func confirm() throws(SourceError) {
        do throws(KafkaError) {
            let found = try consumer.committed([partition], within: options.callTimeout)
            if !found.isEmpty { try consumer.commit(found) }
        } catch {
            throw Self.sourceError(error)
        }
    }

    func prepare() throws(SourceError) -> SourceStart {
        do throws(KafkaError) {
            let marks = try consumer.watermarks(of: partition, within: options.callTimeout)
            let committed = try consumer.committed([partition], within: options.callTimeout).first
            if let committed { lastCommitted.store(committed.offset, ordering: .relaxed) }
            return SourceStart(
                bounds: SourceBounds(start: marks.low, end: marks.high),
                group: committed.map { GroupOffset(offset: $0.offset, stamp: GroupStamp($0.metadata)) },
                reset: options.reset)
        } catch {
            throw Self.sourceError(error)
        }
    }

    func record(at offset: Int64) throws(SourceError) -> LogRecord? {
        try seek(to: offset)
        let deadline = MonotonicInstant.now + options.callTimeout
        while isAssigned, .now < deadline {
            let batch = read(from: offset, limitBytes: 1, waiting: .milliseconds(100))
            if let first = batch.entries.first {
                try pause()
                return first.record.offset == offset ? first.record : nil
            }
            if reading.withLock({ $0.end != nil }) { return nil }
        }
        throw SourceError(code: .unavailable, message: "\(partition): no message at \(offset) in time")
    }

    func begin(at offset: Int64) throws(SourceError) {
        try seek(to: offset)
    }

    /// Reads from here, whatever is queued.
    private func seek(to offset: Int64) throws(SourceError) {
        do throws(KafkaError) {
            try consumer.pause([partition])
            try consumer.seek([partition: .at(offset)], within: options.callTimeout)
            reading.withLock { reading in
                // What was fetched before the seek is of no use: its version is old, librdkafka drops it too.
                reading.batch.removeAll()
                reading.position = 0
                reading.next = offset
                reading.end = nil
            }
            try consumer.resume([partition])
        } catch {
            throw Self.sourceError(error)
        }
    }

    private func pause() throws(SourceError) {
        do throws(KafkaError) {
            try consumer.pause([partition])
        } catch {
            throw Self.sourceError(error)
        }
    }

    private static func sourceError(_ error: KafkaError) -> SourceError {
        let notOurs: Set<KafkaError.Code> = [
            .illegalGeneration, .unknownMember, .fencedInstance, .fenced, .assignmentLost, .erroneousState,
        ]
        let refused: Set<KafkaError.Code> = [.topicForbidden, .groupForbidden, .saslFailed, .authentication]
        let code: SourceError.Code =
            notOurs.contains(error.code) ? .notOurs : refused.contains(error.code) ? .refused : .unavailable
        return SourceError(code: code, message: error.description)
    }

    // MARK: Reading

    func read(from offset: Int64, limitBytes: Int) throws(FileError) -> SourceBatch {
        guard isAssigned else { return SourceBatch() }
        return read(from: offset, limitBytes: limitBytes, waiting: .zero)
    }

    private func read(from offset: Int64, limitBytes: Int, waiting: Duration) -> SourceBatch {
        reading.withLock { reading in
            if reading.position == reading.batch.count {
                reading.batch.removeAll()
                reading.position = 0
                let count = queue.take(into: &reading.batch, within: waiting)
                if count > 0 {
                    let messages = (0..<count).count { reading.batch[$0].error == nil }
                    metrics.messagesReceived.counter(partition.topic).add(messages)
                    group.heard()
                }
            }
            var result = SourceBatch()
            while reading.position < reading.batch.count,
                result.entries.isEmpty || result.bytes.count < limitBytes
            {
                take(reading.position, &reading, from: offset, into: &result)
                reading.position += 1
            }
            if let last = result.entries.last {
                reading.next = last.record.offset + 1
                lastRead.store(reading.next, ordering: .relaxed)
                metrics.messagesProcessed.counter(partition.topic).add(result.entries.count)
            }
            return result
        }
    }

    private func take(
        _ index: Int, _ reading: inout Reading, from offset: Int64, into result: inout SourceBatch
    ) {
        let message = reading.batch[index]
        if let error = message.error {
            if error.code == .partitionEnd {
                reading.end = message.offset
            } else {
                metrics.errors.add(1)
                group.failed(self, error)
            }
            return
        }
        let floor = max(offset, result.entries.last.map { $0.record.offset + 1 } ?? reading.next)
        guard message.offset >= floor else {
            metrics.redelivered.add(1)
            return
        }
        let start = result.bytes.count
        let checksum = reading.batch.withValue(at: index) { value in
            if let request = MessageForm(value).request(of: value) {
                result.bytes += request
            } else {
                value.withUnsafeBytes { result.bytes.append(contentsOf: $0) }
            }
            return Self.checksum(value)
        }
        reading.end = nil
        result.entries.append(
            SourceBatch.Entry(
                record: LogRecord(
                    offset: message.offset, timestampMilliseconds: message.timestampMilliseconds ?? 0,
                    checksum: checksum), body: start..<result.bytes.count))
    }

    /// CRC-32C of the first and last bytes and the length.
    private static func checksum(_ value: borrowing RawSpan) -> UInt32 {
        let count = value.byteCount
        return value.withUnsafeBytes { bytes in
            var length = UInt64(count).littleEndian
            var checksum = tss_crc32c(0, &length, 8)
            guard let base = bytes.baseAddress else { return checksum }
            checksum = tss_crc32c(checksum, base, min(count, checksumBytes))
            guard count > checksumBytes else { return checksum }
            let tail = min(count - checksumBytes, checksumBytes)
            return tss_crc32c(checksum, base + (count - tail), tail)
        }
    }

    func reach(at offset: Int64) -> LogReach {
        guard isAssigned else { return .behind }
        let isAtEnd = reading.withLock { reading in
            reading.position == reading.batch.count && reading.end.map { $0 <= offset } ?? false
        }
        guard isAtEnd, queue.count == 0 else { return .behind }
        return .end(monotonicMilliseconds: MonotonicInstant.now.milliseconds)
    }

    func release(below offset: Int64) {}

    func skip(to offset: Int64) throws(FileError) -> Int64 {
        throw FileError(.failed, "a topic cannot be moved behind \(offset)")
    }

    func notify(_ signal: @escaping @Sendable () -> Void) {
        queue.notify(signal)
        signal()
    }

    // MARK: Standing

    func remembered(_ offset: Int64) { lastCommitted.store(offset, ordering: .relaxed) }

    func showStanding() {
        let read = lastRead.load(ordering: .relaxed)
        let committed = lastCommitted.load(ordering: .relaxed)
        let end = consumer.lastKnownWatermarks(of: partition)?.high
        guard read >= 0, isAssigned else { return }
        metrics.show(
            topic: partition.topic, partition: partition.number, lag: end.map { max(0, Int($0 - read)) },
            uncommitted: committed >= 0 ? max(0, Int(read - committed)) : nil)
    }
}
