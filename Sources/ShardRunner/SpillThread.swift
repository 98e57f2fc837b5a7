internal import Iceberg
internal import Pipeline
internal import Synchronization
internal import Telemetry
internal import Threads
internal import TraceBuffering

/// The one thread that writes, reads and deletes the segments of every shard's buffer.
///
///     shard ── sealed, reads, unneeded ──▶ ┌──────────────┐
///     shard ──────────────────────────────▶│ spill thread │──▶ SegmentStore
///     shard ◀── written, bytes ────────────└──────────────┘
///
/// Deletions go first, for they make room, then reads, for somebody waits for them, then one segment is written.
/// A segment that finds no room stays in memory and is tried again: its buffer is full then, and decides early.
/// What an earlier life left is deleted before anything else: the log is the truth.
final class SpillThread: Sendable {
    struct Options: Sendable {
        /// Bytes that segments may take now: `app.max_disk_bytes` less the reserve and what the log holds.
        var limitBytes: @Sendable () -> Int = { .max }
        /// Share of the file system that is never filled, in percent.
        var freePercent = 5
        /// How long after a refusal the disk is tried again.
        var retryDelay: Duration = .seconds(1)
        /// Refused reads of one piece after which it counts as lost.
        var readAttempts = 5
    }

    private struct Orders {
        var removals: [(channel: SpillChannel, segments: [SegmentID])] = []
        var reads: [ReadOrder] = []
        var writes: [WriteOrder] = []
        var closed: [SpillChannel] = []
        var isStopping = false

        var isEmpty: Bool { removals.isEmpty && reads.isEmpty && writes.isEmpty && closed.isEmpty && !isStopping }
    }

    private struct WriteOrder {
        var channel: SpillChannel
        var segment: SealedSegment
    }

    private struct ReadOrder {
        var channel: SpillChannel
        var order: SpillOrder
        var attempts = 0
    }

    static let name = "spill"

    private let options: Options
    private let makeStore: @Sendable () -> any SegmentStore
    private let metrics: PipelineMetrics
    private let logger: Logger
    private let clock: any Clock
    private let wakeup = Wakeup()
    private let orders = Lock(Orders())
    private let shown = Lock(SpillStatus())
    private let full = Atomic<Bool>(false)
    private let owners = Atomic<UInt64>(0)

    /// - Parameter makeStore: Called once, on the spill thread.
    init(
        options: Options, metrics: PipelineMetrics, logger: Logger, clock: any Clock,
        makeStore: @escaping @Sendable () -> any SegmentStore
    ) {
        self.options = options
        self.metrics = metrics
        self.logger = logger
        self.clock = clock
        self.makeStore = makeStore
    }

    func start() throws(ThreadError) -> NamedThread {
        try NamedThread.start(name: Self.name) { self.run() }
    }

    /// Ends the thread; what waits is dropped, for nobody reads it again.
    func stop() {
        orders.withLock { $0.isStopping = true }
        wakeup.signal()
    }

    func channel(wakeup: Wakeup) -> SpillChannel {
        SpillChannel(owner: owners.add(1, ordering: .relaxed).newValue, thread: self, wakeup: wakeup)
    }

    var status: SpillStatus { shown.withLock { $0 } }

    /// Whether segments find no room now.
    var isFull: Bool { full.load(ordering: .relaxed) }

    // MARK: Orders

    func take(_ order: SpillOrder, of channel: SpillChannel) {
        orders.withLock { orders in
            if case .write(let segment) = order {
                orders.writes.append(WriteOrder(channel: channel, segment: segment))
            } else {
                orders.reads.append(ReadOrder(channel: channel, order: order))
            }
        }
        wakeup.signal()
    }

    func remove(_ segments: [SegmentID], of channel: SpillChannel) {
        orders.withLock { $0.removals.append((channel, segments)) }
        wakeup.signal()
    }

    func forget(_ channel: SpillChannel) {
        orders.withLock { $0.closed.append(channel) }
        wakeup.signal()
    }

