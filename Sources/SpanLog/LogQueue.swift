import Pipeline
import Threads

/// A request that waits for its sync.
struct PendingRequest: Sendable {
    var body: [UInt8]
    var answer: @Sendable (IngestAnswer) -> Void
}

/// What senders, the shard and the sync thread of one partition share; one lock guards it.
struct LogQueue: Sendable {
    enum Life: Sendable {
        case open
        /// Takes nothing more; what waits is written.
        case draining
        /// The sync thread has ended.
        case ended
    }

    var life = Life.open
    var waiting: [PendingRequest] = []
    var waitingBytes = 0
    /// A group is being written: its stamp is given, its records cannot be read yet.
    var isWriting = false
    var groupBytes = 0

    // As they were after the last group.
    var segments: [PartitionLog.Segment] = []
    var bounds = SourceBounds(start: 0, end: 0)
    var logBytes = 0
    /// The clock of the log; stamps between groups are taken from it.
    var clock: LogClock

    /// Of the file system when it was asked last, less what was taken since.
    var space: DiskSpace?
    var spaceAtMilliseconds: Int64 = .min
    /// The last group failed: nothing is taken before that moment.
    var failed: (cause: BusyCause, untilMilliseconds: Int64)?

    // Orders for the sync thread.
    var releaseBelow: Int64 = .min
    var skips: [(offset: Int64, reply: ReplySlot<SkipResult>)] = []
    /// A sender was refused for want of room: look again how much there is.
    var wantsSpace = false

    /// Called when there is more to read.
    var listeners: [@Sendable () -> Void] = []
    /// Requests refused for want of room.
    var refusedForDisk = 0
    /// The newest of them: while as much would still not fit, and senders still come with it, the disk is full,
    /// though something smaller may fit.
    var refused: (bodyBytes: Int, untilMilliseconds: Int64)?

    init(_ log: PartitionLog, space: DiskSpace?, at moment: Moment) {
        clock = log.clock
        self.space = space
        spaceAtMilliseconds = moment.monotonicMilliseconds
        publish(log)
    }

    /// What readers and senders may know of the log.
    mutating func publish(_ log: PartitionLog) {
        segments = log.segments
        bounds = log.bounds
        logBytes = log.byteCount
        clock = log.clock
    }

    /// How old the measure of the file system may be, milliseconds.
    static let spaceAgeMilliseconds: Int64 = 1000

    /// Whether the sync thread has something to do.
    var isWanted: Bool {
        !waiting.isEmpty || releaseBelow > .min || !skips.isEmpty || wantsSpace || life == .draining
    }

    mutating func admit(
        _ body: [UInt8], options: LogOptions, otherBytes: Int, monotonicMilliseconds now: Int64
    ) -> IngestAdmission {
        guard life == .open else {
            return .busy(retryAfterSeconds: options.diskRetrySeconds, cause: .notServing)
        }
        if let failed, now < failed.untilMilliseconds {
            return .busy(retryAfterSeconds: options.diskRetrySeconds, cause: failed.cause)
        }
        let queuedBytes = waitingBytes + groupBytes
        guard
            options.admits(bodyBytes: body.count, logBytes: logBytes + queuedBytes + otherBytes, space: space)
        else {
            refusedForDisk += 1
            refused = (body.count, now + 2000 * Int64(options.diskRetrySeconds))
            wantsSpace = now - spaceAtMilliseconds >= Self.spaceAgeMilliseconds
            return .busy(retryAfterSeconds: options.diskRetrySeconds, cause: .diskFull)
        }
        // One request is taken however large it is; the entrance has a limit of its own.
        guard
            waiting.count < options.queuedRequests,
            waitingBytes + body.count <= options.queuedBytes || waiting.isEmpty,
            body.count <= options.recordBytes
        else { return .busy(retryAfterSeconds: options.queueRetrySeconds, cause: .queueFull) }
        return .accepted
    }

    mutating func put(_ request: PendingRequest) {
        waiting.append(request)
        waitingBytes += request.body.count
        space?.availableBytes -= request.body.count
    }

    /// The next group, oldest first.
    mutating func takeGroup(_ options: LogOptions) -> [PendingRequest] {
        var count = 0
        var bytes = 0
        while count < waiting.count, count == 0 || bytes + waiting[count].body.count <= options.groupBytes {
            bytes += waiting[count].body.count
            count += 1
        }
        guard count > 0 else { return [] }
        let group = Array(waiting[..<count])
        waiting.removeFirst(count)
        waitingBytes -= bytes
        groupBytes = bytes
        isWriting = true
        return group
    }
}

/// What became of `skip(to:)`.
enum SkipResult: Sendable {
    case done(start: Int64)
    case failed(String)
}
