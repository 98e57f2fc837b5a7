public import TraceModel

extension TraceBuffer {
    /// The bytes of a trace that is kept.
    ///
    /// - Returns: `whole` when all of them are in memory: the trace has left the buffer. Otherwise what to
    ///   read; the trace has left the index, its bytes stay until `supply` is complete or `discard`.
    public mutating func take(_ handle: TraceHandle) -> Taken {
        guard let number = slot(handle) else {
            return .whole(KeptTrace(traceID: handle.traceID, partition: 0))
        }
        let range = segments(number)
        var gathering = Gathering(
            traceID: handle.traceID, spanCount: Int(slots.slots[Int(number)].spanCount),
            newest: slots.slots[Int(number)].link, firstSegment: range.first, lastSegment: range.last)
        remove(number)
        gathering.proceed(store, readsAll: limits.alwaysReads)
        guard gathering.isComplete else {
            let reads = gathering.takeReads()
            readingBack[handle] = gathering
            return .reads(reads)
        }
        let trace = gathering.assembled(store)
        store.release(first: range.first, last: range.last)
        return .whole(trace)
    }

    /// Bytes that were read for a taken trace.
    ///
    /// - Returns: The trace once nothing is missing; nil before (then `furtherReads` may name more), and for a handle
    ///   that is not being read back.
    public mutating func supply(_ handle: TraceHandle, _ read: SegmentRead, _ bytes: [UInt8]) -> KeptTrace? {
        guard bytes.count == read.byteCount, readingBack[handle]?.fill(read, bytes) == true else { return nil }
        readingBack[handle]!.proceed(store, readsAll: limits.alwaysReads)
        guard readingBack[handle]!.isComplete, let gathering = readingBack.removeValue(forKey: handle) else {
            return nil
        }
        let trace = gathering.assembled(store)
        store.release(first: gathering.firstSegment, last: gathering.lastSegment)
        return trace
    }

    /// What to read next for a taken trace, after `supply` gave nothing: where its spans lie is told by bytes that
    /// were themselves written out, so that one read can lead to others. Each is named once.
    public mutating func furtherReads(_ handle: TraceHandle) -> [SegmentRead] {
        readingBack[handle]?.takeReads() ?? []
    }

    /// The trace is not kept: forget it and its bytes.
    public mutating func discard(_ handle: TraceHandle) {
        if let number = slot(handle) {
            let range = segments(number)
            remove(number)
            store.release(first: range.first, last: range.last)
        } else if let gathering = readingBack.removeValue(forKey: handle) {
            store.release(first: gathering.firstSegment, last: gathering.lastSegment)
        }
    }
}
