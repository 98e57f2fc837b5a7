public import Configuration
public import TraceModel

/// `drop`: drops a trace that all of its parts want, before any other policy is asked, wherever it is listed.
public struct Drop: PolicyKind {
    public static let typeName = "drop"

    /// Never empty; basic kinds and `not`.
    public var parts: [any PolicyKind]

    public init(_ parts: [any PolicyKind]) {
        self.parts = parts
    }

    public init(reading fields: inout Fields) {
        parts = PolicyCatalog.parts(of: &fields, "drop_sub_policy", in: Self.typeName)
    }

    public func conditions(_ compiler: inout PolicyCompiler) -> [Condition] {
        parts.flatMap { $0.conditions(&compiler) }
    }

    public var words: String {
        PolicyCatalog.words(parts) + ", before any other policy is asked, errors too"
    }

    public func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String {
        PolicyCatalog.joined(parts, trace, &answers)
    }

    public func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers) {
        for part in parts { search.part(part, &answers) }
    }
}
