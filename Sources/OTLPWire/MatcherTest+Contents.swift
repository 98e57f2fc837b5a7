internal import Patterns
internal import TraceModel

// What tests mean, on decoded contents and without regard to speed: for explanations, and to hold programs against.

extension MatcherTest {
    /// Whether the test holds on a span and its resource, as in a scan: of several attributes with the key, one that
    /// satisfies the condition is enough.
    ///
    /// - Parameter bytes: Those that the contents were decoded from.
    public func holds(
        on span: SpanContents, resource: ResourceContents, in bytes: borrowing RawSpan
    ) -> Bool {
        switch subject {
        case .spanAttribute(let key):
            return holds(onAny: span.attributes, of: span.tape, with: key, in: bytes)
        case .resourceAttribute(let key):
            return holds(onAny: 0..<resource.tape.nodes.count, of: resource.tape, with: key, in: bytes)
        case .field(let field):
            return condition.holds(of: field.value(of: span, in: bytes), in: bytes)
        }
    }

    private func holds(
        onAny range: Range<Int>, of tape: AttributeTape, with key: [UInt8], in bytes: borrowing RawSpan
    ) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            let node = tape.nodes[index]
            if copy(node.key, of: bytes) == key, condition.holds(of: node, in: bytes) { return true }
            index = Int(node.next)
        }
        return false
    }
}

extension MatcherTerm {
    /// Whether the term holds on a span and its resource.
    public func holds(
        on span: SpanContents, resource: ResourceContents, in bytes: borrowing RawSpan
    ) -> Bool {
        for test in anyOf where test.holds(on: span, resource: resource, in: bytes) { return !isNegated }
        return isNegated
    }
}

extension MatcherClause {
    /// Whether all terms hold on a span and its resource.
    public func holds(
        on span: SpanContents, resource: ResourceContents, in bytes: borrowing RawSpan
    ) -> Bool {
        for term in terms where !term.holds(on: span, resource: resource, in: bytes) { return false }
        return true
    }
}

extension MatcherField {
    /// The field as a value without key. Status codes and kinds that OTLP does not know are 255, as in a scan.
    public func value(of span: SpanContents, in bytes: borrowing RawSpan) -> AttributeNode {
        switch self {
        case .name: text(span.name)
        case .statusMessage: text(span.statusMessage)
        case .traceState: text(span.traceState)
        case .statusCode: int((0...2).contains(span.statusCode) ? Int64(span.statusCode) : 255)
        case .kind: int((0...5).contains(span.kind) ? Int64(span.kind) : 255)
        case .durationNanoseconds: int(duration(of: span))
        case .durationMilliseconds: int(duration(of: span) / 1_000_000)
        case .flags: int(Int64(span.flags))
        case .isRoot:
            AttributeNode(
                kind: .bool, next: 1, key: .none, content: .none,
                bits: copy(span.parentSpanID, of: bytes).contains { $0 != 0 } ? 0 : 1)
        }
    }

    private func duration(of span: SpanContents) -> Int64 {
        Int64(bitPattern: span.endTimeUnixNano &- span.startTimeUnixNano)
    }

    private func text(_ range: ByteRange) -> AttributeNode {
        AttributeNode(kind: .string, next: 1, key: .none, content: range, bits: 0)
    }

    private func int(_ value: Int64) -> AttributeNode {
        AttributeNode(kind: .int, next: 1, key: .none, content: .none, bits: UInt64(bitPattern: value))
    }
}

extension MatcherCondition {
    /// Whether the condition holds of an attribute's or a field's value.
    ///
    /// - Parameter bytes: Those that the value's content lies in.
    public func holds(of value: AttributeNode, in bytes: borrowing RawSpan) -> Bool {
        let text = value.kind == .string ? copy(value.content, of: bytes) : nil
        switch self {
        case .exists: return true
        case .equals(let operand): return text == operand
        case .isIn(let operands): return text.map(operands.contains) ?? false
        case .hasPrefix(let operand): return text?.starts(with: operand) ?? false
        case .hasSuffix(let operand): return text?.reversed().starts(with: operand.reversed()) ?? false
        case .contains(let operand):
            guard let text else { return false }
            return operand.isEmpty || text.firstRange(of: operand) != nil
        case .isBool(let operand): return value.kind == .bool && value.boolValue == operand
        case .intIn(let range): return value.kind == .int && range.contains(value.intValue)
        case .doubleIn(let range): return value.kind == .double && range.contains(value.doubleValue)
        case .numberIn(let range):
            switch value.kind {
            case .int: return range.contains(.int(value.intValue))
            case .double: return range.contains(.double(value.doubleValue))
            default:
                let number = text.flatMap { MatcherNumber(text: String(decoding: $0, as: UTF8.self)) }
                return number.map(range.contains) ?? false
            }
        case .pattern(let pattern):
            guard value.kind == .string else { return false }
            return pattern.matches(bytes, from: value.content.lowerBound, to: value.content.upperBound)
        case .traceStateHas(let key, let values):
            guard value.kind == .string, let members = TraceStateMembers(bytes, value.content) else { return false }
            return members.value(of: key, in: bytes).map(values.contains) ?? false
        }
    }
}

private func copy(_ range: ByteRange, of bytes: borrowing RawSpan) -> [UInt8] {
    var copy: [UInt8] = []
    for offset in range.lowerBound..<range.upperBound { copy.append(bytes.byte(at: offset)) }
    return copy
}
