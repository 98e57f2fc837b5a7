public import TraceModel

/// Holds undecided spans until their trace is complete.
///
///     traces                    segments: whole messages, one copy each
///     ┌──────────┐ spans        ┌─────────┬─────────┬────────┐
///     │ trace id │ ──▶ segment, │ message │ message │  free  │  sealed when full
///     └──────────┘     position └─────────┴─────────┴────────┘
///
/// The naive model of a dictionary of arrays behind the interface that stays: it is the oracle of the
/// tests of any faster buffer. Messages come in per batch, never per span; it performs no input or output:
/// `sealed` says what to write, `take` what to read.
///
/// Invariant BUF-1: `usedBytes` is the sum of the segments in memory, and a message is taken only when it
/// fits under `limits.bytes` or the buffer is empty. Not thread-safe: one shard owns it. Never reads a clock.
public struct TraceBuffer: ~Copyable {
    public let limits: BufferLimits
    /// Bytes of the segments in memory.
    public private(set) var usedBytes = 0
    /// Bytes of the segments that were written and are still needed.
    public private(set) var writtenBytes = 0
    /// Undecided spans.
    public private(set) var spanCount = 0

    var traces: [TraceID: BufferedTrace] = [:]
    /// Taken traces whose bytes are being read back.
    var readingBack: [TraceHandle: Gathering] = [:]
    var segments: [SegmentID: Segment] = [:]
    private var open: SegmentID?
    private var nextSegment: UInt64 = 0
    private var nextSerial: UInt64 = 0
    private var deadlines = DeadlineHeap()
    private var toWrite: [SegmentID] = []
    private var inFlight: Set<SegmentID> = []
    var pass: RematchPass?
    private var unneeded: [SegmentID] = []

    public init(limits: BufferLimits) {
        self.limits = limits
    }

    /// Undecided traces.
    public var traceCount: Int { traces.count }

    /// Whether an undecided trace of this id is here.
    public func contains(_ traceID: TraceID) -> Bool { traces[traceID] != nil }

    /// Whether a message of this size would be taken within the limits.
    public func hasRoom(forBytes byteCount: Int) -> Bool {
        guard !traces.isEmpty else { return true }
        return usedBytes + byteCount <= limits.bytes && traces.count < limits.traces
    }

    /// Whether so little is used that early decisions may stop.
    public var hasEarlyRoom: Bool {
        guard !traces.isEmpty else { return true }
        return usedBytes <= limits.bytes - limits.bytes / BufferLimits.earlyFreeShare
            && traces.count <= limits.traces - max(1, limits.traces / BufferLimits.earlyFreeShare)
    }

    /// Takes the records of a scanned message whose route is `buffer`; the message is copied once, whole.
    ///
    /// The caller asks `hasRoom` first; this never refuses, so that a message is taken whole.
    /// - Parameters:
    ///   - offset: Of the message; ascending from call to call.
    ///   - tick: The arrival of its spans.
    public mutating func ingest(
        _ message: borrowing RawSpan, _ batch: borrowing SpanBatch, offset: Int64, at tick: StreamTick
    ) -> IngestResult {
        var result = IngestResult()
        guard batch.records.contains(where: { $0.route == .buffer }) else { return result }
        let (segment, base) = append(message, batch.merged)
        for record in batch.records where record.route == .buffer {
            result.takenSpans += 1
            if add(record, offset: offset, tick: tick, segment: segment, base: base) {
                result.openedTraces += 1
            }
        }
        segments[segment]!.liveSpans += result.takenSpans
        segments[segment]!.messages.append(base..<base + message.byteCount)
        spanCount += result.takenSpans
        return result
    }

