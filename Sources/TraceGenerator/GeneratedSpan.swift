public import ProtobufWriter
public import TraceModel

/// An attribute's value; the members of `AnyValue` in common.proto.
public indirect enum GeneratedValue: Hashable, Sendable {
    /// An `AnyValue` without a member.
    case empty
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes([UInt8])
    case array([GeneratedValue])
    case keyValueList([GeneratedAttribute])
}

public struct GeneratedAttribute: Hashable, Sendable {
    public var key: String
    public var value: GeneratedValue

    public init(_ key: String, _ value: GeneratedValue) {
        self.key = key
        self.value = value
    }

    public init(_ key: String, _ text: String) {
        self.init(key, .string(text))
    }

    public init(_ key: String, _ number: Int) {
        self.init(key, .int(Int64(number)))
    }
}

public struct GeneratedEvent: Hashable, Sendable {
    /// Nanoseconds since 1970.
    public var timeUnixNano: UInt64
    public var name: String
    public var attributes: [GeneratedAttribute]
    public var droppedAttributesCount: UInt32 = 0

    public init(timeUnixNano: UInt64, name: String, attributes: [GeneratedAttribute] = []) {
        self.timeUnixNano = timeUnixNano
        self.name = name
        self.attributes = attributes
    }
}

public struct GeneratedLink: Hashable, Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    public var traceState = ""
    public var attributes: [GeneratedAttribute] = []
    public var droppedAttributesCount: UInt32 = 0
    public var flags: UInt32 = 0

    public init(traceID: TraceID, spanID: SpanID) {
        self.traceID = traceID
        self.spanID = spanID
    }
}

/// A span as a sender has it.
public struct GeneratedSpan: Hashable, Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    /// 0 for the root.
    public var parentSpanID = SpanID(0)
    public var name: String
    /// 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    public var kind = 1
    /// Nanoseconds since 1970.
    public var startTimeUnixNano: UInt64
    /// Nanoseconds since 1970.
    public var endTimeUnixNano: UInt64
    public var attributes: [GeneratedAttribute] = []
    public var droppedAttributesCount: UInt32 = 0
    public var events: [GeneratedEvent] = []
    public var droppedEventsCount: UInt32 = 0
    public var links: [GeneratedLink] = []
    public var droppedLinksCount: UInt32 = 0
    /// 0 unset, 1 ok, 2 error.
    public var statusCode = 0
    public var statusMessage = ""
    public var traceState = ""
    /// The W3C flags in the lowest byte; bit 8 says that bit 9, "the parent is remote", is known.
    public var flags: UInt32 = 0x101

    public init(
        traceID: TraceID, spanID: SpanID, name: String, startTimeUnixNano: UInt64,
        endTimeUnixNano: UInt64
    ) {
        self.traceID = traceID
        self.spanID = spanID
        self.name = name
        self.startTimeUnixNano = startTimeUnixNano
        self.endTimeUnixNano = endTimeUnixNano
    }
}

/// A request as an SDK sends it: one resource, one scope, some spans.
public struct GeneratedRequest: Hashable, Sendable {
    public var resource: [GeneratedAttribute]
    public var scopeName: String
    public var scopeVersion: String
    public var spans: [GeneratedSpan]

    public init(
        resource: [GeneratedAttribute], scopeName: String, scopeVersion: String,
        spans: [GeneratedSpan]
    ) {
        self.resource = resource
        self.scopeName = scopeName
        self.scopeVersion = scopeVersion
        self.spans = spans
    }

    /// The `ResourceSpans` message as field 1 of an `ExportTraceServiceRequest`; several appended one
    /// after the other are one request.
    public func write(to writer: inout MessageWriter) {
        writer.message(1) { resourceSpans in
            resourceSpans.message(1) { $0.attributes(resource, field: 1) }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) {
                    $0.string(1, scopeName)
                    $0.string(2, scopeVersion)
                }
                for span in spans { scopeSpans.message(2) { span.write(to: &$0) } }
            }
        }
    }

    /// The encoded `ExportTraceServiceRequest`.
    public func encoded() -> [UInt8] {
        var writer = MessageWriter(capacity: 256 * (spans.count + 1))
        write(to: &writer)
        return writer.bytes
    }
}

