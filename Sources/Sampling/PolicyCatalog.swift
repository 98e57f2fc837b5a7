public import Configuration
internal import TraceModel

/// The kinds of policies, and how a list of them is read.
public enum PolicyCatalog {
    /// One row for each kind that is built.
    public static let kinds: [any PolicyKind.Type] = [
        AlwaysSample.self, StatusCode.self, Latency.self, SpanCount.self, Probabilistic.self, Rate.self,
        StringAttribute.self, NumericAttribute.self, BooleanAttribute.self, TraceStateMember.self, TraceFlags.self,
        RateLimiting.self, BytesLimiting.self, And.self, Not.self, Drop.self, Composite.self,
    ]

    /// Kinds that the Collector has and this version has not.
    public static let unbuiltKinds = ["ottl_condition"]

    /// The names of a kind's members: those it asks for when it reads an empty map.
    public static func members(of kind: any PolicyKind.Type) -> [String] {
        var fields = Fields(nil, path: "", place: .builtIn)
        _ = kind.init(reading: &fields)
        return fields.known
    }

    /// Reads `policies: [{name, type, <type>: {…}}]`.
    ///
    /// - Returns: The policies that could be read; what is wrong with the others is in `problems`.
    public static func policies(
        in list: Node, path: String, problems: inout Problems
    ) -> [PolicyConfiguration] {
        let nodes: [Node]
        do throws(ReadError) {
            nodes = try list.list()
        } catch {
            problems.error(at: list.place, key: path, error.message)
            return []
        }
        return nodes.enumerated().compactMap { index, node in
            policy(in: node, path: "\(path)[\(index)]", problems: &problems)
        }
    }

    /// Reads one policy; nil when its name or kind is unusable.
    static func policy(in node: Node, path: String, problems: inout Problems) -> PolicyConfiguration? {
        var fields = Fields(node, path: path, place: node.place)
        let policy = read(&fields)
        problems.add(fields.problems.list)
        return policy
    }

    private static func read(_ fields: inout Fields) -> PolicyConfiguration? {
        guard !fields.problems.hasErrors else { return nil }
        let name = fields.text("name") ?? ""
        if name.isEmpty, !fields.problems.hasErrors { fields.error("name", "a policy needs a name") }
        guard let typeName = fields.text("type") else {
            if !fields.has("type") { fields.error("type", "a policy needs a type; \(knownKinds)") }
            return nil
        }
        guard let kind = kinds.first(where: { $0.typeName == typeName }) else {
            fields.error("type", complaint(about: typeName))
            return nil
        }
        var members = Fields(fields.node(typeName), path: fields.key(typeName), place: fields.place)
        let made = kind.init(reading: &members)
        members.finish()
        warnOfOthers(&fields, typeName)
        fields.finish()
        fields.problems.add(members.problems.list)
        return PolicyConfiguration(name: name, kind: made, place: fields.place)
    }

    /// The members of another kind are left over from an edit: the Collector ignores them.
    private static func warnOfOthers(_ fields: inout Fields, _ typeName: String) {
        for other in kinds.map({ $0.typeName }) + unbuiltKinds where other != typeName && fields.has(other) {
            _ = fields.node(other)
            fields.warning(other, "has no effect: the type is \(typeName)")
        }
    }

    static func complaint(about typeName: String) -> String {
        if unbuiltKinds.contains(typeName) { return "the kind \(typeName) is not built yet; \(knownKinds)" }
        let hint = NearestName.hint(typeName, among: kinds.map { $0.typeName } + unbuiltKinds)
        return "unknown kind \"\(typeName)\"" + (hint.isEmpty ? "; \(knownKinds)" : hint)
    }

    private static var knownKinds: String {
        "known are \(kinds.map { $0.typeName }.joined(separator: ", "))"
    }

    /// The parts of an `and` or a `drop`: basic kinds and `not`, at least one.
    static func parts(of fields: inout Fields, _ member: String, in typeName: String) -> [any PolicyKind] {
        let policies = parts(of: &fields, member, in: typeName) { $0 is any BasicPolicyKind || $0 is Not }
        if policies.isEmpty, !fields.problems.hasErrors {
            fields.error(member, "\(typeName) needs at least one policy")
        }
        return policies.map(\.kind)
    }

    /// The parts of a kind that has several, each with a name of its own and of a kind that may stand there.
    static func parts(
        of fields: inout Fields, _ member: String, in typeName: String, where isAllowed: (any PolicyKind) -> Bool
    ) -> [PolicyConfiguration] {
        guard let list = fields.node(member) else { return [] }
        let path = fields.key(member)
        let policies = policies(in: list, path: path, problems: &fields.problems)
        var names: Set<String> = []
        for policy in policies {
            if !policy.name.isEmpty, !names.insert(policy.name).inserted {
                fields.problems.error(
                    at: policy.place, key: path, "two policies of one \(typeName) have the name \(policy.name)")
            }
            if !isAllowed(policy.kind) {
                fields.problems.error(
                    at: policy.place, key: path,
                    "a policy of the kind \(policy.kind.typeName) cannot stand in one of the kind \(typeName)")
            }
        }
        return policies
    }

    /// "traces that take at least 5000 ms, and traces of 2 to 4 spans, of these a share of 0.5".
    static func words(_ parts: [any PolicyKind]) -> String {
        let rates = parts.compactMap { ($0 as? Rate).map { "of these a share of \(NumberText.of($0.probability))" } }
        let others = parts.filter { !($0 is Rate) }.map(\.words)
        if others.isEmpty { return parts.map(\.words).joined(separator: ", and ") }
        return ([others.joined(separator: ", and ")] + rates).joined(separator: ", ")
    }

    static func joined(
        _ parts: [any PolicyKind], _ trace: borrowing TraceSummary, _ answers: inout Answers
    ) -> String {
        var texts: [String] = []
        for part in parts { texts.append(part.explanation(trace, &answers)) }
        return texts.joined(separator: " and ")
    }
}
