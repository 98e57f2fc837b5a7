internal import CSystem
public import TraceModel

extension TraceBuffer {
    /// Takes the records of a scanned message whose route is `buffer`; the message is copied once, whole.
    ///
    /// The caller asks `hasRoom` first; this never refuses, so that a message is taken whole. Three passes over the
    /// batch: the first fetches the buckets of the index, the second the slots, the third finds both in the cache.
    /// - Parameters:
    ///   - offset: Of the message; ascending from call to call.
    ///   - tick: The arrival of its spans; never goes back.
    /// - Complexity: O(*n*) for *n* spans and bytes; no allocation once segments come back.
    public mutating func ingest(
        _ message: borrowing RawSpan, _ batch: borrowing SpanBatch, offset: Int64, at tick: StreamTick
    ) -> IngestResult {
        // The pointer lives for the length of the call, in which the batch is borrowed.
        batch.records.withUnsafeBufferPointer { records in
            let counts = fetchBuckets(records)
            guard counts.spans > 0 else { return IngestResult() }
            makeRoom(counts.spans, offset: offset, tick: tick.value)
            fetchSlots(records)
            let frame = appendFrame(message, batch.merged, counts, offset: offset, tick: tick.value)
            var result = IngestResult()
            result.takenSpans = counts.spans
            result.openedTraces = add(records, to: frame, offset: offset, tick: tick.value)
            spanCount += counts.spans
            return result
        }
    }

    /// Starts loading what `contains` and `ingest` will look at for the records of a message.
    public func prefetch(_ batch: borrowing SpanBatch) {
        let (buckets, bucketCount, slots, key) = (index.buckets, index.bucketCount, slots.slots, index.key)
        // The pointer lives for the length of the call, in which the batch is borrowed.
        batch.records.withUnsafeBufferPointer { records in
            for record in records {
                let tag = TraceIndex.tag(record.traceID.high, record.traceID.low, key)
                tss_prefetch(buckets + TraceIndex.home(tag, bucketCount))
            }
            for record in records {
                let tag = TraceIndex.tag(record.traceID.high, record.traceID.low, key)
                let bucket = buckets[TraceIndex.home(tag, bucketCount)]
                if bucket != 0 { tss_prefetch(slots + Int(UInt32(truncatingIfNeeded: bucket) &- 1)) }
            }
        }
    }

    private typealias Records = UnsafeBufferPointer<SpanRecord>

    /// A frame whose records are to be written.
    private struct OpenFrame {
        /// Where the segment begins, and the frame and its records in it.
        var segmentBase: UnsafeMutableRawPointer
        var position: Int
        var records: Int
        var segment: UInt64
    }

    /// First pass: tags, buckets on their way, and how many records there will be.
    private mutating func fetchBuckets(_ records: Records) -> (spans: Int, contexts: Int) {
        if tags.count < records.count { tags = Array(repeating: 0, count: max(records.count, 1024)) }
        var (spans, contexts) = (0, 0)
        var last = -1
        var sinceContext = 0
        let (buckets, bucketCount, key) = (index.buckets, index.bucketCount, index.key)
        tags.withUnsafeMutableBufferPointer { tags in
            for place in records.indices where records[place].route == .buffer {
                let tag = TraceIndex.tag(records[place].traceID.high, records[place].traceID.low, key)
                tags[place] = tag
                tss_prefetch(buckets + TraceIndex.home(tag, bucketCount))
                spans += 1
                if last < 0 || sinceContext == FrameLayout.contextReach
                    || !Self.haveSameContext(records, last, place)
                {
                    contexts += 1
                    sinceContext = 0
                }
                sinceContext += 1
                last = place
            }
        }
        return (spans, contexts)
    }

    @inline(__always)
    private static func haveSameContext(_ records: Records, _ one: Int, _ other: Int) -> Bool {
        records[one].resource == records[other].resource && records[one].scope == records[other].scope
            && records[one].resourceSchemaURL == records[other].resourceSchemaURL
            && records[one].scopeSchemaURL == records[other].scopeSchemaURL
    }

    /// Second pass: the slots that the buckets name are on their way.
    private func fetchSlots(_ records: Records) {
        let (buckets, bucketCount, slots) = (index.buckets, index.bucketCount, slots.slots)
        tags.withUnsafeBufferPointer { tags in
            for place in records.indices where records[place].route == .buffer {
                let bucket = buckets[TraceIndex.home(tags[place], bucketCount)]
                if bucket != 0 { tss_prefetch(slots + Int(UInt32(truncatingIfNeeded: bucket) &- 1)) }
            }
        }
    }

