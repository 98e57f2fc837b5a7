internal import OTLPWire
public import TraceModel

extension KeptTrace {
    /// The size of the trace as OTLP protobuf, `TracesData`, in the encoding that the Collector writes; nil when its
    /// bytes do not decode.
    ///
    /// Spans of one message under one resource are one `ResourceSpans`, those of one scope in it one `ScopeSpans`;
    /// neighbours without a resource, or without a scope, count as one.
    /// What senders write in more bytes than needed counts as the shortest encoding; fields that OTLP does not know
    /// count nothing. Where the Collector's encoder writes an empty field (ids, status, resource, scope, the value of
    /// an attribute), its two bytes are counted.
    ///
    /// - Complexity: O(*n*) for *n* bytes; O(*s* log *s*) more for *s* spans that are not in the order of their log.
    public var tracesDataBytes: Int? {
        let bytes = arena.span
        let isSorted = zip(spans, spans.dropFirst()).allSatisfy { Self.precedes($0, $1) }
        let ordered = isSorted ? spans : spans.sorted(by: Self.precedes)
        var total = 0
        var resourceSpans = 0
        var scopeSpans = 0
        do throws(WireError) {
            for (position, span) in ordered.enumerated() {
                let before = position == 0 ? nil : ordered[position - 1]
                let isSameResource = before.map { Self.sharesResource($0, span) } ?? false
                let isSameScope = isSameResource && (before.map { Self.sharesScope($0, span) } ?? false)
                if !isSameScope {
                    if scopeSpans > 0 { resourceSpans += MessageSize.delimited(scopeSpans) }
                    scopeSpans = MessageSize.delimited(try MessageSize.of(.scope, span.scope, in: bytes))
                    if !span.scopeSchemaURL.isEmpty {
                        scopeSpans += MessageSize.delimited(Int(span.scopeSchemaURL.count))
                    }
                }
                if !isSameResource {
                    if resourceSpans > 0 { total += MessageSize.delimited(resourceSpans) }
                    resourceSpans = MessageSize.delimited(try MessageSize.of(.resource, span.resource, in: bytes))
                    if !span.resourceSchemaURL.isEmpty {
                        resourceSpans += MessageSize.delimited(Int(span.resourceSchemaURL.count))
                    }
                }
                scopeSpans += MessageSize.delimited(try MessageSize.of(.span, span.span, in: bytes))
            }
        } catch {
            return nil
        }
        guard !ordered.isEmpty else { return 0 }
        return total + MessageSize.delimited(resourceSpans + MessageSize.delimited(scopeSpans))
    }

    private static func precedes(_ one: KeptSpan, _ other: KeptSpan) -> Bool {
        (one.offset, one.index) < (other.offset, other.index)
    }

    private static func sharesResource(_ one: KeptSpan, _ other: KeptSpan) -> Bool {
        one.offset == other.offset && one.resource == other.resource
            && one.resourceSchemaURL == other.resourceSchemaURL
    }

    private static func sharesScope(_ one: KeptSpan, _ other: KeptSpan) -> Bool {
        one.scope == other.scope && one.scopeSchemaURL == other.scopeSchemaURL
    }
}

/// Sizes of messages in their shortest encoding.
enum MessageSize {
    /// The messages that a trace consists of.
    enum Message {
        case span
        case event
        case link
        case status
        case resource
        case entityReference
        case scope
        case keyValue
        case anyValue
        case arrayValue
        case keyValueList
    }

    /// How a field is encoded, and when.
    enum Field {
        /// An unsigned number; 0 is not written.
        case unsigned32
        /// An enumeration's number, sign-extended; 0 is not written.
        case enumeration
        /// Not written when 0.
        case fixed32
        case fixed64
        /// Not written when empty.
        case text
        /// Written when empty too, as which zeros count.
        case identity
        /// A message that is written when empty too.
        case one(Message)
        case repeated(Message)
        case repeatedText
        /// A member of a oneof, written whatever its value; the last one counts.
        case choice(Choice)
        /// Nothing that OTLP knows.
        case unknown
    }

    enum Choice {
        case bool
        case integer
        case double
        case text
        case message(Message)
    }

    /// A field with a tag of one byte and a length before its body; all of OTLP's numbers are below 16 but `flags`.
    static func delimited(_ count: Int) -> Int { 1 + varint(UInt64(count)) + count }

    static func varint(_ number: UInt64) -> Int {
        max(1, (70 - number.leadingZeroBitCount) / 7)
    }

