public import TraceModel

/// One pass over what was buffered before the matchers changed.
struct RematchPass {
    /// The first segment that was not passed.
    var next: SegmentID
    /// The last segment to pass.
    var last: SegmentID
}

extension TraceBuffer {
    /// The matchers changed: every buffered trace is stale until its spans were matched anew, and the bits of the
    /// old program count no more. A pass that was under way starts again.
    ///
    /// Call it before the first message that was scanned with the new program is ingested.
    public mutating func startRematch() {
        sealOpen()
        pass = nil
        guard let last = lastSegment, !traces.isEmpty else { return }
        pass = RematchPass(next: SegmentID(value: 0), last: last)
        for traceID in traces.keys {
            traces[traceID]!.summary.matches = 0
            traces[traceID]!.summary.forceRule = SpanRecord.noForceRule
        }
    }

    /// The next segment to match anew, in the order of the log; nil when the pass is over.
    ///
    /// The same answer until `rematch` was called for it.
    public mutating func nextRematch() -> Rematch? {
        guard let pass else { return nil }
        guard let id = segments.keys.filter({ $0 >= pass.next && $0 <= pass.last }).min() else {
            self.pass = nil
            return nil
        }
        self.pass!.next = id
        let segment = segments[id]!
        guard segment.isWritten else { return .memory(id) }
        return .read(SegmentRead(segment: id, offset: 0, byteCount: segment.byteCount))
    }

    /// Matches the spans of a segment in memory anew.
    ///
    /// - Parameter scan: Replaces the batch by the spans of a message, matched with the new program.
    public mutating func rematch(
        _ segment: SegmentID, using scan: (borrowing RawSpan, inout SpanBatch) -> Void
    ) {
        guard let bytes = segments[segment]?.bytes, !bytes.isEmpty else { return }
        rematch(segment, read: bytes.span.bytes, using: scan)
    }

    /// Matches the spans of a segment anew that was read back whole.
    public mutating func rematch(
        _ segment: SegmentID, read bytes: borrowing RawSpan, using scan: (borrowing RawSpan, inout SpanBatch) -> Void
    ) {
        guard let pass, pass.next == segment else { return }
        var batch = SpanBatch()
        for message in segments[segment]?.messages ?? [] {
            scan(bytes.extracting(message), &batch)
            for record in batch.records {
                guard let trace = traces[record.traceID],
                    trace.spans.contains(where: {
                        $0.segment == segment && $0.base == message.lowerBound && $0.record.index == record.index
                    })
                else { continue }
                traces[record.traceID]!.summary.matches |= record.matches
                traces[record.traceID]!.summary.forceRule = min(trace.summary.forceRule, record.forceRule)
            }
        }
        self.pass!.next.value += 1
        if self.pass!.next > pass.last { self.pass = nil }
    }

    /// Bytes of the segments that the pass has still to go through, as `nextRematch` would name them.
    public var rematchBytesLeft: Int {
        guard let pass else { return 0 }
        return segments.filter { $0.key >= pass.next && $0.key <= pass.last }.reduce(0) { $0 + $1.value.byteCount }
    }

    func isStale(_ trace: BufferedTrace) -> Bool {
        guard let pass else { return false }
        return trace.spans.contains { $0.segment >= pass.next && $0.segment <= pass.last }
    }
}