    /// Slots for as many traces as there are spans, and numbers that the low bits can tell apart.
    private mutating func makeRoom(_ spans: Int, offset: Int64, tick: Int64) {
        if slots.capacity - slots.liveCount < spans {
            let capacity = max(slots.capacity * 2, slots.liveCount + spans)
            slots.grow(to: capacity)
            index.grow(to: Self.bucketCount(capacity))
            wheel.grow(slotCapacity: capacity)
        }
        if slots.liveCount > 0, store.front < store.next {
            let oldest = store[store.front]
            if offset - oldest.firstOffset >= Int64(UInt32.max) || tick - oldest.firstTick >= Int64(TraceSlot.tickMask)
            {
                widenAll()
            }
        }
        latestOffset = offset
        latestTick = tick
        wheel.advance(to: tick)
    }

    /// The log jumped so far that the low bits in the slots would become ambiguous.
    private mutating func widenAll() {
        for number in 0..<UInt32(slots.touchedCount) where flags(number).contains(.live) { widen(number) }
    }

    private mutating func widen(_ number: UInt32) {
        guard !flags(number).contains(.isWide) else { return }
        slots.wide[number] = summary(number)
        setFlag(.isWide, number)
    }

    /// Copies a message and the merged fields behind it into the open segment.
    private mutating func appendFrame(
        _ message: borrowing RawSpan, _ merged: borrowing [UInt8], _ counts: (spans: Int, contexts: Int),
        offset: Int64, tick: Int64
    ) -> OpenFrame {
        let recordsOffset = FrameLayout.recordsOffset(messageBytes: message.byteCount, mergedBytes: merged.count)
        let recordCount = counts.spans + counts.contexts
        let place = store.reserve(
            recordsOffset + recordCount * FrameLayout.recordBytes, offset: offset, tick: tick)
        // `reserve` gave exactly the bytes that are written here and by `add`.
        place.frame.storeBytes(
            of: FrameHeader(
                messageBytes: UInt32(message.byteCount), mergedBytes: UInt32(merged.count),
                recordCount: UInt32(recordCount), spanCount: UInt32(counts.spans), offset: offset),
            as: FrameHeader.self)
        let bytes = place.frame + FrameLayout.headerBytes
        message.withUnsafeBytes { source in
            if let base = source.baseAddress { bytes.copyMemory(from: base, byteCount: source.count) }
        }
        merged.withUnsafeBytes { source in
            if let base = source.baseAddress {
                (bytes + message.byteCount).copyMemory(from: base, byteCount: source.count)
            }
        }
        return OpenFrame(
            segmentBase: place.frame - place.position, position: place.position,
            records: place.position + recordsOffset, segment: place.segment)
    }

    /// Third pass: every span finds its trace or opens one, and its record is written.
    ///
    /// - Returns: How many were opened.
    private mutating func add(
        _ records: Records, to frame: OpenFrame, offset: Int64, tick: Int64
    ) -> Int {
        let slots = self.slots.slots
        let segmentBits = frame.segment & (Link.segmentWindow - 1)
        let edges = store.edges + store.place(frame.segment)
        var position = frame.records
        var context: UnsafeMutablePointer<ContextRecord>?
        var contextDistance: UInt32 = 0
        var opened = 0
        for place in records.indices where records[place].route == .buffer {
            let record = records.baseAddress! + place
            let tag = tags[place]
            if context == nil || contextDistance == FrameLayout.contextReach
                || !context!.pointee.describes(record.pointee)
            {
                context = Self.write(
                    contextOf: record, offset: offset, frame: frame.position, at: frame.segmentBase + position)
                position += FrameLayout.recordBytes
                contextDistance = 0
            }
            contextDistance += 1
            let number: UInt32
            if let known = index.find(record.pointee.traceID, tag: tag, in: slots) {
                number = known
            } else {
                number = open(record, tag: tag, offset: offset, tick: tick, segment: frame.segment)
                opened += 1
            }
            let slot = slots + Int(number)
            let previous = slot.pointee.link
            (frame.segmentBase + position).storeBytes(
                of: PlaceRecord(
                    previous: previous, spanID: record.pointee.spanID, span: record.pointee.span,
                    index: record.pointee.index, slot: number,
                    check: UInt32(truncatingIfNeeded: record.pointee.traceID.low),
                    contextDistance: contextDistance),
                as: PlaceRecord.self)
            slot.pointee.link = Link(segment: frame.segment, position: position)
            position += FrameLayout.recordBytes
            if previous.segmentBits != segmentBits || previous == .none {
                if previous != .none {
                    let left = store.edges + store.place(previous.segmentBits)
                    left.pointee.lasts &-= 1
                }
                edges.pointee.lasts &+= 1
            }
            update(slot, number, record, offset: offset, tick: tick)
        }
        return opened
    }

