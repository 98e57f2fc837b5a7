internal import Configuration
internal import OTLPWire

/// A property of the span itself that a rule's span list can name beside attributes.
///
/// The field wins over an attribute of the same name; `attributes.status` names the attribute `status`.
enum ForceRuleField: Hashable {
    case name
    case status
    case kind
    case durationMilliseconds

    /// What a key of the span list names.
    enum Subject: Hashable {
        case field(ForceRuleField)
        case attribute(String)
    }

    static let names: [(name: String, field: ForceRuleField)] = [
        ("name", .name), ("span.name", .name), ("status", .status), ("kind", .kind),
        ("duration_ms", .durationMilliseconds),
    ]
    static let attributePrefix = "attributes."

    static func subject(_ key: String) -> Subject {
        if let named = names.first(where: { $0.name == key }) { return .field(named.field) }
        if key.hasPrefix(attributePrefix) {
            let rest = String(key.dropFirst(attributePrefix.count))
            if names.contains(where: { $0.name == rest }) { return .attribute(rest) }
        }
        return .attribute(key)
    }

    // OTLP: enumerations Status.StatusCode and Span.SpanKind of trace.proto.
    static let statuses = ["UNSET", "OK", "ERROR"]
    static let kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]

    /// The words of a field whose values are numbers with names, each at its number.
    var words: [String]? {
        switch self {
        case .status: Self.statuses
        case .kind: Self.kinds
        case .name, .durationMilliseconds: nil
        }
    }

    /// The operators that ask something of it.
    func takes(_ comparison: ForceRule.Comparison) -> Bool {
        switch comparison {
        // Every span has it.
        case .exists, .notExists: false
        case .contains, .startsWith, .endsWith, .regex: self == .name
        case .equal, .notEqual, .isIn: true
        case .greater, .atLeast, .less, .atMost: self == .durationMilliseconds
        }
    }

    /// The number of a word such as `ERROR`, or what to write instead.
    func number(of value: ForceRule.Value) throws(ReadError) -> Int64 {
        let words = words ?? []
        if case .int(let number) = value.number {
            if words.indices.contains(Int(clamping: number)) { return number }
            throw ReadError("\(number): known are 0 to \(words.count - 1)")
        }
        if let index = words.firstIndex(of: value.words) { return Int64(index) }
        throw ReadError(
            "\(value.shown) is none of \(words.joined(separator: ", "))\(NearestName.hint(value.words, among: words)); "
                + "an attribute of the name is \(Self.attributePrefix)\(self == .status ? "status" : "kind")")
    }
}
