public import TraceModel

/// What made one policy, or one force rule, say what it said: a value of one span, or of the trace as a whole.
///
///     policy         part          span                key          value
///     slow-checkout  attribute …   "POST /orders"      http.route   /checkout
///     slow-checkout  latency       (the trace)         latency      latency 5210 ms >= 5000 ms
public struct VoteEvidence: Hashable, Sendable {
    /// What the value is a value of, and how it reads.
    public enum Subject: UInt8, Sendable, CaseIterable {
        /// The whole trace; the value says everything.
        case trace
        /// An attribute of the span: `http.route = "/checkout"`.
        case attribute
        /// An attribute of the span's resource: `resource service.name = "shop"`.
        case resourceAttribute
        /// A field of the span: `status ERROR`.
        case field
        /// The span that starts before all others; the value is its start, nanoseconds since 1970.
        case firstStart
        /// The span that ends after all others; the value is its end, nanoseconds since 1970.
        case lastEnd
        /// There is no such attribute or field: on the span, or, without a span, in the whole trace.
        case absence
    }

    /// Name of the policy, or id of the force rule.
    public var policy: String
    /// Kind of the part that it belongs to, inside `and`, `not`, `drop` and `composite`; else empty.
    public var part: String
    public var subject: Subject
    /// Nil where no single span is meant.
    public var spanID: SpanID?
    /// As sent, cut after `nameLimitBytes`.
    public var spanName: String
    public var key: String
    /// As text, cut after `valueLimitBytes`.
    public var value: String
    /// Whether the value is a text, and is shown in quotes.
    public var isText: Bool

    /// Longest value, in bytes of UTF-8: the decision log holds 100,000 decisions.
    public static let valueLimitBytes = 256
    /// Longest name of a span, in bytes of UTF-8.
    public static let nameLimitBytes = 128
    /// Pieces for one vote; the parts of an `and` bring one or two each.
    public static let pieceLimit = 16

    public init(
        policy: String, part: String = "", subject: Subject, spanID: SpanID? = nil, spanName: String = "",
        key: String, value: String, isText: Bool = false
    ) {
        self.policy = policy
        self.part = part
        self.subject = subject
        self.spanID = spanID
        self.spanName = Self.cut(spanName, Self.nameLimitBytes)
        self.key = Self.cut(key, Self.nameLimitBytes)
        self.value = Self.cut(value, Self.valueLimitBytes)
        self.isText = isText
    }

    /// The text, or as many of its characters as fit and an ellipsis.
    static func cut(_ text: String, _ limitBytes: Int) -> String {
        guard text.utf8.count > limitBytes else { return text }
        let ellipsis = "…"
        var cut = ""
        var count = ellipsis.utf8.count
        for character in text {
            count += character.utf8.count
            guard count <= limitBytes else { break }
            cut.append(character)
        }
        return cut + ellipsis
    }
}

extension VoteEvidence.Subject: CustomStringConvertible {
    /// The name in answers.
    public var description: String {
        switch self {
        case .trace: "trace"
        case .attribute: "attribute"
        case .resourceAttribute: "resource"
        case .field: "field"
        case .firstStart: "first_start"
        case .lastEnd: "last_end"
        case .absence: "absence"
        }
    }
}

extension VoteEvidence: CustomStringConvertible {
    /// One piece for people: `span "POST /orders" http.route = "/checkout"`.
    public var description: String { Self.line([self]) }

    /// All pieces of one vote in one line; a span is named once for the pieces that follow one another.
    ///
    ///     span "POST /orders" http.route = "/checkout", resource service.name = "shop"
    public static func line(_ pieces: some Sequence<VoteEvidence>) -> String {
        var texts: [String] = []
        var last: SpanID?
        for piece in pieces {
            let isSameSpan = piece.spanID != nil && piece.spanID == last
            texts.append(isSameSpan || piece.spanID == nil ? piece.words : "span \"\(piece.spanName)\" \(piece.words)")
            last = piece.spanID
        }
        return texts.joined(separator: ", ")
    }

    private var words: String {
        switch subject {
        case .trace: value
        case .attribute: "\(key) = \(quoted)"
        case .resourceAttribute: "resource \(key) = \(quoted)"
        case .field: value.isEmpty ? key : "\(key) \(quoted)"
        case .firstStart: "starts first"
        case .lastEnd: "ends last"
        case .absence: spanID == nil ? "no span has \(key)" : "has no \(key)"
        }
    }

    private var quoted: String { isText ? "\"\(value)\"" : value }
}
