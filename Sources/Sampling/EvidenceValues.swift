internal import OTLPWire
internal import TraceModel

/// A value in the words of evidence.
struct ShownValue {
    var subject: VoteEvidence.Subject
    var key: String
    var value: String
    var isText = false

    init(_ subject: VoteEvidence.Subject, _ key: String, _ value: String, isText: Bool = false) {
        self.subject = subject
        self.key = key
        self.value = value
        self.isText = isText
    }
}

/// A scalar value with its type, or the statement that it is a list or a map.
struct TypedValue {
    var kind: AttributeKind
    /// Of a string or bytes, in the arena.
    var content = ByteRange.none
    /// Of a bool (0 or 1), an int (two's complement) or a double (its bit pattern).
    var bits: UInt64 = 0

    var boolValue: Bool { bits != 0 }
    var intValue: Int64 { Int64(bitPattern: bits) }
    var doubleValue: Double { Double(bitPattern: bits) }
}

/// One span and its resource, decoded: what matchers can look at, asked plainly.
///
/// Answers what the scanner's `MatcherProgram` answers; a property test holds the two against one another.
struct SpanValues {
    private(set) var contents = SpanContents()
    private var resource = ResourceContents()
    /// Spans of one message share the bytes of their resource.
    private var resourceRange: ByteRange?

    mutating func decode(_ span: KeptSpan, in arena: [UInt8]) throws(WireError) {
        let bytes = arena.span.bytes
        try contents.decode(span.span, in: bytes)
        guard resourceRange != span.resource else { return }
        resourceRange = nil
        try resource.decode(span.resource, in: bytes)
        resourceRange = span.resource
    }

    /// One value for each attribute of that key, as a sender may repeat one; exactly one for a field.
    func values(of subject: MatcherSubject, in arena: [UInt8]) -> [TypedValue] {
        switch subject {
        case .spanAttribute(let key):
            Self.values(key, contents.tape.nodes, contents.attributes, in: arena)
        case .resourceAttribute(let key):
            Self.values(key, resource.tape.nodes, resource.tape.nodes.indices, in: arena)
        case .field(let field): [value(of: field, in: arena)]
        }
    }

