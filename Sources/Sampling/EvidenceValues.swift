internal import OTLPWire
internal import TraceModel

/// A value in the words of evidence.
struct ShownValue: Hashable {
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

/// One span and its resource, decoded: what matchers can look at, asked plainly.
///
/// What a test means is `MatcherCondition.holds`; here is found which value it is that satisfies it.
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
    func values(of subject: MatcherSubject, in arena: [UInt8]) -> [AttributeNode] {
        switch subject {
        case .spanAttribute(let key):
            Self.values(key, contents.tape.nodes, contents.attributes, in: arena)
        case .resourceAttribute(let key):
            Self.values(key, resource.tape.nodes, resource.tape.nodes.indices, in: arena)
        case .field(let field): [field.value(of: contents, in: arena.span.bytes)]
        }
    }

    private static func values(
        _ key: [UInt8], _ nodes: [AttributeNode], _ range: Range<Int>, in arena: [UInt8]
    ) -> [AttributeNode] {
        var found: [AttributeNode] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let node = nodes[index]
            if bytes(node.key, in: arena).elementsEqual(key) { found.append(node) }
            index = Int(node.next)
        }
        return found
    }

    // MARK: Tests

    /// What makes all terms hold on this span, a value for each; nil when one does not hold.
    func showing(_ terms: [MatcherTerm], in arena: [UInt8]) -> [ShownValue]? {
        var shown: [ShownValue] = []
        for term in terms {
            guard let values = showing(term, in: arena) else { return nil }
            // Two terms may ask about one value: it exists, and it differs.
            for value in values where !shown.contains(value) { shown.append(value) }
        }
        return shown
    }

    private func showing(_ term: MatcherTerm, in arena: [UInt8]) -> [ShownValue]? {
        var others: [ShownValue] = []
        for test in term.anyOf {
            let values = values(of: test.subject, in: arena)
            if let value = values.first(where: { test.condition.holds(of: $0, in: arena.span.bytes) }) {
                if term.isNegated { return nil }
                if case .traceStateHas(let key, _) = test.condition {
                    return [showing(member: key, of: value, in: arena)]
                }
                return [showing(test.subject, value, in: arena)]
            }
            guard term.isNegated else { continue }
            // What is there instead, each subject once.
            let other = values.first.map { showing(test.subject, $0, in: arena) }
            let shown = other ?? ShownValue(.absence, Self.name(of: test.subject), "")
            if !others.contains(where: { $0.key == shown.key && $0.subject == shown.subject }) { others.append(shown) }
        }
        return term.isNegated ? others : nil
    }

    // MARK: Words

    func showing(_ subject: MatcherSubject, _ value: AttributeNode, in arena: [UInt8]) -> ShownValue {
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

    /// One member of a `tracestate` that is valid as a whole.
    private func showing(member key: [UInt8], of value: AttributeNode, in arena: [UInt8]) -> ShownValue {
        let name = String(decoding: key, as: UTF8.self)
        let all = String(decoding: Self.bytes(value.content, in: arena), as: UTF8.self)
        let members = all.split(separator: ",").map { $0.split(separator: " ").joined(separator: " ") }
        let member = members.first { $0.hasPrefix("\(name)=") }?.dropFirst(name.count + 1)
        return ShownValue(.field, "tracestate \(name)", String(member ?? ""), isText: true)
    }

    private static func name(of subject: MatcherSubject) -> String {
        switch subject {
        case .spanAttribute(let key), .resourceAttribute(let key): String(decoding: key, as: UTF8.self)
        case .field(.name): "name"
        case .field(.statusMessage): "status message"
        case .field(.traceState): "tracestate"
        case .field(.statusCode): "status"
        case .field(.kind): "kind"
        case .field(.durationNanoseconds), .field(.durationMilliseconds): "duration"
        case .field(.flags): "flags"
        case .field(.isRoot): "root"
        }
    }

    /// The names of enumerated fields; nil where the number or text is best.
    private static func words(_ field: MatcherField, _ value: AttributeNode) -> String? {
        let names: [String]
        switch field {
        case .statusCode: names = ["UNSET", "OK", "ERROR"]
        case .kind: names = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
        case .durationNanoseconds: return "\(Double(value.intValue) / 1_000_000) ms"
        case .durationMilliseconds: return "\(value.intValue) ms"
        default: return nil
        }
        let number = value.intValue
        return number >= 0 && number < names.count ? names[Int(number)] : "\(number)"
    }

    private static func words(_ value: AttributeNode, in arena: [UInt8]) -> String {
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

    /// Bytes that are no UTF-8 are replaced; no more than evidence can show is decoded.
    static func text(_ range: ByteRange, in arena: [UInt8]) -> String {
        // One more than fits shows that something was cut.
        String(decoding: bytes(range, in: arena).prefix(VoteEvidence.valueLimitBytes + 1), as: UTF8.self)
    }

    private static func bytes(_ range: ByteRange, in arena: [UInt8]) -> ArraySlice<UInt8> {
        arena[range.lowerBound..<range.upperBound]
    }
}
