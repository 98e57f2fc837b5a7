import TraceModel

/// What the entrance learns of a message it takes.
public struct MessageSummary: Sendable, Hashable {
    /// Spans with usable ids.
    public var spanCount: Int
    /// Spans without, as `SpanBatch.rejectedCount`: what a partial success reports.
    public var rejectedCount: Int

    public init(spanCount: Int = 0, rejectedCount: Int = 0) {
        self.spanCount = spanCount
        self.rejectedCount = rejectedCount
    }
}

/// Walks everything of an `ExportTraceServiceRequest` that will ever be read of it.
///
/// A message that passes is scanned without error, and each of its spans, resources and scopes is
/// decoded without error (`SpanContents`, `ResourceContents`, `ScopeContents`), merged pieces
/// included: so nothing that was acknowledged can turn out to be unreadable later. Whether texts
/// are UTF-8 is not checked; sinks repair what is not.
public enum MessageValidator {
    /// - Throws: The first `WireError` in wire order.
    /// - Complexity: O(*n*) for *n* bytes, no allocation; the stack is bounded by `limits.nestingDepth`.
    public static func validate(
        _ message: borrowing RawSpan, limits: WireLimits = WireLimits()
    ) throws(WireError) -> MessageSummary {
        guard message.byteCount <= limits.messageBytes else {
            throw .tooLarge(offset: limits.messageBytes)
        }
        var validation = MessageValidation(limits: limits)
        try validation.request(message, from: 0, to: message.byteCount)
        return validation.summary
    }
}

/// One method for each message type of OTLP; the numbers are those of its .proto files.
private struct MessageValidation {
    let limits: WireLimits
    var summary = MessageSummary()

    mutating func request(
        _ bytes: borrowing RawSpan, from start: Int, to end: Int
    ) throws(WireError) {
        var cursor = WireCursor(from: start, to: end, limits: limits)
        while let field = try cursor.next(in: bytes) {
            guard field.number == 1 else { continue }
            try resourceSpans(bytes, try field.rangeValue())
        }
    }

    private mutating func resourceSpans(
        _ bytes: borrowing RawSpan, _ range: ByteRange
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: try resource(bytes, try field.rangeValue())
            case 2: try scopeSpans(bytes, try field.rangeValue())
            case 3: _ = try field.rangeValue()  // schema_url
            default: break
            }
        }
    }

    private func resource(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: try keyValue(bytes, try field.rangeValue(), depth: 1)
            case 2: _ = try field.varintValue()  // dropped_attributes_count
            default: break
            }
        }
    }

    private mutating func scopeSpans(
        _ bytes: borrowing RawSpan, _ range: ByteRange
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: try scope(bytes, try field.rangeValue())
            case 2: try countedSpan(bytes, try field.rangeValue(), at: field.offset)
            case 3: _ = try field.rangeValue()  // schema_url
            default: break
            }
        }
    }

    private func scope(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1, 2: _ = try field.rangeValue()  // name, version
            case 3: try keyValue(bytes, try field.rangeValue(), depth: 1)
            case 4: _ = try field.varintValue()  // dropped_attributes_count
            default: break
            }
        }
    }

    // MARK: Span

    private mutating func countedSpan(
        _ bytes: borrowing RawSpan, _ range: ByteRange, at offset: Int
    ) throws(WireError) {
        guard summary.spanCount + summary.rejectedCount < limits.spanCount else {
            throw .tooManySpans(offset: offset)
        }
        if try span(bytes, range) {
            summary.spanCount += 1
        } else {
            summary.rejectedCount += 1
        }
    }

    /// Whether the ids are usable, by the same rule as in a scan.
    private func span(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) -> Bool {
        var hasTraceID = false
        var hasSpanID = false
        var isParentUsable = true
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: hasTraceID = isID(bytes, try field.rangeValue(), count: 16)
            case 2: hasSpanID = isID(bytes, try field.rangeValue(), count: 8)
            case 4:
                let parent = try field.rangeValue()
                isParentUsable = parent.isEmpty || parent.count == 8
            case 3, 5: _ = try field.rangeValue()  // trace_state, name
            case 6, 10, 12, 14: _ = try field.varintValue()  // kind, dropped counts
            case 7, 8: _ = try field.fixed64Value()  // times
            case 9: try keyValue(bytes, try field.rangeValue(), depth: 1)
            case 11: try event(bytes, try field.rangeValue())
            case 13: try link(bytes, try field.rangeValue())
            case 15: try status(bytes, try field.rangeValue())
            case 16: _ = try field.fixed32Value()  // flags
            default: break
            }
        }
        return hasTraceID && hasSpanID && isParentUsable
    }

    private func isID(_ bytes: borrowing RawSpan, _ range: ByteRange, count: UInt32) -> Bool {
        guard range.count == count else { return false }
        for offset in range.lowerBound..<range.upperBound where bytes.byte(at: offset) != 0 {
            return true
        }
        return false
    }

    private func event(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: _ = try field.fixed64Value()  // time_unix_nano
            case 2: _ = try field.rangeValue()  // name
            case 3: try keyValue(bytes, try field.rangeValue(), depth: 1)
            case 4: _ = try field.varintValue()  // dropped_attributes_count
            default: break
            }
        }
    }

    private func link(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1, 2, 3: _ = try field.rangeValue()  // trace_id, span_id, trace_state
            case 4: try keyValue(bytes, try field.rangeValue(), depth: 1)
            case 5: _ = try field.varintValue()  // dropped_attributes_count
            case 6: _ = try field.fixed32Value()  // flags
            default: break
            }
        }
    }

    private func status(_ bytes: borrowing RawSpan, _ range: ByteRange) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 2: _ = try field.rangeValue()  // message
            case 3: _ = try field.varintValue()  // code
            default: break
            }
        }
    }

    // MARK: Attributes

    private func keyValue(
        _ bytes: borrowing RawSpan, _ range: ByteRange, depth: Int
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: _ = try field.rangeValue()  // key
            case 2: try anyValue(bytes, try field.rangeValue(), depth: depth)
            default: break
            }
        }
    }

    private func anyValue(
        _ bytes: borrowing RawSpan, _ range: ByteRange, depth: Int
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1, 7: _ = try field.rangeValue()  // string_value, bytes_value
            case 2, 3: _ = try field.varintValue()  // bool_value, int_value
            case 4: _ = try field.fixed64Value()  // double_value
            case 5, 6:  // array_value, kvlist_value
                let list = try field.rangeValue()
                guard depth < limits.nestingDepth else { throw .tooDeep(offset: field.offset) }
                try values(bytes, list, isArray: field.number == 5, depth: depth + 1)
            default: break
            }
        }
    }

    private func values(
        _ bytes: borrowing RawSpan, _ range: ByteRange, isArray: Bool, depth: Int
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            guard field.number == 1 else { continue }
            if isArray {
                try anyValue(bytes, try field.rangeValue(), depth: depth)
            } else {
                try keyValue(bytes, try field.rangeValue(), depth: depth)
            }
        }
    }
}
