import TraceModel

/// What holds on the span at hand and its resource.
struct MatcherHits {
    /// Terms of clauses with bits, on the resource and, while a span is scanned, on the span.
    var terms = TermSet()
    /// Of `terms`, those of the resource.
    private(set) var resourceTerms = TermSet()
    var force: ForceRuleHits

    /// Whether the span at hand must be asked for clauses: something held on it, or its resource left it open.
    private(set) var isSpanOpen = false
    private var isEverySpanOpen = false

    /// - Parameters:
    ///   - floor: Force rules of lower ranks do not count.
    ///   - scratch: Given back by `finish`.
    init(_ program: borrowing MatcherProgram, forceRulesFrom floor: UInt16, _ scratch: inout MatcherScratch) {
        force = ForceRuleHits(program.forceRules, from: floor)
        if !program.forceRules.isEmpty { force.take(&scratch, program.forceRules) }
    }

    mutating func finish(_ scratch: inout MatcherScratch) { force.giveBack(&scratch) }

    @inline(__always)
    mutating func insert(_ effects: MatcherProgram.Effects, _ program: MatcherProgram) {
        isSpanOpen = true
        terms.formUnion(effects.terms)
        if effects.forceTermCount > 0 { force.insert(effects, program.forceRules) }
    }

    mutating func startResource() {
        terms = TermSet()
        force.startResource()
    }

    mutating func endResource(_ program: MatcherProgram) {
        resourceTerms = terms
        if !program.forceRules.isEmpty { force.endResource(program.forceRules) }
        isEverySpanOpen =
            !program.fieldChecks.isEmpty || program.isAnyClauseOpen(terms) || force.isAnyRuleOpen
        isSpanOpen = isEverySpanOpen
    }

    /// What held on the span alone, holds no longer.
    mutating func endSpan() {
        terms = resourceTerms
        isSpanOpen = isEverySpanOpen
    }
}

/// Which terms of force rules hold, and which rules a resource leaves to be asked.
///
/// Everything is allocated once for a scan: a span only sets bits, and takes those back that it has set.
struct ForceRuleHits {
    private var scratch = MatcherScratch()
    /// Of `scratch.terms`: how many hold.
    private var count = 0
    /// Of those, how many hold on the resource.
    private var resourceCount = 0
    /// Of `scratch.rules`: how many are to be asked of each span.
    private var armedCount = 0
    private let firstRule: Int
    /// Index of the first rule that the resource alone satisfies, or `noRule`.
    private var resourceRule = Self.noRule
    /// The rank of that rule, or `SpanRecord.noForceRule`.
    private(set) var resourceRank = SpanRecord.noForceRule

    private static let noRule = Int(UInt16.max)

    init(_ rules: borrowing ForceRules, from floor: UInt16) {
        firstRule = rules.index(ofRank: floor)
    }

    mutating func take(_ given: inout MatcherScratch, _ rules: borrowing ForceRules) {
        swap(&scratch, &given)
        scratch.reserve(termCount: rules.termCount, ruleCount: rules.rules.count)
    }

    mutating func giveBack(_ taken: inout MatcherScratch) {
        if !scratch.isEmpty { swap(&scratch, &taken) }
    }

    /// Whether the terms that hold on the span, or its absent ones, can satisfy a rule.
    @inline(__always)
    var isAnyRuleOpen: Bool { count > resourceCount || armedCount > 0 }

    mutating func insert(_ effects: MatcherProgram.Effects, _ rules: ForceRules) {
        for index in Int(effects.firstForceTerm)..<Int(effects.firstForceTerm &+ effects.forceTermCount) {
            let term = rules.hits[index]
            let bit = UInt64(1) &<< UInt64(term & 63)
            guard scratch.termBits[Int(term >> 6)] & bit == 0 else { continue }
            scratch.termBits[Int(term >> 6)] |= bit
            scratch.terms[count] = term
            count += 1
        }
    }

    // MARK: Resource

    mutating func startResource() {
        remove(from: 0)
        resourceCount = 0
        armedCount = 0
        resourceRule = Self.noRule
        resourceRank = SpanRecord.noForceRule
    }

