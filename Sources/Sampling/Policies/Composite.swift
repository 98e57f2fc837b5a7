public import Configuration
public import TraceModel

/// `composite`: shares a number of spans a second among policies.
///
/// The parts are tried in `policy_order`; the first that matches decides alone: within its budget and the total of the
/// current unix second of the stream clock the trace is kept, beyond them it is not, costs nothing, and no later part
/// is tried. A part's budget is ⌊total · percent / 100⌋; without a percentage, or with 0, ⌊total / number of parts⌋.
///
/// The Collector tries the parts in the order of their list, whatever `policy_order` says, and gives one without an
/// allocation nothing; here both keys mean what they say. Limits are those of all partitions together
/// (see `CompositeSpending`).
public struct Composite: PolicyKind {
    public static let typeName = "composite"

    public struct Part: Sendable {
        public var name: String
        /// A basic kind or an `and`.
        public var kind: any PolicyKind
        /// 0 … 100; 0: an equal share.
        public var percent: Int64

        public init(name: String, kind: any PolicyKind, percent: Int64 = 0) {
            self.name = name
            self.kind = kind
            self.percent = percent
        }
    }

    public var spansPerSecond: Int64
    /// In the order in which they are tried.
    public var parts: [Part]

    public init(spansPerSecond: Int64, parts: [Part]) {
        self.spansPerSecond = min(max(spansPerSecond, 0), TokenRate.limit)
        self.parts = parts
    }

    public init(reading fields: inout Fields) {
        let total = fields.integer("max_total_spans_per_second") ?? 0
        let order = fields.texts("policy_order") ?? []
        let listed = PolicyCatalog.parts(of: &fields, "composite_sub_policy", in: Self.typeName) { kind in
            kind is any BasicPolicyKind || kind is And
        }
        let names = listed.map(\.name)
        let allocations = Self.allocations(&fields, names: names)
        self.init(
            spansPerSecond: total,
            parts: Self.ordered(listed, order, &fields).map {
                Part(name: $0.name, kind: $0.kind, percent: allocations[$0.name] ?? 0)
            })
        guard !fields.problems.hasErrors else { return }
        if parts.isEmpty {
            fields.warning("composite_sub_policy", "without policies no trace is kept")
        }
        if total <= 0 { fields.warning("max_total_spans_per_second", "\(total) spans a second: no trace is kept") }
    }

    private static func ordered(
        _ listed: [PolicyConfiguration], _ order: [(text: String, place: Place)], _ fields: inout Fields
    ) -> [PolicyConfiguration] {
        var ordered: [PolicyConfiguration] = []
        for (index, name) in order.enumerated() {
            let key = "\(fields.key("policy_order"))[\(index)]"
            if let policy = listed.first(where: { $0.name == name.text }) {
                if !ordered.contains(where: { $0.name == name.text }) { ordered.append(policy) }
            } else {
                fields.problems.warning(
                    at: name.place, key: key, unknown(name.text, among: listed.map(\.name)))
            }
        }
        let rest = listed.filter { policy in !ordered.contains { $0.name == policy.name } }
        if !order.isEmpty, !rest.isEmpty {
            fields.warning("policy_order", "\(rest.map(\.name).joined(separator: ", ")) not named: tried last")
        }
        return ordered + rest
    }

    private static func allocations(_ fields: inout Fields, names: [String]) -> [String: Int64] {
        var percents: [String: Int64] = [:]
        for (index, node) in (fields.list("rate_allocation") ?? []).enumerated() {
            var members = Fields(node, path: "\(fields.key("rate_allocation"))[\(index)]", place: node.place)
            let name = members.text("policy") ?? ""
            let percent = members.integer("percent") ?? 0
            members.finish()
            if !members.problems.hasErrors {
                if !names.contains(name) { members.warning("policy", unknown(name, among: names)) }
                if percents[name] != nil {
                    members.warning("policy", "\(name) has an allocation already; this one counts")
                }
                percents[name] = min(max(percent, 0), 100)
                if !(0...100).contains(percent) {
                    members.warning("percent", "\(percent) is taken as \(min(max(percent, 0), 100))")
                }
            }
            fields.problems.add(members.problems.list)
        }
        return percents
    }

    private static func unknown(_ name: String, among names: [String]) -> String {
        "no policy of this composite has the name \"\(name)\"" + NearestName.hint(name, among: names)
    }

    /// Spans a second.
    func budget(_ part: Part) -> Int64 {
        part.percent > 0 ? spansPerSecond * part.percent / 100 : spansPerSecond / Int64(parts.count)
    }

    public func conditions(_ compiler: inout PolicyCompiler) -> [Condition] {
        guard spansPerSecond > 0, !parts.isEmpty else { return [Condition(.never)] }
        let compiled = parts.map { part in
            CompositePlan.Part(budget: budget(part), conditions: part.kind.conditions(&compiler))
        }
        return [compiler.composite(CompositePlan(total: spansPerSecond, parts: compiled))]
    }

    public var words: String {
        let shares = parts.map { "\($0.name) (\($0.kind.words)) up to \(budget($0))" }
        return "up to \(spansPerSecond) spans a second, by the first that matches: \(shares.joined(separator: "; "))"
    }

    public func evidence(_ search: inout EvidenceSearch, _ answers: inout Answers) {
        let answer = answers.nextPart()
        var copy = Answers([answer])
        search.limited(typeName, explanation(search.trace, &copy), answer.reading)
        guard let part = answer.part else { return }
        var partAnswers = Answers(answer.partAnswers)
        search.part(parts[part].kind, &partAnswers)
    }

    public func explanation(_ trace: borrowing TraceSummary, _ answers: inout Answers) -> String {
        let answer = answers.nextPart()
        let part = answer.part.map { parts[$0] }
        switch (part, answer.isMet) {
        case (let part?, let isMet):
            let word = isMet.map { $0 ? "yes" : "no" } ?? "not told"
            return "\(part.name) matches, within \(budget(part)) spans a second \(word)"
        case (nil, true?): return "within \(spansPerSecond) spans a second yes"
        case (nil, _): return "none of \(parts.map(\.name).joined(separator: ", ")) within its spans a second"
        }
    }
}
