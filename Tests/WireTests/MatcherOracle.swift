import OTLPWire
import Patterns
import TraceGenerator
import TraceModel

/// What clauses mean, said once more over what the sender meant instead of what was encoded: the oracle of programs.
struct MatcherOracle {
    var span: GeneratedSpan
    var resource: [GeneratedAttribute]

    func matches(_ clauses: [MatcherClause]) -> UInt64 {
        clauses.reduce(0) { bits, clause in
            guard case .bit(let bit) = clause.effect, holds(clause) else { return bits }
            return bits | 1 << UInt64(bit)
        }
    }

    func forceRule(_ clauses: [MatcherClause], from floor: UInt16 = 0) -> UInt16 {
        clauses.reduce(SpanRecord.noForceRule) { first, clause in
            guard case .forceRule(let rank) = clause.effect, rank >= floor, holds(clause) else { return first }
            return min(first, rank)
        }
    }

    func holds(_ clause: MatcherClause) -> Bool {
        clause.terms.allSatisfy { term in term.anyOf.contains(where: holds) != term.isNegated }
    }

    func holds(_ test: MatcherTest) -> Bool {
        let values: [GeneratedValue] =
            switch test.subject {
            case .spanAttribute(let key): span.attributes.filter { Array($0.key.utf8) == key }.map(\.value)
            case .resourceAttribute(let key): resource.filter { Array($0.key.utf8) == key }.map(\.value)
            case .field(let field): [value(of: field)]
            }
        return values.contains { Self.holds(test.condition, $0) }
    }

    private func value(of field: MatcherField) -> GeneratedValue {
        let nanoseconds = Int64(bitPattern: span.endTimeUnixNano &- span.startTimeUnixNano)
        return switch field {
        case .name: .string(span.name)
        case .statusMessage: .string(span.statusMessage)
        case .traceState: .string(span.traceState)
        case .statusCode: .int(Int64(span.statusCode))
        case .kind: .int(Int64(span.kind))
        case .durationNanoseconds: .int(nanoseconds)
        case .durationMilliseconds: .int(nanoseconds / 1_000_000)
        case .flags: .int(Int64(span.flags))
        case .isRoot: .bool(!span.parentSpanID.isValid)
        }
    }

    static func holds(_ condition: MatcherCondition, _ value: GeneratedValue) -> Bool {
        switch (condition, value) {
        case (.exists, _): true
        case (.equals(let text), .string(let value)): text == Array(value.utf8)
        case (.isIn(let texts), .string(let value)): texts.contains(Array(value.utf8))
        case (.hasPrefix(let text), .string(let value)): Array(value.utf8).starts(with: text)
        case (.hasSuffix(let text), .string(let value)):
            Array(value.utf8).reversed().starts(with: text.reversed())
        case (.contains(let text), .string(let value)): value.contains(String(decoding: text, as: UTF8.self))
        case (.isBool(let wanted), .bool(let value)): wanted == value
        case (.intIn(let range), .int(let value)): range.contains(value)
        case (.doubleIn(let range), .double(let value)): range.contains(value)
        case (.numberIn(let range), let value): number(value).map(range.contains) ?? false
        case (.pattern(let pattern), .string(let value)): pattern.matches(value)
        case (.traceStateHas(let key, let values), .string(let value)):
            traceState(value)?[String(decoding: key, as: UTF8.self)].map { values.contains(Array($0.utf8)) } ?? false
        default: false
        }
    }

    // MARK: Numbers

    private static let jsonNumber = pattern("^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$")

    static func number(_ value: GeneratedValue) -> MatcherNumber? {
        switch value {
        case .int(let value): return .int(value)
        case .double(let value): return .double(value)
        case .string(let text):
            guard text.utf8.count <= MatcherNumber.textLimitBytes, jsonNumber.matches(text) else { return nil }
            if let int = Int64(text) { return .int(int) }
            guard let double = Double(text), double.isFinite else { return nil }
            return .double(double)
        default: return nil
        }
    }

    // MARK: Trace state

    private static let key = pattern(
        "^([a-z][-a-z0-9_*/]{0,255}|[a-z0-9][-a-z0-9_*/]{0,240}@[a-z][-a-z0-9_*/]{0,13})$")
    private static let memberValue = pattern("^[ -+\\--<>-~]{0,255}[!-+\\--<>-~]$")

    /// nil when it is not valid as a whole.
    static func traceState(_ text: String) -> [String: String]? {
        var members: [String: String] = [:]
        for part in text.split(separator: ",") {
            var member = part
            while let first = member.first, first == " " || first == "\t" { member.removeFirst() }
            while let last = member.last, last == " " || last == "\t" { member.removeLast() }
            guard !member.isEmpty else { continue }
            guard let equals = member.firstIndex(of: "=") else { return nil }
            let name = String(member[..<equals])
            let value = String(member[member.index(after: equals)...])
            guard key.matches(name), memberValue.matches(value), members[name] == nil else { return nil }
            members[name] = value
        }
        return members.count <= 32 ? members : nil
    }

    private static func pattern(_ text: String) -> Pattern {
        do {
            return try Pattern(text)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
