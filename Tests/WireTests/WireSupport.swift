import OTLPWire
import ProtobufWriter
import TraceGenerator
import TraceModel

/// A message as its sender means it, whatever way it is encoded.
struct ModelMessage {
    var groups: [ModelResourceSpans] = []
}

struct ModelResourceSpans {
    var attributes: [GeneratedAttribute] = []
    var schemaURL = ""
    var scopes: [ModelScopeSpans] = []
}

struct ModelScopeSpans {
    var name = ""
    var version = ""
    var schemaURL = ""
    var spans: [GeneratedSpan] = []
}

extension SeededRandom {
    mutating func bytes(_ counts: ClosedRange<Int>) -> [UInt8] {
        (0..<int(in: counts)).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    mutating func text() -> String {
        pick(["", "a", "http.route", "grün", "x\u{0}y", String(repeating: "long ", count: below(60))])
    }

    mutating func value(depth: Int) -> GeneratedValue {
        switch below(depth > 0 ? 9 : 6) {
        case 0: .string(text())
        case 1: .bool(chance(0.5))
        case 2: .int(pick([0, 1, -1, .max, .min, 5, Int64(bitPattern: next())]))
        case 3: .double(pick([0, 5, -1.5, .infinity, .leastNonzeroMagnitude, unit()]))
        case 4: .bytes(bytes(0...20))
        case 5: .empty
        case 6: .array((0..<below(4)).map { _ in value(depth: depth - 1) })
        default: .keyValueList(attributes(0...3, depth: depth - 1))
        }
    }

    mutating func attributes(_ counts: ClosedRange<Int>, depth: Int = 2) -> [GeneratedAttribute] {
        (0..<int(in: counts)).map { _ in
            GeneratedAttribute(pick(["k", "", "http.method", "key.\(below(5))", text()]), value(depth: depth))
        }
    }

    mutating func span() -> GeneratedSpan {
        var span = GeneratedSpan(
            traceID: traceID(), spanID: spanID(), name: text(), startTimeUnixNano: next(),
            endTimeUnixNano: next())
        if chance(0.5) { span.parentSpanID = spanID() }
        span.kind = below(6)
        span.attributes = attributes(0...6)
        span.droppedAttributesCount = UInt32(below(3))
        span.events = (0..<below(3)).map { _ in
            var event = GeneratedEvent(timeUnixNano: next(), name: text(), attributes: attributes(0...3))
            event.droppedAttributesCount = UInt32(below(2))
            return event
        }
        span.droppedEventsCount = UInt32(below(3))
        span.links = (0..<below(3)).map { _ in
            var link = GeneratedLink(traceID: traceID(), spanID: spanID())
            link.traceState = text()
            link.attributes = attributes(0...2)
            link.droppedAttributesCount = UInt32(below(2))
            link.flags = UInt32(truncatingIfNeeded: next())
            return link
        }
        span.droppedLinksCount = UInt32(below(3))
        span.statusCode = below(3)
        span.statusMessage = text()
        span.traceState = pick(["", "vendor=1", "a=b,ot=th:8;rv:0123456789abcd", "ot=rv:0123456789abc"])
        span.flags = UInt32(truncatingIfNeeded: next())
        return span
    }

    mutating func message() -> ModelMessage {
        ModelMessage(
            groups: (0..<below(4)).map { _ in
                ModelResourceSpans(
                    attributes: attributes(0...4), schemaURL: text(),
                    scopes: (0..<below(4)).map { _ in
                        ModelScopeSpans(
                            name: text(), version: text(), schemaURL: text(),
                            spans: (0..<below(6)).map { _ in span() })
                    })
            })
    }
}

/// Encodes in the ways that protobuf allows and no SDK uses: fields in any order, unknown fields
/// and groups in between, messages in pieces, scalars that are overruled later.
struct UnusualEncoder {
    var random: SeededRandom

    mutating func encode(_ message: ModelMessage) -> [UInt8] {
        var fields = [Pieces.ordered(1, message.groups.map { resourceSpans($0) })]
        return join(&fields)
    }

    /// Fields that must stay in this order among themselves; everything else may be shuffled around.
    struct Pieces {
        var fields: [[UInt8]]