extension GeneratedSpan {
    /// Writes the body of a `Span` as SDKs do: fields in order, without those that are unset.
    public func write(to writer: inout MessageWriter) {
        writer.bytes(1, traceID.bytes)
        writer.bytes(2, spanID.bytes)
        if !traceState.isEmpty { writer.string(3, traceState) }
        if parentSpanID.isValid { writer.bytes(4, parentSpanID.bytes) }
        writer.string(5, name)
        if kind != 0 { writer.int(6, Int64(kind)) }
        writer.fixed64(7, startTimeUnixNano)
        writer.fixed64(8, endTimeUnixNano)
        writer.attributes(attributes, field: 9)
        if droppedAttributesCount > 0 { writer.varint(10, UInt64(droppedAttributesCount)) }
        for event in events { writer.message(11) { event.write(to: &$0) } }
        if droppedEventsCount > 0 { writer.varint(12, UInt64(droppedEventsCount)) }
        for link in links { writer.message(13) { link.write(to: &$0) } }
        if droppedLinksCount > 0 { writer.varint(14, UInt64(droppedLinksCount)) }
        if statusCode != 0 || !statusMessage.isEmpty {
            writer.message(15) {
                if !statusMessage.isEmpty { $0.string(2, statusMessage) }
                if statusCode != 0 { $0.int(3, Int64(statusCode)) }
            }
        }
        if flags != 0 { writer.fixed32(16, flags) }
    }
}

extension GeneratedEvent {
    /// Writes the body of a `Span.Event`.
    public func write(to writer: inout MessageWriter) {
        writer.fixed64(1, timeUnixNano)
        writer.string(2, name)
        writer.attributes(attributes, field: 3)
        if droppedAttributesCount > 0 { writer.varint(4, UInt64(droppedAttributesCount)) }
    }
}

extension GeneratedLink {
    /// Writes the body of a `Span.Link`.
    public func write(to writer: inout MessageWriter) {
        writer.bytes(1, traceID.bytes)
        writer.bytes(2, spanID.bytes)
        if !traceState.isEmpty { writer.string(3, traceState) }
        writer.attributes(attributes, field: 4)
        if droppedAttributesCount > 0 { writer.varint(5, UInt64(droppedAttributesCount)) }
        if flags != 0 { writer.fixed32(6, flags) }
    }
}

extension GeneratedAttribute {
    /// Writes the body of a `KeyValue`.
    public func write(to writer: inout MessageWriter) {
        writer.string(1, key)
        writer.message(2) { value.write(to: &$0) }
    }
}

extension GeneratedValue {
    /// Writes the body of an `AnyValue`.
    public func write(to writer: inout MessageWriter) {
        switch self {
        case .empty: break
        case .string(let text): writer.string(1, text)
        case .bool(let value): writer.bool(2, value)
        case .int(let value): writer.int(3, value)
        case .double(let value): writer.double(4, value)
        case .array(let values):
            writer.message(5) { list in
                for value in values { list.message(1) { value.write(to: &$0) } }
            }
        case .keyValueList(let attributes): writer.message(6) { $0.attributes(attributes, field: 1) }
        case .bytes(let bytes): writer.bytes(7, bytes)
        }
    }
}

extension MessageWriter {
    mutating func attributes(_ attributes: [GeneratedAttribute], field: UInt32) {
        for attribute in attributes { message(field) { attribute.write(to: &$0) } }
    }
}

extension TraceID {
    /// The 16 bytes as they go over the wire.
    public var bytes: [UInt8] { SpanID(high).bytes + SpanID(low).bytes }
}

extension SpanID {
    /// The 8 bytes as they go over the wire.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}
