public import TraceModel

/// Finds the spans of an `ExportTraceServiceRequest` (the same bytes as `TracesData`) without decoding them.
///
///     request ─┬─ resource_spans ─┬─ resource
///              │                  ├─ scope_spans ─┬─ scope
///              │                  │               ├─ spans        → one SpanRecord each
///              │                  │               └─ schema_url
///              │                  └─ schema_url
///              └─ …
///
/// Fields may come in any order and unknown ones are skipped. A resource or scope that was sent in
/// several pieces is the pieces one after the other (protobuf's rule for merging messages), kept in
/// `SpanBatch.merged`; of repeated scalars the last wins. UTF-8 is not checked, attributes are not
/// walked: `MessageValidator` does that once, at the entrance.
///
/// Source: opentelemetry/proto/trace/v1/trace.proto.
public enum SpanScanner {
    /// Replaces the batch by the spans of the message, in wire order, and runs the program on each.
    ///
    /// Spans without a usable id (trace id of 16 bytes, span id of 8, not all zero; parent id of 0
    /// or 8 bytes) are counted in `rejectedCount`; they take an index all the same.
    ///
    /// - Parameter floor: Force rules of lower ranks do not count.
    /// - Throws: `WireError` when the message is malformed; the batch is empty then.
    /// - Complexity: O(*n*) for *n* bytes; allocates only while the batch grows.
    public static func scan(
        _ message: borrowing RawSpan, matching program: MatcherProgram,
        into batch: inout SpanBatch, forceRulesFrom floor: UInt16 = 0, limits: WireLimits = WireLimits()
    ) throws(WireError) {
        batch.removeAll()
        do throws(WireError) {
            guard message.byteCount <= limits.messageBytes else {
                throw WireError.tooLarge(offset: limits.messageBytes)
            }
            var scan = MessageScan(limits: limits, MatcherHits(program, forceRulesFrom: floor, &batch.scratch))
            do throws(WireError) {
                try scan.run(message, program, &batch)
            } catch {
                scan.hits.finish(&batch.scratch)
                throw error
            }
            scan.hits.finish(&batch.scratch)
        } catch {
            batch.removeAll()
            throw error
        }
    }
}

/// The state of one scan above the level of spans.
struct MessageScan {
    let limits: WireLimits
    /// Spans seen, rejected ones too.
    var spanCount: UInt32 = 0
    /// What the spans of the current scope have in common.
    var template = SpanRecord(traceID: TraceID(high: 0, low: 0), spanID: SpanID(0))
    /// What holds on the current resource.
    var hits: MatcherHits

    init(limits: WireLimits, _ hits: MatcherHits) {
        self.limits = limits
        self.hits = hits
    }

    mutating func run(
        _ message: borrowing RawSpan, _ program: MatcherProgram, _ batch: inout SpanBatch
    ) throws(WireError) {
        let end = message.byteCount
        var offset = 0
        while offset < end {
            guard
                let body = try messageField(message, number: 1, at: &offset, end: end)
            else { continue }
            try resourceSpans(message, from: body.lowerBound, to: body.upperBound, program, &batch)
        }
    }

    /// Moves behind the next field. When it is the embedded message of that number, its bounds;
    /// any other field is skipped and answered by nil.
    @inline(__always)
    private func messageField(
        _ message: borrowing RawSpan, number: UInt64, at offset: inout Int, end: Int
    ) throws(WireError) -> Range<Int>? {
        let start = offset
        let tag = try tag(message, at: &offset, end: end)
        guard tag >> 3 == number else {
            try skipValue(
                message, of: tag, tagOffset: start, at: &offset, end: end, limits: limits)
            return nil
        }
        guard tag & 7 == WireType.lengthDelimited else { throw .wrongWireType(offset: start) }
        let bodyEnd = try delimitedEnd(message, at: &offset, end: end)
        let body = Range(uncheckedBounds: (offset, bodyEnd))
        offset = bodyEnd
        return body
    }

    // MARK: ResourceSpans

    /// The resource and the schema URL may stand behind the spans, so a first walk over the few
    /// fields of this level finds them.
    private mutating func resourceSpans(
        _ message: borrowing RawSpan, from start: Int, to end: Int, _ program: MatcherProgram,
        _ batch: inout SpanBatch
    ) throws(WireError) {
        var resource = MergedField()
        var schemaURL = ByteRange.none
        var cursor = WireCursor(from: start, to: end, limits: limits)
        while let field = try cursor.next(in: message) {
            switch field.number {
            case 1: resource.add(try field.rangeValue(), of: message, &batch.merged)
            case 2: _ = try field.rangeValue()
            case 3: schemaURL = try field.rangeValue()
            default: break
            }
        }
        template.resource = resource.range
        template.resourceSchemaURL = schemaURL
        try matchResource(resource, message, program, batch.merged)

        var offset = start
        while offset < end {
            guard
                let body = try messageField(message, number: 2, at: &offset, end: end)
            else { continue }
            try scopeSpans(message, from: body.lowerBound, to: body.upperBound, program, &batch)
        }
    }