        static func ordered(_ number: UInt32, _ bodies: [[UInt8]]) -> Pieces {
            Pieces(
                fields: bodies.map { body in
                    var writer = MessageWriter()
                    writer.bytes(number, body)
                    return writer.bytes
                })
        }

        static func written(_ write: (inout MessageWriter) -> Void) -> Pieces {
            var writer = MessageWriter()
            write(&writer)
            return Pieces(fields: [writer.bytes])
        }
    }

    /// Draws from the lists in random order, keeping each list's own; puts unknown fields in between.
    mutating func join(_ lists: inout [Pieces]) -> [UInt8] {
        var bytes: [UInt8] = []
        lists.removeAll { $0.fields.isEmpty }
        while !lists.isEmpty {
            if random.chance(0.15) { bytes += unknownField() }
            let index = random.below(lists.count)
            bytes += lists[index].fields.removeFirst()
            if lists[index].fields.isEmpty { lists.remove(at: index) }
        }
        if random.chance(0.15) { bytes += unknownField() }
        return bytes
    }

    mutating func unknownField() -> [UInt8] {
        var writer = MessageWriter()
        let number = UInt32(random.pick([100, 2047, 1 << 20, (1 << 29) - 1]))
        let value = random.next()
        let text = random.bytes(0...200)
        switch random.below(5) {
        case 0: writer.varint(number, value)
        case 1: writer.fixed64(number, value)
        case 2: writer.fixed32(number, UInt32(truncatingIfNeeded: value))
        case 3: writer.bytes(number, text)
        default:
            writer.group(number) { group in
                group.varint(1, value)
                group.group(number) { $0.bytes(2, text) }
            }
        }
        return writer.bytes
    }

    // MARK: Messages

    private mutating func resourceSpans(_ model: ModelResourceSpans) -> [UInt8] {
        var fields = [
            Pieces.ordered(1, pieces(model.attributes.map { keyValue(1, $0) })),
            Pieces.ordered(2, model.scopes.map { scopeSpans($0) }),
            overruled(3, text: model.schemaURL),
        ]
        return join(&fields)
    }

    private mutating func scopeSpans(_ model: ModelScopeSpans) -> [UInt8] {
        let scope = [overruled(1, text: model.name), overruled(2, text: model.version)].flatMap(\.fields)
        var fields = [
            Pieces.ordered(1, pieces(scope)),
            Pieces.ordered(2, model.spans.map { span($0) }),
            overruled(3, text: model.schemaURL),
        ]
        return join(&fields)
    }

    mutating func span(_ span: GeneratedSpan) -> [UInt8] {
        var fields = [
            Pieces.ordered(1, repeated(span.traceID.bytes, before: random.bytes(0...20))),
            Pieces.ordered(2, repeated(span.spanID.bytes, before: random.bytes(0...9))),
            overruled(3, text: span.traceState), overruled(5, text: span.name),
            Pieces.written { $0.int(6, Int64(span.kind)) },
            Pieces.written {
                $0.fixed64(7, 1)
                $0.fixed64(7, span.startTimeUnixNano)
            },
            Pieces.written { $0.fixed64(8, span.endTimeUnixNano) },
            Pieces(fields: span.attributes.map { keyValue(9, $0) }),
            Pieces.written { $0.varint(10, UInt64(span.droppedAttributesCount)) },
            Pieces.ordered(11, span.events.map { event($0) }),
            Pieces.written { $0.varint(12, UInt64(span.droppedEventsCount)) },
            Pieces.ordered(13, span.links.map { link($0) }),
            Pieces.written { $0.varint(14, UInt64(span.droppedLinksCount)) },
            Pieces.ordered(15, status(span)),
            Pieces.written { $0.fixed32(16, span.flags) },
        ]
        if span.parentSpanID.isValid {
            fields.append(Pieces.ordered(4, repeated(span.parentSpanID.bytes, before: [1, 2])))
        }
        return join(&fields)
    }

    private mutating func status(_ span: GeneratedSpan) -> [[UInt8]] {
        let code = Pieces.written { $0.int(3, Int64(span.statusCode)) }
        return pieces(overruled(2, text: span.statusMessage).fields + code.fields)
    }