    /// Adds one span; true when it opened its trace.
    private mutating func add(
        _ record: SpanRecord, offset: Int64, tick: StreamTick, segment: SegmentID, base: Int
    ) -> Bool {
        let span = BufferedSpan(record: record, offset: offset, segment: segment, base: base)
        let known = traces[record.traceID] != nil
        if known {
            traces[record.traceID]!.summary.add(record, offset: offset, tick: tick)
            traces[record.traceID]!.spans.append(span)
        } else {
            traces[record.traceID] = BufferedTrace(
                summary: TraceSummary(opening: record, offset: offset, tick: tick), spans: [span],
                handle: TraceHandle(traceID: record.traceID, serial: nextSerial))
            nextSerial += 1
        }
        arm(record.traceID)
        return !known
    }

    /// Makes sure that the heap holds an entry not later than the trace's deadline.
    private mutating func arm(_ traceID: TraceID) {
        guard let trace = traces[traceID] else { return }
        let deadline = limits.deadline(of: trace.summary).tick
        if let armed = trace.armed, armed <= deadline { return }
        traces[traceID]!.armed = deadline
        deadlines.push(
            Deadline(tick: deadline, firstOffset: trace.summary.firstOffset, handle: trace.handle))
    }

    // MARK: Ripeness

    /// Appends up to `limit` complete traces, by deadline, then first offset, then trace id.
    ///
    /// Each is handed out once: the caller takes or discards it before it ingests again.
    /// - Returns: Whether more are due.
    @discardableResult
    public mutating func ripe(at tick: StreamTick, limit: Int, into ripe: inout [RipeTrace]) -> Bool {
        var count = 0
        while let next = deadlines.first, next.tick <= tick {
            guard let trace = traces[next.handle.traceID], trace.handle == next.handle,
                trace.armed == next.tick, !trace.isHandedOut
            else {
                deadlines.removeFirst()
                continue
            }
            let deadline = limits.deadline(of: trace.summary)
            guard deadline.tick == next.tick else {
                deadlines.removeFirst()
                traces[next.handle.traceID]!.armed = nil
                arm(next.handle.traceID)
                continue
            }
            guard count < limit else { return true }
            deadlines.removeFirst()
            traces[next.handle.traceID]!.isHandedOut = true
            ripe.append(
                RipeTrace(
                    handle: trace.handle, summary: trace.summary, cause: deadline.cause, isStale: isStale(trace)))
            count += 1
        }
        return false
    }

    /// Appends up to `limit` traces to decide early: the longest silent first, then first offset, then trace id.
    ///
    /// For a full buffer in which nothing is ripe; call again until `hasEarlyRoom`.
    public mutating func early(limit: Int, into early: inout [RipeTrace]) {
        let oldest = traces.values.filter { !$0.isHandedOut }.sorted { one, other in
            (one.summary.lastTick, one.summary.firstOffset, one.summary.traceID)
                < (other.summary.lastTick, other.summary.firstOffset, other.summary.traceID)
        }
        for trace in oldest.prefix(limit) {
            traces[trace.summary.traceID]!.isHandedOut = true
            early.append(
                RipeTrace(handle: trace.handle, summary: trace.summary, cause: .early, isStale: isStale(trace)))
        }
    }

    /// When the next trace may be due; nil when there is none. Never later than the first real deadline.
    public var nextDeadline: StreamTick? { deadlines.first?.tick }

    // MARK: Segments

    /// Segments that became full since the last call, for the one who writes them.
    public mutating func sealed() -> [SealedSegment] {
        var result: [SealedSegment] = []
        while inFlight.count < limits.segmentsInFlight, usedBytes > limits.spillsAboveBytes, !toWrite.isEmpty {
            let id = toWrite.removeFirst()
            guard let segment = segments[id] else { continue }
            inFlight.insert(id)
            let memory = SegmentMemory(byteCount: segment.byteCount)
            memory.memory.copyBytes(from: segment.bytes)
            result.append(SealedSegment(id: id, byteCount: segment.byteCount, memory: memory))
        }
        return result
    }