    private static func values(
        _ key: [UInt8], _ nodes: [AttributeNode], _ range: Range<Int>, in arena: [UInt8]
    ) -> [TypedValue] {
        var found: [TypedValue] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let node = nodes[index]
            if bytes(node.key, in: arena).elementsEqual(key) {
                found.append(TypedValue(kind: node.kind, content: node.content, bits: node.bits))
            }
            index = Int(node.next)
        }
        return found
    }

    private func value(of field: MatcherField, in arena: [UInt8]) -> TypedValue {
        switch field {
        case .name: TypedValue(kind: .string, content: contents.name)
        case .statusMessage: TypedValue(kind: .string, content: contents.statusMessage)
        case .traceState: TypedValue(kind: .string, content: contents.traceState)
        case .statusCode: TypedValue(kind: .int, bits: UInt64(bitPattern: Int64(contents.statusCode)))
        case .kind: TypedValue(kind: .int, bits: UInt64(bitPattern: Int64(contents.kind)))
        case .durationNanoseconds: TypedValue(kind: .int, bits: contents.endTimeUnixNano &- contents.startTimeUnixNano)
        case .flags: TypedValue(kind: .int, bits: UInt64(contents.flags))
        case .isRoot:
            TypedValue(
                kind: .bool, bits: Self.bytes(contents.parentSpanID, in: arena).allSatisfy { $0 == 0 } ? 1 : 0)
        }
    }

    // MARK: Tests

    /// What makes all terms hold on this span, a value for each; nil when one does not hold.
    func showing(_ terms: [MatcherTerm], in arena: [UInt8]) -> [ShownValue]? {
        var shown: [ShownValue] = []
        for term in terms {
            guard let values = showing(term, in: arena) else { return nil }
            shown += values
        }
        return shown
    }

    private func showing(_ term: MatcherTerm, in arena: [UInt8]) -> [ShownValue]? {
        var others: [ShownValue] = []
        for test in term.anyOf {
            let values = values(of: test.subject, in: arena)
            if let value = values.first(where: { Self.holds(test.condition, $0, in: arena) }) {
                return term.isNegated ? nil : [showing(test.subject, value, in: arena)]
            }
            guard term.isNegated else { continue }
            // What is there instead, each subject once.
            let other = values.first.map { showing(test.subject, $0, in: arena) }
            let shown = other ?? ShownValue(.absence, Self.name(of: test.subject), "")
            if !others.contains(where: { $0.key == shown.key && $0.subject == shown.subject }) { others.append(shown) }
        }
        return term.isNegated ? others : nil
    }

    static func holds(_ condition: MatcherCondition, _ value: TypedValue, in arena: [UInt8]) -> Bool {
        let text = bytes(value.content, in: arena)
        let isString = value.kind == .string
        switch condition {
        case .exists: return true
        case .equals(let wanted): return isString && text.elementsEqual(wanted)
        case .isIn(let wanted): return isString && wanted.contains(Array(text))
        case .hasPrefix(let wanted): return isString && text.starts(with: wanted)
        case .hasSuffix(let wanted): return isString && text.reversed().starts(with: wanted.reversed())
        case .contains(let wanted): return isString && contains(text, wanted)
        case .isBool(let wanted): return value.kind == .bool && value.boolValue == wanted
        case .intIn(let bounds): return value.kind == .int && bounds.contains(value.intValue)
        case .doubleIn(let bounds): return value.kind == .double && bounds.contains(value.doubleValue)
        }
    }

    private static func contains(_ text: ArraySlice<UInt8>, _ wanted: [UInt8]) -> Bool {
        guard text.count >= wanted.count else { return false }
        return (text.startIndex...text.endIndex - wanted.count).contains { text[$0...].starts(with: wanted) }
    }

    // MARK: Words

    func showing(_ subject: MatcherSubject, _ value: TypedValue, in arena: [UInt8]) -> ShownValue {
        let isText = value.kind == .string
        switch subject {
        case .spanAttribute:
            return ShownValue(.attribute, Self.name(of: subject), Self.words(value, in: arena), isText: isText)
        case .resourceAttribute:
            return ShownValue(.resourceAttribute, Self.name(of: subject), Self.words(value, in: arena), isText: isText)
        case .field(let field):
            let words = Self.words(field, value) ?? Self.words(value, in: arena)
            return ShownValue(.field, Self.name(of: subject), words, isText: isText)
        }
    }

    private static func name(of subject: MatcherSubject) -> String {
        switch subject {
        case .spanAttribute(let key), .resourceAttribute(let key): String(decoding: key, as: UTF8.self)
        case .field(.name): "name"
        case .field(.statusMessage): "status message"
        case .field(.traceState): "tracestate"
        case .field(.statusCode): "status"
        case .field(.kind): "kind"
        case .field(.durationNanoseconds): "duration"
        case .field(.flags): "flags"
        case .field(.isRoot): "root"
        }
    }

    /// The names of enumerated fields; nil where the number or text is best.
    private static func words(_ field: MatcherField, _ value: TypedValue) -> String? {
        let names: [String]
        switch field {
        case .statusCode: names = ["UNSET", "OK", "ERROR"]
        case .kind: names = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
        case .durationNanoseconds: return "\(Double(value.intValue) / 1_000_000) ms"
        default: return nil
        }
        let number = value.intValue
        return number >= 0 && number < names.count ? names[Int(number)] : "\(number)"
    }

    private static func words(_ value: TypedValue, in arena: [UInt8]) -> String {
        switch value.kind {
        case .empty: "(no value)"
        case .string: text(value.content, in: arena)
        case .bool: "\(value.boolValue)"
        case .int: "\(value.intValue)"
        case .double: "\(value.doubleValue)"
        case .bytes: "\(value.content.count) bytes"
        case .array: "(a list)"
        case .keyValueList: "(a map)"
        }
    }

    /// The value of a member of the W3C `tracestate`; nil when there is none of that key.
    func traceStateValue(_ key: String, in arena: [UInt8]) -> String? {
        for member in Self.text(contents.traceState, in: arena).split(separator: ",") {
            let trimmed = member.drop { $0 == " " || $0 == "\t" }
            guard trimmed.hasPrefix("\(key)=") else { continue }
            let value = trimmed.dropFirst(key.count + 1)
            return String(value.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }
        return nil
    }

    /// Bytes that are no UTF-8 are replaced; no more than evidence can show is decoded.
    static func text(_ range: ByteRange, in arena: [UInt8]) -> String {
        // One more than fits shows that something was cut.
        String(decoding: bytes(range, in: arena).prefix(VoteEvidence.valueLimitBytes + 1), as: UTF8.self)
    }

    private static func bytes(_ range: ByteRange, in arena: [UInt8]) -> ArraySlice<UInt8> {
        arena[range.lowerBound..<range.upperBound]
    }
}