    // MARK: The thread

    /// What only the thread knows.
    private struct Work {
        let store: any SegmentStore
        /// Bytes on disk of each segment, by owner.
        var files: [UInt64: [SegmentID: Int]] = [:]
        var diskBytes = 0
        /// Writes that wait their turn, or for room.
        var writes: [WriteOrder] = []
        /// Reads that the disk refused.
        var refusedReads: [ReadOrder] = []
        var retryAt: MonotonicInstant?
        var lastWarning: MonotonicInstant?
    }

    private func run() {
        var work = Work(store: makeStore())
        do throws(FileError) {
            try work.store.removeAll()
        } catch {
            refused(.delete, error, &work)
        }
        while true {
            let ticket = wakeup.ticket()
            let orders = orders.withLock { orders -> Orders in
                defer { orders = Orders(isStopping: orders.isStopping) }
                return orders
            }
            if orders.isStopping { break }
            for removal in orders.removals { remove(removal.segments, removal.channel, &work) }
            for channel in orders.closed { forget(channel, &work) }
            for read in orders.reads { self.read(read, &work) }
            work.writes += orders.writes
            let isDue = work.retryAt.map { $0 <= .now } ?? true
            if isDue {
                work.retryAt = nil
                let refused = work.refusedReads
                work.refusedReads = []
                for read in refused { self.read(read, &work) }
            }
            if isDue || !orders.removals.isEmpty || !orders.closed.isEmpty { writeOne(&work) }
            show(work)
            let isBusy = !work.writes.isEmpty && work.retryAt == nil
            if !isBusy { wakeup.wait(past: ticket, until: work.retryAt) }
        }
        for (owner, files) in work.files {
            for segment in files.keys { try? work.store.remove("\(owner)-\(segment.value)") }
        }
    }

    private func writeOne(_ work: inout Work) {
        work.writes.removeAll { $0.channel.isClosed }
        guard let order = work.writes.first else { return setFull(false) }
        do throws(FileError) {
            try checkRoom(for: order.segment.byteCount, work)
            let byteCount = try work.store.write(order.channel.name(of: order.segment.id), order.segment)
            work.files[order.channel.owner, default: [:]][order.segment.id] = byteCount
            work.diskBytes += byteCount
            metrics.segmentsWritten.add(1)
            metrics.segmentBytesWritten.add(order.segment.byteCount)
            setFull(false)
            work.writes.removeFirst()
            order.channel.reply(.written(order.segment.id))
        } catch {
            metrics.segmentsRefused.add(1)
            setFull(true)
            refused(.write, error, &work)
        }
    }

    private func checkRoom(for byteCount: Int, _ work: Work) throws(FileError) {
        guard work.diskBytes + byteCount <= options.limitBytes() else {
            throw FileError(.full, "the budget of the disk is spent (app.max_disk_bytes)")
        }
        let space = try work.store.space()
        guard space.availableBytes - byteCount >= space.totalBytes / 100 * options.freePercent else {
            throw FileError(.full, "the last \(options.freePercent) % of the disk are never used")
        }
    }

    private func read(_ order: ReadOrder, _ work: inout Work) {
        guard !order.channel.isClosed else { return }
        do throws(FileError) {
            switch order.order {
            case .write: preconditionFailure("a write is no read")
            case .readTrace(let trace):
                let pieces = try read(trace.reads, order.channel, work.store)
                order.channel.reply(.trace(trace.handle, pieces))
            case .readSegment(let read):
                let pieces = try self.read([read], order.channel, work.store)
                order.channel.reply(.segment(read.segment, pieces[0].bytes))
            }
        } catch {
            if case .readSegment(let read) = order.order, error.code == .notFound {
                // Deleted meanwhile: all of its traces were decided before their turn to be matched came.
                return order.channel.reply(.segment(read.segment, []))
            }
            refused(.read, error, &work)
            var again = order
            again.attempts += 1
            if error.code == .corrupt || error.code == .notFound || again.attempts >= options.readAttempts {
                order.channel.reply(.unreadable)
            } else {
                work.refusedReads.append(again)
            }
        }
    }