    /// The segment is on disk and may leave memory.
    public mutating func written(_ id: SegmentID) {
        guard inFlight.remove(id) != nil else { return }
        guard let segment = segments[id] else {
            unneeded.append(id)  // everything in it was decided while it was written
            return
        }
        usedBytes -= segment.byteCount
        writtenBytes += segment.byteCount
        segments[id]!.bytes = []
        segments[id]!.isWritten = true
    }

    /// Written segments that nothing needs any more, since the last call.
    public mutating func unneededSegments() -> [SegmentID] {
        defer { unneeded = [] }
        return unneeded
    }

    /// Copies a message and the merged fields behind it into the open segment.
    private mutating func append(_ message: borrowing RawSpan, _ merged: [UInt8]) -> (SegmentID, base: Int) {
        let byteCount = message.byteCount + merged.count
        if let id = open, segments[id]!.bytes.count + byteCount > limits.segmentBytes { seal(id) }
        let id = open ?? makeSegment()
        let base = segments[id]!.bytes.count
        segments[id]!.bytes.append(copying: message)
        segments[id]!.bytes.append(contentsOf: merged)
        segments[id]!.byteCount += byteCount
        usedBytes += byteCount
        return (id, base)
    }

    private mutating func makeSegment() -> SegmentID {
        let id = SegmentID(value: nextSegment)
        nextSegment += 1
        segments[id] = Segment()
        open = id
        return id
    }

    /// Closes the segment that takes messages.
    mutating func sealOpen() {
        if let open { seal(open) }
    }

    var lastSegment: SegmentID? { nextSegment == 0 ? nil : SegmentID(value: nextSegment - 1) }

    private mutating func seal(_ id: SegmentID) {
        open = nil
        if segments[id]!.liveSpans == 0 {
            free(id)
        } else if limits.spills {
            toWrite.append(id)
        }
    }

    /// Gives up the bytes of spans that left the buffer.
    mutating func release(_ spans: [BufferedSpan]) {
        for span in spans {
            segments[span.segment]!.liveSpans -= 1
            if segments[span.segment]!.liveSpans == 0 { free(span.segment) }
        }
    }

    /// The trace leaves the index; its bytes stay until `release`.
    mutating func remove(_ handle: TraceHandle) -> BufferedTrace? {
        guard let trace = traces[handle.traceID], trace.handle == handle else { return nil }
        traces[handle.traceID] = nil
        spanCount -= trace.spans.count
        return trace
    }

    private mutating func free(_ id: SegmentID) {
        guard let segment = segments.removeValue(forKey: id) else { return }
        if open == id { open = nil }
        if segment.isWritten {
            writtenBytes -= segment.byteCount
            unneeded.append(id)
        } else {
            usedBytes -= segment.byteCount
        }
        assert(usedBytes >= 0 && writtenBytes >= 0, "BUF-1")
    }
}

extension BufferLimits {
    /// When a trace is complete unless more spans come, and why.
    func deadline(of summary: TraceSummary) -> (tick: StreamTick, cause: RipeCause) {
        let wait = summary.hasRoot ? min(rootInactivityTicks, inactivityTicks) : inactivityTicks
        let silent = summary.lastTick.advanced(by: wait)
        let old = summary.firstTick.advanced(by: maximumDurationTicks)
        if old <= silent { return (old, .duration) }
        return (silent, summary.hasRoot ? .root : .inactivity)
    }
}

/// One trace of the index.
struct BufferedTrace {
    var summary: TraceSummary
    var spans: [BufferedSpan]
    var handle: TraceHandle
    /// The tick of the heap's entry that speaks for the trace.
    var armed: StreamTick?
    /// Whether `ripe` or `early` named it.
    var isHandedOut = false
}

/// One span: its ranges are relative to `base` in its segment.
struct BufferedSpan {
    var record: SpanRecord
    var offset: Int64
    var segment: SegmentID
    var base: Int
}

/// Whole messages, back to back.
struct Segment {
    var bytes: [UInt8] = []
    var byteCount = 0
    var liveSpans = 0
    var messages: [Range<Int>] = []
    var isWritten = false
}