    /// - Parameter depth: Messages around this one.
    static func of(
        _ message: Message, _ range: ByteRange, in bytes: Span<UInt8>, depth: Int = 0
    ) throws(WireError) -> Int {
        let limits = WireLimits()
        // A level of values is at most three messages: the list, its pair, the pair's value. Around them are
        // span, event, pair and value.
        guard depth <= 3 * limits.nestingDepth + 4 else { throw .tooDeep(offset: range.lowerBound) }
        // The size of each field by its number: a later occurrence replaces an earlier one, a repeated field adds.
        var sizes = InlineArray<17, Int>(repeating: 0)
        for number in message.alwaysWritten { sizes[number] = 2 }
        var cursor = WireCursor(range, limits: limits)
        while let field = try cursor.next(in: bytes.bytes) {
            guard field.number < 17 else { continue }
            let number = Int(field.number)
            switch message.field(field.number) {
            case .unknown: continue
            case .unsigned32:
                let value = UInt64(UInt32(truncatingIfNeeded: try field.varintValue()))
                sizes[number] = value == 0 ? 0 : 1 + varint(value)
            case .enumeration:
                let value = Int32(truncatingIfNeeded: try field.varintValue())
                sizes[number] = value == 0 ? 0 : 1 + varint(UInt64(bitPattern: Int64(value)))
            case .fixed32:
                // The one field of these, `flags`, has number 6 in a link and 16 in a span.
                sizes[number] = try field.fixed32Value() == 0 ? 0 : (number < 16 ? 5 : 6)
            case .fixed64: sizes[number] = try field.fixed64Value() == 0 ? 0 : 9
            case .text:
                let count = Int(try field.rangeValue().count)
                sizes[number] = count == 0 ? 0 : delimited(count)
            case .identity: sizes[number] = delimited(identitySize(try field.rangeValue(), in: bytes))
            case .repeatedText: sizes[number] += delimited(Int(try field.rangeValue().count))
            case .one(let part):
                sizes[number] = delimited(try of(part, try field.rangeValue(), in: bytes, depth: depth + 1))
            case .repeated(let part):
                sizes[number] += delimited(try of(part, try field.rangeValue(), in: bytes, depth: depth + 1))
            case .choice(let choice):
                sizes = InlineArray(repeating: 0)
                sizes[number] = try size(choice, field, in: bytes, depth: depth)
            }
        }
        var total = 0
        for number in sizes.indices { total += sizes[number] }
        return total
    }

    /// An id of zeros is the Collector's empty one.
    private static func identitySize(_ range: ByteRange, in bytes: Span<UInt8>) -> Int {
        for offset in range.lowerBound..<range.upperBound
        where bytes[offset] != 0 { return Int(range.count) }
        return 0
    }

    private static func size(
        _ choice: Choice, _ field: WireField, in bytes: Span<UInt8>, depth: Int
    ) throws(WireError) -> Int {
        switch choice {
        case .bool:
            _ = try field.varintValue()
            return 2
        case .integer: return 1 + varint(try field.varintValue())
        case .double:
            _ = try field.fixed64Value()
            return 9
        case .text: return delimited(Int(try field.rangeValue().count))
        case .message(let part):
            return delimited(try of(part, try field.rangeValue(), in: bytes, depth: depth + 1))
        }
    }
}

/// Source: opentelemetry-proto 1.7, trace.proto, common.proto, resource.proto.
extension MessageSize.Message {
    /// Numbers of the fields that the Collector writes when they are empty.
    var alwaysWritten: [Int] {
        switch self {
        case .span: [1, 2, 4, 15]
        case .link: [1, 2]
        case .keyValue: [2]
        default: []
        }
    }

    func field(_ number: UInt32) -> MessageSize.Field {
        switch self {
        case .span: Self.span(number)
        case .event: Self.event(number)
        case .link: Self.link(number)
        case .status: number == 2 ? .text : number == 3 ? .enumeration : .unknown
        case .resource:
            switch number {
            case 1: .repeated(.keyValue)
            case 2: .unsigned32
            case 3: .repeated(.entityReference)
            default: .unknown
            }
        case .entityReference: number <= 2 ? .text : number <= 4 ? .repeatedText : .unknown
        case .scope:
            switch number {
            case 1, 2: .text
            case 3: .repeated(.keyValue)
            case 4: .unsigned32
            default: .unknown
            }
        case .keyValue: number == 1 ? .text : number == 2 ? .one(.anyValue) : .unknown
        case .anyValue: Self.anyValue(number)
        case .arrayValue: number == 1 ? .repeated(.anyValue) : .unknown
        case .keyValueList: number == 1 ? .repeated(.keyValue) : .unknown
        }
    }

    private static func span(_ number: UInt32) -> MessageSize.Field {
        switch number {
        case 1, 2, 4: .identity
        case 3, 5: .text
        case 6: .enumeration
        case 7, 8: .fixed64
        case 9: .repeated(.keyValue)
        case 10, 12, 14: .unsigned32
        case 11: .repeated(.event)
        case 13: .repeated(.link)
        case 15: .one(.status)
        case 16: .fixed32
        default: .unknown
        }
    }

    private static func event(_ number: UInt32) -> MessageSize.Field {
        switch number {
        case 1: .fixed64
        case 2: .text
        case 3: .repeated(.keyValue)
        case 4: .unsigned32
        default: .unknown
        }
    }

    private static func link(_ number: UInt32) -> MessageSize.Field {
        switch number {
        case 1, 2: .identity
        case 3: .text
        case 4: .repeated(.keyValue)
        case 5: .unsigned32
        case 6: .fixed32
        default: .unknown
        }
    }

    private static func anyValue(_ number: UInt32) -> MessageSize.Field {
        switch number {
        case 1, 7: .choice(.text)
        case 2: .choice(.bool)
        case 3: .choice(.integer)
        case 4: .choice(.double)
        case 5: .choice(.message(.arrayValue))
        case 6: .choice(.message(.keyValueList))
        default: .unknown
        }
    }
}
