import TraceModel

/// A taken trace on its way into one arena.
///
///     newest ─▶ place ─▶ place ─▶ window: read ─▶ place ─▶ place ─▶ … ─▶ none: ranges of the spans: read ─▶ assembled
///
/// The chain is walked from the newest span back. In a written segment the records of its places have to be read
/// first: a window of some blocks that ends with the record, so that one read serves all spans of the trace in the
/// message as a rule, and a small message whole. Then the spans themselves, merged to few reads.
struct Gathering {
    /// Bytes before and with a record that are read at once: 170 places, or a small message with all of it.
    static let windowBytes = 8192
    /// Ranges with less between them are read at once: a block costs as much as its part.
    static let mergeGapBytes = 4096

    let traceID: TraceID
    let firstSegment: UInt64
    let lastSegment: UInt64
    private let spanCount: Int
    /// The next place to look at.
    private var link: Link
    /// Newest first.
    private var spans: [PlacedSpan] = []
    /// Bytes that were read, windows and ranges apart.
    private var windows: [ReadPiece] = []
    private var ranges: [ReadPiece] = []
    private var missing: [SegmentRead] = []
    private var announced = 0
    private var isPlaced = false
    /// Whether nothing had to be read.
    private var isInMemory = false

    init(traceID: TraceID, spanCount: Int, newest: Link, firstSegment: UInt64, lastSegment: UInt64) {
        self.traceID = traceID
        self.spanCount = spanCount
        self.firstSegment = firstSegment
        self.lastSegment = lastSegment
        link = newest
        spans.reserveCapacity(spanCount)
    }

    /// Whether everything that `assembled` needs is at hand.
    var isComplete: Bool { isPlaced && missing.isEmpty }

    /// Reads that nobody was told of.
    mutating func takeReads() -> [SegmentRead] {
        defer { announced = missing.count }
        return Array(missing[announced...])
    }

    /// False when these bytes were not asked for.
    mutating func fill(_ read: SegmentRead, _ bytes: [UInt8]) -> Bool {
        guard let place = missing.firstIndex(of: read) else { return false }
        missing.remove(at: place)
        announced = min(announced, missing.count)
        let piece = ReadPiece(segment: read.segment.value, start: read.offset, bytes: bytes)
        if isPlaced { ranges.append(piece) } else { windows.append(piece) }
        return true
    }

    // MARK: The chain

    /// Walks as far as the bytes at hand allow; then either nothing is missing, or something is.
    mutating func proceed(_ store: borrowing SegmentStore, readsAll: Bool) {
        guard missing.isEmpty else { return }
        guard !isPlaced else {
            ranges.sort(by: ReadPiece.isBefore)
            return
        }
        while link != .none {
            let segment = store.number(lowBits: link.segmentBits, window: Link.segmentWindow)
            let position = link.position
            precondition(segment >= firstSegment && segment <= lastSegment, "BUF-3: the chain leads to its own spans")
            if !readsAll, let bytes = store.bytes(segment) {
                add(placed(segment, position, bytes)!)
            } else if let span = windowed(segment, position) {
                add(span)
            } else {
                let end = position + FrameLayout.recordBytes
                let start = max(0, end - Self.windowBytes)
                missing.append(
                    SegmentRead(segment: SegmentID(value: segment), offset: start, byteCount: end - start))
                return
            }
        }
        precondition(spans.count == spanCount, "BUF-3: the chain has all spans")
        isPlaced = true
        noteRanges(store, readsAll: readsAll)
    }

    private mutating func add(_ span: PlacedSpan) {
        spans.append(span)
        link = span.place.previous
        precondition(spans.count <= spanCount, "BUF-3: the chain has no circle")
    }

    /// A place in bytes that must hold its record; nil when they do not hold the context too.
    private func placed(_ segment: UInt64, _ position: Int, _ bytes: SegmentBytes) -> PlacedSpan? {
        guard let place = bytes.place(at: position) else { preconditionFailure("BUF-3: a chain leads to records") }
        precondition(
            place.check == UInt32(truncatingIfNeeded: traceID.low)
                && place.contextDistance <= FrameLayout.contextReach, "BUF-3: the chain is one trace's")
        let contextPosition = position - Int(place.contextDistance) * FrameLayout.recordBytes
        guard let context = bytes.context(at: contextPosition) else {
            precondition(!bytes.contains(contextPosition, FrameLayout.recordBytes), "BUF-3: a place has its context")
            return nil
        }
        return PlacedSpan(segment: segment, place: place, context: context)
    }

    private func windowed(_ segment: UInt64, _ position: Int) -> PlacedSpan? {
        // The chain goes back, and so do the windows: it is in the last one or in none.
        guard let window = windows.last, window.segment == segment else { return nil }
        return SegmentBytes.withBytes(of: window) { bytes in
            guard bytes.contains(position, FrameLayout.recordBytes) else { return nil }
            return placed(segment, position, bytes)
        }
    }

    // MARK: The spans