    private mutating func event(_ event: GeneratedEvent) -> [UInt8] {
        var fields = [
            Pieces.written { $0.fixed64(1, event.timeUnixNano) }, overruled(2, text: event.name),
            Pieces(fields: event.attributes.map { keyValue(3, $0) }),
            Pieces.written { $0.varint(4, UInt64(event.droppedAttributesCount)) },
        ]
        return join(&fields)
    }

    private mutating func link(_ link: GeneratedLink) -> [UInt8] {
        var fields = [
            Pieces.written { $0.bytes(1, link.traceID.bytes) },
            Pieces.written { $0.bytes(2, link.spanID.bytes) }, overruled(3, text: link.traceState),
            Pieces(fields: link.attributes.map { keyValue(4, $0) }),
            Pieces.written { $0.varint(5, UInt64(link.droppedAttributesCount)) },
            Pieces.written { $0.fixed32(6, link.flags) },
        ]
        return join(&fields)
    }

    // MARK: Attributes

    private mutating func keyValue(_ number: UInt32, _ attribute: GeneratedAttribute) -> [UInt8] {
        // The first key counts.
        let key = Array(attribute.key.utf8)
        var fields = [
            Pieces.ordered(1, random.chance(0.1) ? [key, [0x6B]] : [key]),
            Pieces.ordered(2, values(attribute.value)),
        ]
        let body = join(&fields)
        return Pieces.ordered(number, [body]).fields[0]
    }

    /// The bodies of one or two occurrences of an `AnyValue` field which together are the value.
    private mutating func values(_ value: GeneratedValue) -> [[UInt8]] {
        guard random.chance(0.2), value != .empty else { return [anyValue(value)] }
        switch value {
        case .array(let elements) where elements.count > 1:
            return [anyValue(.array([elements[0]])), anyValue(.array(Array(elements.dropFirst())))]
        case .keyValueList(let attributes) where attributes.count > 1:
            return [
                anyValue(.keyValueList([attributes[0]])),
                anyValue(.keyValueList(Array(attributes.dropFirst()))),
            ]
        case .array, .keyValueList: return [anyValue(.int(7)), anyValue(value)]
        default: return [anyValue(.array([.int(1), .string("gone")])), anyValue(value)]
        }
    }

    private mutating func anyValue(_ value: GeneratedValue) -> [UInt8] {
        var writer = MessageWriter()
        if random.chance(0.1) { writer.raw(unknownField()) }
        switch value {
        case .array(let elements):
            let bodies = elements.map { anyValue($0) }
            writer.message(5) { list in bodies.forEach { list.bytes(1, $0) } }
        case .keyValueList(let attributes):
            let fields = attributes.map { keyValue(1, $0) }
            writer.message(6) { list in fields.forEach { list.raw($0) } }
        default: value.write(to: &writer)
        }
        return writer.bytes
    }

    // MARK: Pieces

    /// Groups fields into the bodies of one or several occurrences of a message, sometimes of none.
    private mutating func pieces(_ fields: [[UInt8]]) -> [[UInt8]] {
        guard !fields.isEmpty else { return random.chance(0.5) ? [] : [[]] }
        var bodies: [[UInt8]] = [[]]
        for field in fields {
            if random.chance(0.3) { bodies.append([]) }
            bodies[bodies.count - 1] += field
        }
        return bodies
    }

    private mutating func repeated(_ value: [UInt8], before other: [UInt8]) -> [[UInt8]] {
        random.chance(0.2) ? [other, value] : [value]
    }

    private mutating func overruled(_ number: UInt32, text: String) -> Pieces {
        Pieces.ordered(number, repeated(Array(text.utf8), before: [0x6F, 0xFF]))
    }
}

extension [UInt8] {
    func subrange(_ range: ByteRange) -> [UInt8] {
        Array(self[range.lowerBound..<range.upperBound])
    }

    func text(_ range: ByteRange) -> String {
        String(decoding: subrange(range), as: UTF8.self)
    }
}

/// Turns decoded contents back into what the sender meant.
struct Rebuilder {
    /// The message, and what was merged behind it.
    let bytes: [UInt8]

