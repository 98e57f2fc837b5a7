public import TraceModel

/// A span event; its attributes are on the tape of the `SpanContents` it belongs to.
public struct EventContents: Sendable, Hashable {
    /// Nanoseconds since 1970.
    public var timeUnixNano: UInt64 = 0
    public var name: ByteRange = .none
    /// Indexes of nodes on the tape, descendants included.
    public var attributes: Range<Int> = 0..<0
    public var droppedAttributesCount: UInt32 = 0
}

/// A link to another span; its attributes are on the tape of the `SpanContents` it belongs to.
public struct LinkContents: Sendable, Hashable {
    /// As sent, of any length.
    public var traceID: ByteRange = .none
    /// As sent, of any length.
    public var spanID: ByteRange = .none
    public var traceState: ByteRange = .none
    /// Indexes of nodes on the tape, descendants included.
    public var attributes: Range<Int> = 0..<0
    public var droppedAttributesCount: UInt32 = 0
    public var flags: UInt32 = 0
}

/// Every field of a span, decoded for a sink. Ranges point into the bytes given to `decode`.
///
/// Reused from span to span, it allocates only while it grows.
///
/// Source: opentelemetry/proto/trace/v1/trace.proto, message Span.
public struct SpanContents: Sendable {
    public var traceState: ByteRange = .none
    public var name: ByteRange = .none
    public var kind: Int32 = 0
    /// Nanoseconds since 1970.
    public var startTimeUnixNano: UInt64 = 0
    /// Nanoseconds since 1970.
    public var endTimeUnixNano: UInt64 = 0
    public var traceID: ByteRange = .none
    public var spanID: ByteRange = .none
    public var parentSpanID: ByteRange = .none
    public var flags: UInt32 = 0
    public var statusCode: Int32 = 0
    public var statusMessage: ByteRange = .none
    public var droppedAttributesCount: UInt32 = 0
    public var droppedEventsCount: UInt32 = 0
    public var droppedLinksCount: UInt32 = 0
    /// Indexes of the span's own attributes on the tape, descendants included.
    public var attributes: Range<Int> = 0..<0
    /// The bodies of the span's own attributes, `KeyValue` messages, when `decode` was told to leave them.
    public var attributeBodies: [ByteRange] = []
    public var events: [EventContents] = []
    public var links: [LinkContents] = []
    /// Attributes of the span, then of each event, then of each link.
    public var tape = AttributeTape()

    public init() {}

    /// Decodes the body of a `Span`, replacing what was there.
    ///
    /// - Parameter leavesAttributes: The span's own attributes go to `attributeBodies`, not to the tape: for a caller
    ///   who has seen most of them before.
    public mutating func decode(
        _ span: ByteRange, in bytes: borrowing RawSpan, leavesAttributes: Bool = false,
        limits: WireLimits = WireLimits()
    ) throws(WireError) {
        clear()
        var cursor = WireCursor(span, limits: limits)
        var hasEventsOrLinks = false
        while true {
            if leavesAttributes, let body = cursor.takeShort(tag: 0x4A, in: bytes) {  // 9, attributes
                attributeBodies.append(body)
                continue
            }
            guard let field = try cursor.next(in: bytes) else { break }
            switch field.number {
            case 1: traceID = try field.rangeValue()
            case 2: spanID = try field.rangeValue()
            case 3: traceState = try field.rangeValue()
            case 4: parentSpanID = try field.rangeValue()
            case 5: name = try field.rangeValue()
            case 6: kind = Int32(truncatingIfNeeded: try field.varintValue())
            case 7: startTimeUnixNano = try field.fixed64Value()
            case 8: endTimeUnixNano = try field.fixed64Value()
            case 9:
                let body = try field.rangeValue()
                if leavesAttributes {
                    attributeBodies.append(body)
                } else {
                    try tape.append(keyValue: body, in: bytes, limits: limits)
                }
            case 10: droppedAttributesCount = UInt32(truncatingIfNeeded: try field.varintValue())
            case 11, 13: hasEventsOrLinks = true
            case 12: droppedEventsCount = UInt32(truncatingIfNeeded: try field.varintValue())
            case 14: droppedLinksCount = UInt32(truncatingIfNeeded: try field.varintValue())
            case 15: try mergeStatus(try field.rangeValue(), in: bytes, limits: limits)
            case 16: flags = try field.fixed32Value()
            default: break
            }
        }
        attributes = 0..<tape.nodes.count
        guard hasEventsOrLinks else { return }
        try decodeEventsAndLinks(span, in: bytes, limits: limits)
    }

