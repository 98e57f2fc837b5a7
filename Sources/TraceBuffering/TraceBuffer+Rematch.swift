public import TraceModel

/// One pass over what was buffered before the matchers changed.
struct RematchPass {
    /// The first segment that was not passed.
    var next: UInt64
    /// The last segment to pass.
    var last: UInt64
}

extension TraceBuffer {
    /// The matchers changed: every buffered trace is stale until its spans were matched anew, and the bits of the
    /// old program count no more. A pass that was under way starts again.
    ///
    /// Call it before the first message that was scanned with the new program is ingested.
    public mutating func startRematch() {
        store.sealOpen()
        pass = nil
        guard slots.liveCount > 0 else { return }
        // A slot knows the pass that touched it last by 8 bits.
        if epoch & 0x7F == 0x7F { forgetEpochs() }
        epoch &+= 1
        pass = RematchPass(next: store.front, last: store.next - 1)
    }

    /// The next segment to match anew, in the order of the log; nil when the pass is over.
    ///
    /// The same answer until `rematch` was called for it, or nothing in it is needed any more.
    public mutating func nextRematch() -> Rematch? {
        while var current = pass {
            current.next = max(current.next, store.front)
            guard current.next <= current.last, current.next < store.next else {
                pass = nil
                return nil
            }
            let segment = store[current.next]
            if segment.state == .gone { current.next += 1 }
            pass = current
            guard segment.state != .gone else { continue }
            let id = SegmentID(value: current.next)
            if segment.memory != nil { return .memory(id) }
            return .read(SegmentRead(segment: id, offset: 0, byteCount: segment.filled))
        }
        return nil
    }

    /// Matches the spans of a segment in memory anew.
    ///
    /// Does nothing when the segment is not the next one, or was written out since `nextRematch` named it.
    /// - Parameter scan: Replaces the batch by the spans of a message, matched with the new program.
    public mutating func rematch(
        _ segment: SegmentID, using scan: (borrowing RawSpan, inout SpanBatch) -> Void
    ) {
        guard let current = pass, current.next == segment.value, segment.value < store.next,
            segment.value >= store.front, let bytes = store.bytes(segment.value)
        else { return }
        rematch(bytes, byteCount: store[segment.value].filled, using: scan)
        finish(current)
    }

    /// Matches the spans of a segment anew that was read back whole.
    public mutating func rematch(
        _ segment: SegmentID, read bytes: borrowing RawSpan, using scan: (borrowing RawSpan, inout SpanBatch) -> Void
    ) {
        guard let current = pass, current.next == segment.value else { return }
        let byteCount = bytes.byteCount
        SegmentBytes.withBytes(of: bytes) { rematch($0, byteCount: byteCount, using: scan) }
        finish(current)
    }

    private mutating func finish(_ current: RematchPass) {
        pass = current.next < current.last ? RematchPass(next: current.next + 1, last: current.last) : nil
    }

    /// Bytes of the segments that the pass has still to go through.
    public var rematchBytesLeft: Int {
        guard let pass else { return 0 }
        let first = max(pass.next, store.front)
        guard first <= pass.last else { return 0 }
        return (first...pass.last).reduce(0) { sum, number in
            let segment = store[number]
            return segment.state == .gone ? sum : sum + segment.filled
        }
    }

    /// Whether spans of a trace may lie where the pass has not come.
    func isStale(_ number: UInt32) -> Bool {
        guard let pass else { return false }
        let range = segments(number)
        return range.first <= pass.last && min(range.last, pass.last) >= pass.next
    }

    /// Frame by frame. The bytes may come from a disk: what does not hold a frame ends the walk.
    private mutating func rematch(
        _ bytes: SegmentBytes, byteCount: Int, using scan: (borrowing RawSpan, inout SpanBatch) -> Void
    ) {
        var position = 0
        while position < byteCount, let header = bytes.header(at: position) {
            let messageBytes = Int(header.messageBytes)
            let records =
                position
                + FrameLayout.recordsOffset(messageBytes: messageBytes, mergedBytes: Int(header.mergedBytes))
            let end = records + Int(header.recordCount) * FrameLayout.recordBytes
            guard end <= byteCount else { return }
            let places = (0..<Int(header.recordCount)).lazy.compactMap {
                bytes.place(at: records + $0 * FrameLayout.recordBytes)
            }
            for place in places where Int(place.slot) < slots.touchedCount { slots.prefetch(place.slot) }
            bytes.withRange(position + FrameLayout.headerBytes, messageBytes) { message in
                scan(message, &rematchBatch)
            }
            var next = 0
            for place in places {
                while next < rematchBatch.records.count, rematchBatch.records[next].index < place.index { next += 1 }
                guard next < rematchBatch.records.count else { break }
                if rematchBatch.records[next].index == place.index {
                    rematch(rematchBatch.records[next], place.slot, offset: header.offset)
                }
            }
            position = end
        }
    }

    private mutating func rematch(_ record: SpanRecord, _ number: UInt32, offset: Int64) {
        // A slot may belong to another trace by now, or to a later one of the same id.
        guard Int(number) < slots.touchedCount, flags(number).contains(.live), traceID(number) == record.traceID,
            firstOffset(number) <= offset
        else { return }
        Self.add(record.matches, record.forceRule, to: slots.slots + Int(number), epoch: epoch)
    }

    /// No slot keeps an epoch that a later one could be taken for.
    private func forgetEpochs() {
        for number in 0..<slots.touchedCount {
            let slot = slots.slots + number
            slot.pointee.set(lastTick: slot.pointee.lastTick, epoch: epoch)
        }
    }
}