    /// Finds what the resource decides alone, and arms the rules that it leaves to the spans.
    mutating func endResource(_ rules: ForceRules) {
        resourceCount = count
        for index in 0..<count {
            for place in rules.triggered[Int(scratch.terms[index])] {
                consider(Int(rules.triggeredRules[place]), rules)
            }
        }
        for rule in rules.untriggered { consider(Int(rule), rules) }
        if resourceRule != Self.noRule { resourceRank = rules.rules[resourceRule].rank }
        disarmAllBehind(resourceRule)
    }

    private mutating func consider(_ index: Int, _ rules: ForceRules) {
        guard index >= firstRule, index < resourceRule else { return }
        let rule = rules.rules[index]
        guard hold(rules, from: rule.start, to: rule.requiredOfResourceEnd),
            noneHolds(rules, from: rule.requiredEnd, to: rule.forbiddenOfResourceEnd)
        else { return }
        if rule.isOfResource {
            resourceRule = index
        } else {
            scratch.ruleBits[index >> 6] |= 1 &<< UInt64(index & 63)
        }
    }

    /// Writes the armed rules down in the order of their ranks, up to the one that holds anyway.
    private mutating func disarmAllBehind(_ limit: Int) {
        for word in scratch.ruleBits.indices {
            var rest = scratch.ruleBits[word]
            scratch.ruleBits[word] = 0
            while rest != 0 {
                let index = word * 64 + rest.trailingZeroBitCount
                rest &= rest - 1
                guard index < limit else { continue }
                scratch.rules[armedCount] = UInt16(index)
                armedCount += 1
            }
        }
    }

    // MARK: Span

    /// The rank of the first rule that holds on the span, or `SpanRecord.noForceRule`; forgets the span.
    @inline(never)
    mutating func endSpan(_ rules: ForceRules) -> UInt16 {
        var first = resourceRule
        for index in resourceCount..<count {
            for place in rules.triggered[Int(scratch.terms[index])] {
                let rule = Int(rules.triggeredRules[place])
                guard rule < first else { break }
                if rule >= firstRule, holds(rules.rules[rule], rules) { first = rule }
            }
        }
        for index in 0..<armedCount {
            let rule = Int(scratch.rules[index])
            guard rule < first else { break }
            if holds(rules.rules[rule], rules) { first = rule }
        }
        remove(from: resourceCount)
        return first == Self.noRule ? SpanRecord.noForceRule : rules.rules[first].rank
    }

    private mutating func remove(from first: Int) {
        for index in first..<count {
            let term = scratch.terms[index]
            scratch.termBits[Int(term >> 6)] &= ~(1 &<< UInt64(term & 63))
        }
        count = first
    }

    private func holds(_ rule: ForceRules.Rule, _ rules: ForceRules) -> Bool {
        hold(rules, from: rule.start, to: rule.requiredEnd)
            && noneHolds(rules, from: rule.requiredEnd, to: rule.end)
    }

    private func hold(_ rules: ForceRules, from start: Int, to end: Int) -> Bool {
        for index in start..<end where !isHit(rules.terms[index]) { return false }
        return true
    }

    private func noneHolds(_ rules: ForceRules, from start: Int, to end: Int) -> Bool {
        for index in start..<end where isHit(rules.terms[index]) { return false }
        return true
    }

    @inline(__always)
    private func isHit(_ term: UInt16) -> Bool {
        scratch.termBits[Int(term >> 6)] &>> UInt64(term & 63) & 1 != 0
    }
}

extension MatcherScratch {
    /// Makes room, all of it empty.
    fileprivate mutating func reserve(termCount: Int, ruleCount: Int) {
        Self.clear(&termBits, count: (termCount + 63) / 64)
        Self.clear(&ruleBits, count: (ruleCount + 63) / 64)
        if terms.count < termCount { terms = Array(repeating: 0, count: termCount) }
        if rules.count < ruleCount { rules = Array(repeating: 0, count: ruleCount) }
    }

    private static func clear(_ words: inout [UInt64], count: Int) {
        guard words.count == count else {
            words = Array(repeating: 0, count: count)
            return
        }
        for index in words.indices { words[index] = 0 }
    }

    fileprivate var isEmpty: Bool { rules.isEmpty }
}