    private func read(
        _ reads: [SegmentRead], _ channel: SpillChannel, _ store: any SegmentStore
    ) throws(FileError) -> [SpilledPiece] {
        var pieces: [SpilledPiece] = []
        pieces.reserveCapacity(reads.count)
        for group in ReadPlan.groups(reads) {
            let bytes = try store.read(channel.name(of: group.segment), at: group.offset, count: group.byteCount)
            metrics.segmentBytesRead.add(bytes.count)
            for read in group.reads {
                let start = read.offset - group.offset
                pieces.append(SpilledPiece(read: read, bytes: Array(bytes[start..<start + read.byteCount])))
            }
        }
        return pieces
    }

    private func remove(_ segments: [SegmentID], _ channel: SpillChannel, _ work: inout Work) {
        for segment in segments {
            guard let byteCount = work.files[channel.owner]?.removeValue(forKey: segment) else { continue }
            work.diskBytes -= byteCount
            do throws(FileError) {
                try work.store.remove(channel.name(of: segment))
            } catch {
                refused(.delete, error, &work)
            }
        }
    }

    private func forget(_ channel: SpillChannel, _ work: inout Work) {
        remove(Array((work.files[channel.owner] ?? [:]).keys), channel, &work)
        work.files[channel.owner] = nil
    }

    // MARK: What others see

    private func setFull(_ isFull: Bool) {
        guard full.exchange(isFull, ordering: .relaxed) != isFull else { return }
        let now = clock.wallMilliseconds
        shown.withLock { $0.fullSinceMilliseconds = isFull ? now : nil }
    }

    /// Counts a refusal of the disk, and says so once a minute.
    private func refused(_ operation: SegmentOperation, _ error: FileError, _ work: inout Work) {
        if error.code != .full { metrics.segmentErrors[operation].add(1) }
        shown.withLock { $0.lastError = error.message }
        if operation != .delete { work.retryAt = .now + options.retryDelay }
        if let last = work.lastWarning, .now - last < .seconds(60) { return }
        work.lastWarning = .now
        logger.warning(
            error.code == .full
                ? "no room for segments of the buffer: traces are decided early while it is full"
                : "the disk refuses a segment of the buffer, trying again",
            metadata: ["operation": "\(operation.rawValue)", "error": "\(error.message)"])
    }

    private func show(_ work: Work) {
        metrics.segmentsInFlight.set(work.writes.count)
        metrics.segmentDiskBytes.set(work.diskBytes)
        shown.withLock { status in
            status.diskBytes = work.diskBytes
            status.segmentCount = work.files.values.reduce(0) { $0 + $1.count }
            status.waitingSegments = work.writes.count
        }
    }
}

/// Pieces of one segment that are read at once.
struct ReadPlan {
    /// Pieces this near are read together: one more block costs less than one more read.
    static let gapBytes = 16 << 10

    var segment: SegmentID
    var offset: Int
    var byteCount: Int
    var reads: [SegmentRead]

    /// By segment and offset, neighbours joined.
    static func groups(_ reads: [SegmentRead]) -> [ReadPlan] {
        var groups: [ReadPlan] = []
        for read in reads.sorted(by: { ($0.segment, $0.offset) < ($1.segment, $1.offset) }) {
            if let last = groups.last, last.segment == read.segment,
                read.offset <= last.offset + last.byteCount + gapBytes
            {
                groups[groups.count - 1].byteCount = max(last.byteCount, read.offset + read.byteCount - last.offset)
                groups[groups.count - 1].reads.append(read)
            } else {
                groups.append(
                    ReadPlan(segment: read.segment, offset: read.offset, byteCount: read.byteCount, reads: [read]))
            }
        }
        return groups
    }
}