    private mutating func matchResource(
        _ resource: MergedField, _ message: borrowing RawSpan, _ program: MatcherProgram,
        _ merged: [UInt8]
    ) throws(WireError) {
        guard !program.isEmpty else { return }
        if resource.pieceCount > 1 {
            let range = ByteRange(
                offset: resource.range.offset - UInt32(message.byteCount),
                count: resource.range.count)
            try program.match(resource: range, in: merged.span.bytes, limits: limits, into: &hits)
        } else {
            try program.match(resource: resource.range, in: message, limits: limits, into: &hits)
        }
        template.matches = program.resourceBits(of: hits.resourceTerms)
        template.forceRule = hits.force.resourceRank
    }

    // MARK: ScopeSpans

    private mutating func scopeSpans(
        _ message: borrowing RawSpan, from start: Int, to end: Int, _ program: MatcherProgram,
        _ batch: inout SpanBatch
    ) throws(WireError) {
        let first = batch.records.count
        var scope = MergedField()
        template.scope = .none
        template.scopeSchemaURL = .none
        // Encoders write the scope first and the schema URL, if there is one, last.
        var isLate = false
        var offset = start
        while offset < end {
            let tagOffset = offset
            let tag = try tag(message, at: &offset, end: end)
            switch tag {
            case 0x12:  // spans
                let spanEnd = try delimitedEnd(message, at: &offset, end: end)
                try span(message, from: offset, to: spanEnd, program, &batch)
                offset = spanEnd
            case 0x0A:  // scope
                let scopeEnd = try delimitedEnd(message, at: &offset, end: end)
                scope.add(ByteRange(from: offset, to: scopeEnd), of: message, &batch.merged)
                isLate = isLate || batch.records.count > first
                template.scope = scope.range
                offset = scopeEnd
            case 0x1A:  // schema_url
                let textEnd = try delimitedEnd(message, at: &offset, end: end)
                isLate = isLate || batch.records.count > first
                template.scopeSchemaURL = ByteRange(from: offset, to: textEnd)
                offset = textEnd
            default:
                guard tag >> 3 > 3 else { throw .wrongWireType(offset: tagOffset) }
                try skipValue(
                    message, of: tag, tagOffset: tagOffset, at: &offset, end: end, limits: limits)
            }
        }
        guard isLate else { return }
        for index in first..<batch.records.count {
            batch.records[index].scope = template.scope
            batch.records[index].scopeSchemaURL = template.scopeSchemaURL
        }
    }

    @inline(__always)
    private mutating func span(
        _ message: borrowing RawSpan, from start: Int, to end: Int, _ program: MatcherProgram,
        _ batch: inout SpanBatch
    ) throws(WireError) {
        guard Int(spanCount) < limits.spanCount else { throw .tooManySpans(offset: start) }
        var record = template
        record.index = spanCount
        spanCount += 1
        let isUsable = try scanSpan(
            message, from: start, to: end, program, &hits, limits: limits, into: &record)
        if isUsable {
            batch.records.append(record)
        } else {
            batch.rejectedCount += 1
        }
    }
}

/// A message field that may have been sent in several pieces.
struct MergedField {
    private(set) var range = ByteRange.none
    private(set) var pieceCount = 0

    /// Adds a piece. The second one moves both behind the message: `merged` holds what is addressed there.
    mutating func add(
        _ piece: ByteRange, of message: borrowing RawSpan, _ merged: inout [UInt8]
    ) {
        pieceCount += 1
        guard pieceCount > 1 else {
            range = piece
            return
        }
        if pieceCount == 2 {
            let first = range
            range = ByteRange(offset: UInt32(message.byteCount + merged.count), count: first.count)
            Self.append(first, of: message, to: &merged)
        }
        Self.append(piece, of: message, to: &merged)
        range.count += piece.count
    }

    private static func append(
        _ piece: ByteRange, of message: borrowing RawSpan, to merged: inout [UInt8]
    ) {
        merged.reserveCapacity(merged.count + piece.upperBound - piece.lowerBound)
        for offset in piece.lowerBound..<piece.upperBound {
            merged.append(message.byte(at: offset))
        }
    }
}
