public import Configuration
public import TraceModel

/// `not`: keeps a trace that its one part does not keep.
public struct Not: PolicyKind {
    public static let typeName = "not"

    public var part: any BasicPolicyKind

    public init(_ part: any BasicPolicyKind) {
        self.part = part
    }

    public init(reading fields: inout Fields) {
        part = AlwaysSample()
        guard let node = fields.node("not_sub_policy") else {
            fields.error("not_sub_policy", "not needs one policy")
            return
        }
        let key = fields.key("not_sub_policy")
        guard let policy = PolicyCatalog.policy(in: node, path: key, problems: &fields.problems) else { return }
        if let basic = policy.kind as? any BasicPolicyKind {
            part = basic
        } else {
            fields.problems.error(
                at: node.place, key: key,
                "a policy of the kind \(policy.kind.typeName) cannot stand in one of the kind not")
        }
    }

    public func conditions(_ compiler: inout PolicyCompiler) -> [Condition] {
        [part.condition(&compiler).inverted()]
    }

    public var words: String { "all but \(part.words)" }

    public func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String {
        guard let isMet = answers.next() else { return "not (\(part.typeName) not told)" }
        return "not (\(part.explanation(trace, isMet: !isMet)))"
    }

    public func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers) {
        search.part(part, inverting: answers.nextPart())
    }
}