    private mutating func clear() {
        traceState = .none
        name = .none
        kind = 0
        startTimeUnixNano = 0
        endTimeUnixNano = 0
        traceID = .none
        spanID = .none
        parentSpanID = .none
        flags = 0
        statusCode = 0
        statusMessage = .none
        droppedAttributesCount = 0
        droppedEventsCount = 0
        droppedLinksCount = 0
        attributeBodies.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        tape.removeAll()
    }

    /// A second walk: the span's attributes must be together on the tape, in whatever order they came.
    private mutating func decodeEventsAndLinks(
        _ span: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        var cursor = WireCursor(span, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 11: try appendEvent(try field.rangeValue(), in: bytes, limits: limits)
            case 13: try appendLink(try field.rangeValue(), in: bytes, limits: limits)
            default: break
            }
        }
    }

    private mutating func mergeStatus(
        _ range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 2: statusMessage = try field.rangeValue()
            case 3: statusCode = Int32(truncatingIfNeeded: try field.varintValue())
            default: break
            }
        }
    }

    private mutating func appendEvent(
        _ range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        var event = EventContents()
        let first = tape.nodes.count
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: event.timeUnixNano = try field.fixed64Value()
            case 2: event.name = try field.rangeValue()
            case 3: try tape.append(keyValue: try field.rangeValue(), in: bytes, limits: limits)
            case 4: event.droppedAttributesCount = UInt32(truncatingIfNeeded: try field.varintValue())
            default: break
            }
        }
        event.attributes = first..<tape.nodes.count
        events.append(event)
    }

    private mutating func appendLink(
        _ range: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits
    ) throws(WireError) {
        var link = LinkContents()
        let first = tape.nodes.count
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: link.traceID = try field.rangeValue()
            case 2: link.spanID = try field.rangeValue()
            case 3: link.traceState = try field.rangeValue()
            case 4: try tape.append(keyValue: try field.rangeValue(), in: bytes, limits: limits)
            case 5: link.droppedAttributesCount = UInt32(truncatingIfNeeded: try field.varintValue())
            case 6: link.flags = try field.fixed32Value()
            default: break
            }
        }
        link.attributes = first..<tape.nodes.count
        links.append(link)
    }
}

/// The fields of a `Resource`; the whole tape is its attributes.
///
/// Source: opentelemetry/proto/resource/v1/resource.proto.
public struct ResourceContents: Sendable {
    public var droppedAttributesCount: UInt32 = 0
    public var tape = AttributeTape()

    public init() {}

    /// Decodes the body of a `Resource`, replacing what was there.
    public mutating func decode(
        _ resource: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits = WireLimits()
    ) throws(WireError) {
        droppedAttributesCount = 0
        tape.removeAll()
        var cursor = WireCursor(resource, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: try tape.append(keyValue: try field.rangeValue(), in: bytes, limits: limits)
            case 2: droppedAttributesCount = UInt32(truncatingIfNeeded: try field.varintValue())
            default: break
            }
        }
    }
}

/// The fields of an `InstrumentationScope`; the whole tape is its attributes.
///
/// Source: opentelemetry/proto/common/v1/common.proto.
public struct ScopeContents: Sendable {
    public var name: ByteRange = .none
    public var version: ByteRange = .none
    public var droppedAttributesCount: UInt32 = 0
    public var tape = AttributeTape()

    public init() {}

    /// Decodes the body of an `InstrumentationScope`, replacing what was there.
    public mutating func decode(
        _ scope: ByteRange, in bytes: borrowing RawSpan, limits: WireLimits = WireLimits()
    ) throws(WireError) {
        name = .none
        version = .none
        droppedAttributesCount = 0
        tape.removeAll()
        var cursor = WireCursor(scope, limits: limits)
        while let field = try cursor.next(in: bytes) {
            switch field.number {
            case 1: name = try field.rangeValue()
            case 2: version = try field.rangeValue()
            case 3: try tape.append(keyValue: try field.rangeValue(), in: bytes, limits: limits)
            case 4: droppedAttributesCount = UInt32(truncatingIfNeeded: try field.varintValue())
            default: break
            }
        }
    }
}
