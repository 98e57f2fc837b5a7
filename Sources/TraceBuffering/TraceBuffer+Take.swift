public import TraceModel

extension TraceBuffer {
    /// The bytes of a trace that is kept.
    ///
    /// - Returns: `whole` when all of them are in memory: the trace has left the buffer. Otherwise what to
    ///   read; the trace has left the index, its bytes stay until `supply` is complete or `discard`.
    public mutating func take(_ handle: TraceHandle) -> Taken {
        guard let trace = remove(handle) else { return .whole(KeptTrace(traceID: handle.traceID, partition: 0)) }
        var gathering = Gathering(trace: trace)
        var reads: [SegmentRead] = []
        for (piece, range) in gathering.pieces.enumerated() {
            let segment = segments[range.segment]!
            if segment.isWritten || limits.alwaysReads {
                reads.append(range)
            } else {
                gathering.bytes[piece] = Array(
                    segment.bytes[range.offset..<range.offset + range.byteCount])
            }
        }
        guard !reads.isEmpty else {
            release(trace.spans)
            return .whole(gathering.assembled())
        }
        readingBack[handle] = gathering
        return .reads(reads)
    }

    /// Bytes that were read for a taken trace.
    ///
    /// - Returns: The trace once nothing is missing; nil before, and for a handle that is not being read back.
    public mutating func supply(_ handle: TraceHandle, _ read: SegmentRead, _ bytes: [UInt8]) -> KeptTrace? {
        guard bytes.count == read.byteCount, readingBack[handle]?.fill(read, bytes) == true,
            let gathering = readingBack[handle], gathering.isComplete
        else { return nil }
        readingBack[handle] = nil
        release(gathering.spans)
        return gathering.assembled()
    }

    /// What to read next for a taken trace, after `supply` gave nothing: where its spans lie is told by bytes that
    /// were themselves written out, so that one read can lead to others. Each is named once.
    public mutating func furtherReads(_ handle: TraceHandle) -> [SegmentRead] { [] }

    /// The trace is not kept: forget it and its bytes.
    public mutating func discard(_ handle: TraceHandle) {
        if let trace = remove(handle) {
            release(trace.spans)
        } else if let gathering = readingBack.removeValue(forKey: handle) {
            release(gathering.spans)
        }
    }
}

/// The pieces of a trace on their way into one arena; spans of one message share their resource and scope.
struct Gathering {
    let traceID: TraceID
    let spans: [BufferedSpan]
    /// What lies where; each range once.
    private(set) var pieces: [SegmentRead] = []
    /// By piece; nil while it is missing.
    var bytes: [[UInt8]?] = []
    private var numbers: [SegmentRead: Int] = [:]

    init(trace: BufferedTrace) {
        traceID = trace.summary.traceID
        spans = trace.spans
        for span in spans {
            for range in span.ranges { note(range, of: span) }
        }
        bytes = Array(repeating: nil, count: pieces.count)
    }

    var isComplete: Bool { !bytes.contains { $0 == nil } }

    private mutating func note(_ range: ByteRange, of span: BufferedSpan) {
        guard !range.isEmpty else { return }
        let read = span.read(range)
        guard numbers[read] == nil else { return }
        numbers[read] = pieces.count
        pieces.append(read)
    }

    /// False when no span of the trace needs this range.
    mutating func fill(_ read: SegmentRead, _ piece: [UInt8]) -> Bool {
        guard let number = numbers[read] else { return false }
        bytes[number] = piece
        return true
    }

    /// Puts the pieces together; the partition is the caller's to fill in.
    func assembled() -> KeptTrace {
        var trace = KeptTrace(traceID: traceID, partition: 0)
        var starts: [UInt32] = []
        for piece in bytes {
            starts.append(UInt32(trace.arena.count))
            trace.arena.append(contentsOf: piece ?? [])
        }
        func place(_ range: ByteRange, _ span: BufferedSpan) -> ByteRange {
            guard !range.isEmpty, let number = numbers[span.read(range)] else { return .none }
            return ByteRange(offset: starts[number], count: range.count)
        }
        trace.spans = spans.map { span in
            KeptSpan(
                spanID: span.record.spanID, offset: span.offset, index: span.record.index,
                span: place(span.record.span, span), resource: place(span.record.resource, span),
                scope: place(span.record.scope, span),
                resourceSchemaURL: place(span.record.resourceSchemaURL, span),
                scopeSchemaURL: place(span.record.scopeSchemaURL, span))
        }
        return trace
    }
}

extension BufferedSpan {
    var ranges: [ByteRange] {
        [record.span, record.resource, record.scope, record.resourceSchemaURL, record.scopeSchemaURL]
    }

    func read(_ range: ByteRange) -> SegmentRead {
        SegmentRead(segment: segment, offset: base + Int(range.offset), byteCount: Int(range.count))
    }
}
