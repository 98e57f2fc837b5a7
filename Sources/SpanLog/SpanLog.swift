public import Iceberg
import OTLPWire
public import Pipeline
public import Telemetry
import Threads
public import TraceModel

/// The embedded durable log: a request is answered once it is on the disk, and read by the shards from there.
///
///     <folder>/0/superblock, 0000000000000001.seg …     partition 0
///     <folder>/1/…                                     partition 1
///
/// Every partition has its own files, its own sync thread and one shard, exactly as a Kafka partition.
///
/// Invariant LOG-1: what was answered `durable` is read back unchanged until it is released, whatever happens
/// to the process or the power. Source: Documentation/Positions.md, "Embedded log and catalog".
public final class SpanLog: IngestPort {
    /// Its name as a source of rows, for ever: made with the log.
    public let source: SourceID
    private let partitions: [LogPartition]
    /// Requests go to the first so many partitions; further ones are only read to their end.
    private let routedCount: Int
    private let logger: Logger

    /// Opens the log in a folder, makes it when there is none, and starts its threads.
    ///
    /// - Parameters:
    ///   - folder: Below a `DataFolder` that this process holds.
    ///   - partitionCount: `otlp.partitions`.
    ///   - otherBytes: What others hold of the same budget of the disk now.
    /// - Throws: `corrupt` when the log is not what it was; nothing is served then and nothing was changed.
    public convenience init(
        folder: String, partitionCount: Int = 1, options: LogOptions, clock: any Clock,
        otherBytes: @escaping @Sendable () -> Int = { 0 }, metrics: EntranceMetrics? = nil, logger: Logger = .none
    ) throws(FileError) {
        try Folder.make(folder)
        var count = 0
        while count < partitionCount || Folder.holds("\(folder)/\(count)/superblock") { count += 1 }
        var files: [any SegmentFiles] = []
        for partition in 0..<count { files.append(try DiskSegmentFiles(path: "\(folder)/\(partition)")) }
        try self.init(
            files: files, routedCount: partitionCount, options: options, clock: clock, otherBytes: otherBytes,
            metrics: metrics, logger: logger)
    }

    /// Opens the log over other files: a test's, that forget what was not synced.
    ///
    /// - Parameters:
    ///   - files: One folder for each partition, in order.
    ///   - routedCount: How many of them take new requests.
    public init(
        files: [any SegmentFiles], routedCount: Int, options: LogOptions, clock: any Clock,
        otherBytes: @escaping @Sendable () -> Int = { 0 }, metrics: EntranceMetrics? = nil, logger: Logger = .none
    ) throws(FileError) {
        precondition(0 < routedCount && routedCount <= files.count, "a log has at least one partition")
        let moment = clock.moment
        var uuid: LogUUID?
        var partitions: [LogPartition] = []
        let siblingCount = files.count
        for (partition, files) in files.enumerated() {
            let proposal = Self.superblock(Int32(partition), uuid: uuid, at: moment)
            let log = try PartitionLog(opening: files, proposal: proposal, options: options, at: moment)
            if let uuid, log.superblock.uuid != uuid {
                throw FileError(
                    .corrupt, "partition \(partition) is of log \(log.superblock.uuid), partition 0 of \(uuid)")
            }
            uuid = log.superblock.uuid
            Self.report(log, logger)
            partitions.append(
                LogPartition(
                    log, id: PartitionID(source: Self.source(of: log), partition: Int32(partition)),
                    siblingCount: siblingCount, files: files,
                    options: options, clock: clock, otherBytes: otherBytes, metrics: metrics, logger: logger))
        }
        source = partitions[0].id.source
        self.partitions = partitions
        self.routedCount = routedCount
        self.logger = logger
        for partition in partitions {
            do throws(ThreadError) {
                try partition.start()
            } catch {
                throw FileError(.failed, error.message)
            }
        }
    }

    /// One source for each partition, in order.
    public var sources: [any SpanSource] { partitions }

    public func offer(
        _ body: [UInt8], answer: @escaping @Sendable (IngestAnswer) -> Void
    ) -> IngestAdmission {
        guard routedCount > 1 else { return partitions[0].offer(body, answer: answer) }
        let parts: [RequestSplitter.Part]
        do throws(WireError) {
            parts = try RequestSplitter.split(body, count: routedCount)
        } catch {
            // The entrance has walked through it: here it is kept as it is, and its shard buries it.
            return partitions[0].offer(body, answer: answer)
        }
        guard parts.count > 1 else {
            return partitions[parts.first?.partition ?? 0].offer(parts.first?.body ?? body, answer: answer)
        }
        return offer(parts, answer: answer)
    }

    /// Every part to its partition; one that is refused makes the whole unavailable, once the others are answered.
    private func offer(
        _ parts: [RequestSplitter.Part], answer: @escaping @Sendable (IngestAnswer) -> Void
    ) -> IngestAdmission {
        let joined = JoinedAnswer(partCount: parts.count, answer: answer)
        for (index, part) in parts.enumerated() {
            let admission = partitions[part.partition].offer(part.body) { joined.take($0) }
            guard case .busy(let seconds, let cause) = admission else { continue }
            // Nothing was taken yet: the sender keeps all of it.
            if index == 0 { return admission }
            joined.take(.unavailable(retryAfterSeconds: seconds, cause: cause))
        }
        return .accepted
    }

    /// Takes nothing more, writes and answers what waits, and ends the threads; records stay readable.
    public func stop() {
        for partition in partitions { partition.stop() }
    }

    /// One for each partition.
    public var statistics: [SpanLogStatistics] { partitions.map(\.statistics) }

    private static func source(of log: PartitionLog) -> SourceID {
        SourceID(topic: log.sourceTopic, generation: 1)
    }

    private static func superblock(_ partition: Int32, uuid: LogUUID?, at moment: Moment) -> LogSuperblock {
        var random = SystemRandomNumberGenerator()
        return LogSuperblock(
            partition: partition, uuid: uuid ?? LogUUID(random: [random.next(), random.next()]),
            key: LogKey(low: random.next(), high: random.next()), createdMilliseconds: moment.wallMilliseconds)
    }

    private static func report(_ log: PartitionLog, _ logger: Logger) {
        guard !log.recovery.isNew else { return }
        logger.info(
            "log opened",
            metadata: [
                "partition": .count(log.superblock.partition), "records": .count(log.recovery.records),
                "next": .count(log.next), "segments": .count(log.segments.count),
            ])
        guard log.recovery.tornBytes > 0 || log.recovery.unfinishedSegments > 0 else { return }
        logger.warning(
            "cut off the unanswered end of the log",
            metadata: [
                "partition": .count(log.superblock.partition), "bytes": .count(log.recovery.tornBytes),
                "segments": .count(log.recovery.unfinishedSegments),
            ])
    }
}

/// What of one partition of the log health and metrics show.
public struct SpanLogStatistics: Sendable, Hashable {
    public var partition: Int32
    public var diskBytes: Int
    public var segmentCount: Int
    /// Offset of the oldest record that is still there.
    public var start: Int64
    /// Offset behind the newest durable record.
    public var synced: Int64
    public var waitingRequests: Int
    public var waitingBytes: Int
    /// Of the file system; nil when it does not say.
    public var availableBytes: Int?
    /// Why requests are refused now; nil when they are taken.
    public var refusal: BusyCause?
}