    func attributes(_ range: Range<Int>, of tape: AttributeTape) -> [GeneratedAttribute] {
        var attributes: [GeneratedAttribute] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let node = tape.nodes[index]
            attributes.append(GeneratedAttribute(bytes.text(node.key), value(index, of: tape)))
            index = Int(node.next)
        }
        return attributes
    }

    private func value(_ index: Int, of tape: AttributeTape) -> GeneratedValue {
        let node = tape.nodes[index]
        let inside = (index + 1)..<Int(node.next)
        switch node.kind {
        case .empty: return .empty
        case .string: return .string(bytes.text(node.content))
        case .bool: return .bool(node.boolValue)
        case .int: return .int(node.intValue)
        case .double: return .double(node.doubleValue)
        case .bytes: return .bytes(bytes.subrange(node.content))
        case .array: return .array(attributes(inside, of: tape).map(\.value))
        case .keyValueList: return .keyValueList(attributes(inside, of: tape))
        }
    }

    func span(_ record: SpanRecord) throws -> GeneratedSpan {
        var contents = SpanContents()
        try contents.decode(record.span, in: bytes.span.bytes)
        var span = GeneratedSpan(
            traceID: record.traceID, spanID: record.spanID, name: bytes.text(contents.name),
            startTimeUnixNano: contents.startTimeUnixNano, endTimeUnixNano: contents.endTimeUnixNano)
        span.parentSpanID = record.parentSpanID
        span.kind = Int(contents.kind)
        span.attributes = attributes(contents.attributes, of: contents.tape)
        span.droppedAttributesCount = contents.droppedAttributesCount
        span.events = contents.events.map {
            var event = GeneratedEvent(
                timeUnixNano: $0.timeUnixNano, name: bytes.text($0.name),
                attributes: attributes($0.attributes, of: contents.tape))
            event.droppedAttributesCount = $0.droppedAttributesCount
            return event
        }
        span.droppedEventsCount = contents.droppedEventsCount
        span.links = contents.links.map { link($0, of: contents.tape) }
        span.droppedLinksCount = contents.droppedLinksCount
        span.statusCode = Int(contents.statusCode)
        span.statusMessage = bytes.text(contents.statusMessage)
        span.traceState = bytes.text(contents.traceState)
        span.flags = contents.flags
        return span
    }

    private func link(_ contents: LinkContents, of tape: AttributeTape) -> GeneratedLink {
        let ids = bytes.subrange(contents.traceID) + bytes.subrange(contents.spanID)
        let words = stride(from: 0, to: ids.count, by: 8).map { start in
            ids[start..<(start + 8)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        var link = GeneratedLink(
            traceID: TraceID(high: words[0], low: words[1]), spanID: SpanID(words[2]))
        link.traceState = bytes.text(contents.traceState)
        link.attributes = attributes(contents.attributes, of: tape)
        link.droppedAttributesCount = contents.droppedAttributesCount
        link.flags = contents.flags
        return link
    }
}

/// Scans and answers the batch with all the bytes that its records address.
func scan(
    _ message: [UInt8], _ program: MatcherProgram = .empty, limits: WireLimits = WireLimits()
) throws(WireError) -> (batch: SpanBatch, bytes: [UInt8]) {
    var batch = SpanBatch()
    try SpanScanner.scan(message.span.bytes, matching: program, into: &batch, limits: limits)
    return (batch, message + batch.merged)
}

func validate(
    _ message: [UInt8], limits: WireLimits = WireLimits()
) throws(WireError) -> MessageSummary {
    try MessageValidator.validate(message.span.bytes, limits: limits)
}

func encoded(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
    var writer = MessageWriter()
    write(&writer)
    return writer.bytes
}

/// A request of one resource and scope with these spans' bodies.
func request(spans bodies: [[UInt8]]) -> [UInt8] {
    encoded { request in
        request.message(1) { resourceSpans in
            resourceSpans.message(2) { scopeSpans in bodies.forEach { scopeSpans.bytes(2, $0) } }
        }
    }
}