    private static func write(
        contextOf record: UnsafePointer<SpanRecord>, offset: Int64, frame: Int, at address: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<ContextRecord> {
        let context = address.bindMemory(to: ContextRecord.self, capacity: 1)
        context.initialize(
            to: ContextRecord(
                offset: offset, frame: UInt32(frame >> 4), resource: record.pointee.resource,
                scope: record.pointee.scope, resourceSchemaURL: record.pointee.resourceSchemaURL,
                scopeSchemaURL: record.pointee.scopeSchemaURL))
        return context
    }

    /// A slot without spans for the trace of a record.
    private mutating func open(
        _ record: UnsafePointer<SpanRecord>, tag: UInt32, offset: Int64, tick: Int64, segment: UInt64
    ) -> UInt32 {
        let number = slots.take()
        let slot = slots.slots + Int(number)
        let isArmed = slot.pointee.flags.contains(.isArmed)
        slot.pointee.idHigh = record.pointee.traceID.high
        slot.pointee.idLow = record.pointee.traceID.low
        slot.pointee.matches = 0
        slot.pointee.startTimeUnixNano = record.pointee.startTimeUnixNano
        // As `TraceSummary`: the latest end starts at 0, but a first end below its start still counts.
        slot.pointee.set(duration: 0)
        slot.pointee.forceRule = SpanRecord.noForceRule
        slot.pointee.link = .none
        slot.pointee.statusCodes = 0
        slot.pointee.flags = [.live, .isArmed]
        slot.pointee.spanCount = 0
        slot.pointee.spanBytes = 0
        slot.pointee.lastOffset = UInt32(truncatingIfNeeded: offset)
        slot.pointee.set(lastTick: UInt32(truncatingIfNeeded: tick), epoch: epoch)
        slots.openings[Int(number)] = TraceOpening(
            offset: offset, segment: UInt32(truncatingIfNeeded: segment), tick: UInt32(truncatingIfNeeded: tick))
        let edges = store.edges + store.place(segment)
        edges.pointee.firsts &+= 1
        index.insert(number, tag: tag)
        if !isArmed { wheel.push(number, at: tick + wheel.horizon) }
        return number
    }

    /// What a span adds to the summary of its trace.
    @inline(__always)
    private mutating func update(
        _ slot: UnsafeMutablePointer<TraceSlot>, _ number: UInt32, _ record: UnsafePointer<SpanRecord>,
        offset: Int64, tick: Int64
    ) {
        let isFirst = slot.pointee.spanCount == 0
        let start = slot.pointee.startTimeUnixNano
        let end = isFirst ? 0 : start &+ UInt64(bitPattern: slot.pointee.duration)
        let newStart = min(start, record.pointee.startTimeUnixNano)
        let newEnd = max(end, record.pointee.endTimeUnixNano)
        let duration = Int64(bitPattern: newEnd &- newStart)
        let bytes = UInt64(slot.pointee.spanBytes) + UInt64(record.pointee.span.count)
        if slot.pointee.flags.contains(.isWide) || !TraceSlot.fits(duration: duration) || bytes > UInt64(UInt32.max)
            || slot.pointee.spanCount == .max
        {
            updateWide(slot, number, record, offset: offset, tick: tick)
        }
        slot.pointee.startTimeUnixNano = newStart
        slot.pointee.set(duration: duration)
        slot.pointee.spanBytes = UInt32(truncatingIfNeeded: bytes)
        slot.pointee.spanCount &+= 1
        Self.add(record.pointee.matches, record.pointee.forceRule, to: slot, epoch: epoch)
        if record.pointee.statusCode < 8 { slot.pointee.statusCodes |= 1 << record.pointee.statusCode }
        if record.pointee.isRoot { slot.pointee.flags.insert(.hasRoot) }
        if record.pointee.flags & 1 != 0 { slot.pointee.flags.insert(.isFlaggedSampled) }
        slot.pointee.lastOffset = UInt32(truncatingIfNeeded: offset)
        slot.pointee.set(lastTick: UInt32(truncatingIfNeeded: tick), epoch: epoch)
        if record.pointee.randomness != SpanRecord.noRandomness { note(record.pointee.randomness, slot, number) }
    }

    private mutating func note(
        _ randomness: UInt64, _ slot: UnsafeMutablePointer<TraceSlot>, _ number: UInt32
    ) {
        let known = slot.pointee.flags.contains(.hasRandomness) ? slots.randomness[Int(number)] : .max
        slots.randomness[Int(number)] = min(known, randomness)
        slot.pointee.flags.insert(.hasRandomness)
    }

    /// The trace does not fit its slot: its summary lies at the side from here on.
    private mutating func updateWide(
        _ slot: UnsafeMutablePointer<TraceSlot>, _ number: UInt32, _ record: UnsafePointer<SpanRecord>,
        offset: Int64, tick: Int64
    ) {
        if slot.pointee.spanCount == 0, !slot.pointee.flags.contains(.isWide) {
            setFlag(.isWide, number)
            slots.wide[number] = TraceSummary(opening: record.pointee, offset: offset, tick: StreamTick(tick))
        } else {
            widen(number)
            slots.wide[number]!.add(record.pointee, offset: offset, tick: StreamTick(tick))
        }
    }
}
