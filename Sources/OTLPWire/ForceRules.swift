/// The force rules of a program, in the order of their ranks, and what makes one worth a look.
///
///     test ─ hits ─▶ terms ─ triggered ─▶ rules ─ all other terms? ─▶ rank
///
/// Every rule has one trigger, of its required terms the one that the fewest rules require: it is looked at only when
/// that one holds. So a span costs what its own values satisfy, however many rules there are. A rule whose trigger
/// holds on the resource is looked at for each span of it; one without a required term, for each span.
struct ForceRules: Sendable {
    /// A rule on its way to the tables; its terms are numbers.
    struct Source {
        var rank: UInt16
        var required: Set<Int> = []
        var forbidden: Set<Int> = []
    }

    /// A rule's terms, in `terms`:
    ///
    ///     start      requiredOfResourceEnd   requiredEnd   forbiddenOfResourceEnd   end
    ///     │ required of the resource │ required │ forbidden of the resource │ forbidden │
    struct Rule: Sendable {
        var rank: UInt16
        var start: Int
        var requiredOfResourceEnd = 0
        var requiredEnd = 0
        var forbiddenOfResourceEnd = 0
        var end = 0

        /// Whether the resource alone decides.
        var isOfResource: Bool { requiredOfResourceEnd == requiredEnd && forbiddenOfResourceEnd == end }
    }

    private(set) var rules: [Rule] = []
    private(set) var terms: [UInt16] = []
    /// For each term a range of `triggeredRules`.
    private(set) var triggered: [Range<Int>] = []
    /// Indexes of rules, rising within a range.
    private(set) var triggeredRules: [UInt16] = []
    /// Indexes of rules that require nothing, rising.
    private(set) var untriggered: [UInt16] = []
    /// Of each test with `MatcherProgram.Effects`, the terms that it satisfies, one test after the other.
    var hits: [UInt16] = []

    var isEmpty: Bool { rules.isEmpty }
    var termCount: Int { triggered.count }

    /// - Parameter isOfResource: For each term, whether it looks at the resource alone.
    mutating func arrange(_ sources: [Source], isOfResource: [Bool]) {
        precondition(isOfResource.count <= Int(UInt16.max), "1000 rules of 64 terms are fewer")
        var requiring = Array(repeating: 0, count: isOfResource.count)
        for source in sources {
            for term in source.required { requiring[term] += 1 }
        }
        var byTrigger: [[UInt16]] = Array(repeating: [], count: isOfResource.count)
        for (index, source) in sources.sorted(by: { $0.rank < $1.rank }).enumerated() {
            append(source, isOfResource: isOfResource)
            // Terms of the resource hold for span after span: of two that are equally rare, the other one.
            let trigger = source.required.min {
                (requiring[$0], isOfResource[$0] ? 1 : 0, $0) < (requiring[$1], isOfResource[$1] ? 1 : 0, $1)
            }
            if let trigger {
                byTrigger[trigger].append(UInt16(index))
            } else {
                untriggered.append(UInt16(index))
            }
        }
        for group in byTrigger {
            triggered.append(triggeredRules.count..<(triggeredRules.count + group.count))
            triggeredRules.append(contentsOf: group)
        }
    }

    private mutating func append(_ source: Source, isOfResource: [Bool]) {
        var rule = Rule(rank: source.rank, start: terms.count)
        func numbers(_ terms: Set<Int>, ofResource: Bool) -> [UInt16] {
            terms.filter { isOfResource[$0] == ofResource }.sorted().map { UInt16($0) }
        }
        terms += numbers(source.required, ofResource: true)
        rule.requiredOfResourceEnd = terms.count
        terms += numbers(source.required, ofResource: false)
        rule.requiredEnd = terms.count
        terms += numbers(source.forbidden, ofResource: true)
        rule.forbiddenOfResourceEnd = terms.count
        terms += numbers(source.forbidden, ofResource: false)
        rule.end = terms.count
        rules.append(rule)
    }

    /// The first rule whose rank is at least the floor; `rules.count` when there is none.
    func index(ofRank floor: UInt16) -> Int {
        floor == 0 ? 0 : rules.firstIndex { $0.rank >= floor } ?? rules.count
    }
}