    /// Ranges that lie in no window, merged, in the order of the log. What is in memory is copied now: it may be
    /// written and leave before the rest is read.
    private mutating func noteRanges(_ store: borrowing SegmentStore, readsAll: Bool) {
        isInMemory = windows.isEmpty && !readsAll && spans.allSatisfy { store.isInMemory($0.segment) }
        guard !isInMemory else { return }
        windows.sort(by: ReadPiece.isBefore)
        for read in merged(neededRanges) {
            if !readsAll, let bytes = store.bytes(read.segment.value) {
                var copy: [UInt8] = []
                bytes.append(read.offset, read.byteCount, to: &copy)
                ranges.append(ReadPiece(segment: read.segment.value, start: read.offset, bytes: copy))
            } else {
                missing.append(read)
            }
        }
    }

    private var neededRanges: [SegmentRead] {
        var reads: [SegmentRead] = []
        for span in spans {
            for range in span.ranges where !range.isEmpty {
                let start = span.position(range)
                guard piece(in: windows, span.segment, start, Int(range.count)) == nil else { continue }
                reads.append(
                    SegmentRead(
                        segment: SegmentID(value: span.segment), offset: start, byteCount: Int(range.count)))
            }
        }
        return reads
    }

    private func merged(_ reads: [SegmentRead]) -> [SegmentRead] {
        var result: [SegmentRead] = []
        for read in reads.sorted(by: { ($0.segment, $0.offset) < ($1.segment, $1.offset) }) {
            if let last = result.last, last.segment == read.segment,
                read.offset <= last.offset + last.byteCount + Self.mergeGapBytes
            {
                let end = max(last.offset + last.byteCount, read.offset + read.byteCount)
                result[result.count - 1].byteCount = end - last.offset
            } else {
                result.append(read)
            }
        }
        return result
    }

    /// The index of a piece that holds a range; the pieces are in order.
    private func piece(in pieces: [ReadPiece], _ segment: UInt64, _ start: Int, _ byteCount: Int) -> Int? {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if (pieces[middle].segment, pieces[middle].start) <= (segment, start) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        // Ranges do not overlap, windows by less than a record.
        for index in (max(0, low - 2)..<low).reversed()
        where pieces[index].segment == segment && start + byteCount <= pieces[index].end { return index }
        return nil
    }

    /// Puts the pieces together; the partition is the caller's to fill in.
    func assembled(_ store: borrowing SegmentStore) -> KeptTrace {
        var arena = Arena(trace: KeptTrace(traceID: traceID, partition: 0))
        arena.trace.spans.reserveCapacity(spanCount)
        for span in spans.reversed() {
            if isInMemory, let bytes = store.bytes(span.segment) {
                arena.add(span) { position, count, arena in bytes.append(position, count, to: &arena) }
            } else {
                arena.add(span) { position, count, arena in append(span.segment, position, count, to: &arena) }
            }
        }
        return arena.trace
    }

    private func append(_ segment: UInt64, _ position: Int, _ byteCount: Int, to arena: inout [UInt8]) {
        for pieces in [ranges, windows] {
            guard let index = piece(in: pieces, segment, position, byteCount) else { continue }
            let start = position - pieces[index].start
            arena.append(contentsOf: pieces[index].bytes[start..<start + byteCount])
            return
        }
        preconditionFailure("BUF-3: every range was read")
    }
}

/// Bytes that were read back.
struct ReadPiece {
    var segment: UInt64
    var start: Int
    var bytes: [UInt8]

    var end: Int { start + bytes.count }

    static func isBefore(_ one: ReadPiece, _ other: ReadPiece) -> Bool {
        (one.segment, one.start) < (other.segment, other.start)
    }
}

/// One span of a taken trace and where its bytes lie.
struct PlacedSpan {
    var segment: UInt64
    var place: PlaceRecord
    var context: ContextRecord

    var ranges: [ByteRange] {
        [place.span, context.resource, context.scope, context.resourceSchemaURL, context.scopeSchemaURL]
    }

    /// In the segment.
    func position(_ range: ByteRange) -> Int {
        Int(context.frame) << 4 + FrameLayout.headerBytes + range.lowerBound
    }
}

/// The arena of a trace; spans of one message share their resource and scope.
private struct Arena {
    var trace: KeptTrace
    /// Ranges of the current message that are in the arena, with their places.
    private var shared: [(range: ByteRange, place: ByteRange)] = []
    private var segment = UInt64.max
    private var frame = UInt32.max

    init(trace: KeptTrace) { self.trace = trace }

    mutating func add(_ span: PlacedSpan, _ append: (Int, Int, inout [UInt8]) -> Void) {
        if span.segment != segment || span.context.frame != frame {
            shared.removeAll(keepingCapacity: true)
            segment = span.segment
            frame = span.context.frame
        }
        func copied(_ range: ByteRange) -> ByteRange {
            let place = ByteRange(offset: UInt32(trace.arena.count), count: range.count)
            append(span.position(range), Int(range.count), &trace.arena)
            return place
        }
        func placed(_ range: ByteRange) -> ByteRange {
            guard !range.isEmpty else { return .none }
            if let known = shared.last(where: { $0.range == range }) { return known.place }
            let place = copied(range)
            shared.append((range, place))
            return place
        }
        trace.spans.append(
            KeptSpan(
                spanID: span.place.spanID, offset: span.context.offset, index: span.place.index,
                span: copied(span.place.span), resource: placed(span.context.resource),
                scope: placed(span.context.scope), resourceSchemaURL: placed(span.context.resourceSchemaURL),
                scopeSchemaURL: placed(span.context.scopeSchemaURL)))
    }
}
