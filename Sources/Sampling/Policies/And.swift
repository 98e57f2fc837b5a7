public import Configuration
public import TraceModel

/// `and`: keeps a trace that all of its parts keep. Parts are basic kinds and `not`.
public struct And: PolicyKind {
    public static let typeName = "and"

    /// Never empty.
    public var parts: [any PolicyKind]

    public init(_ parts: [any PolicyKind]) {
        self.parts = parts
    }

    public init(reading fields: inout Fields) {
        parts = PolicyCatalog.parts(of: &fields, "and_sub_policy", in: Self.typeName)
    }

    public func conditions(_ compiler: inout PolicyCompiler) -> [Condition] {
        parts.flatMap { $0.conditions(&compiler) }
    }

    public var words: String { PolicyCatalog.words(parts) }

    public func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String {
        PolicyCatalog.joined(parts, trace, &answers)
    }

    public func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers) {
        for part in parts { search.part(part, &answers) }
    }
}
