public import Sampling

/// All that is known of the force rules, and how it changes: the book without its thread.
///
/// A change is first made durable, then visible. Times come in. One thread owns it.
///
///     created ──▶ acts on every trace ──▶ expires ──▶ acts on traces of its time ──▶ forgotten
///                 listed                              listed for a while             deleted from the store
public struct ForceRuleRegister: Sendable {
    public struct Options: Sendable {
        public var limits = ForceRuleLimits()
        /// An expired rule is listed for so long (60 s).
        public var listedAfterExpiryMilliseconds: Int64 = 60_000
        /// Twice the age to which a trace is held: then none is left that was buffered before the expiry.
        public var actsAfterExpiryMilliseconds: Int64 = 600_000

        public init() {}
    }

    /// A rule and its place in the set.
    private struct Held {
        /// With the counts that the store has.
        var rule: ForceRule
        /// Nil: it is disabled.
        var serial: UInt64?
        /// Whether its expiry is still to come.
        var isLive = true
        var isListed = true
        /// Counts that the store has not.
        var unwritten: ForceRuleMatches?

        /// With all counts.
        var whole: ForceRule {
            guard let unwritten else { return rule }
            var rule = rule
            rule.tracesMatched += unwritten.traceCount
            rule.lastMatchedMilliseconds = max(
                rule.lastMatchedMilliseconds ?? unwritten.lastMilliseconds, unwritten.lastMilliseconds)
            return rule
        }
    }

    private let options: Options
    private let store: any ForceRuleStore
    private var held: [String: Held] = [:]
    /// Serial numbers of expired rules whose id another rule has taken, with the end of what they still decide.
    private var superseded: [(serial: UInt64, endMilliseconds: Int64)] = []
    /// What the shards ask.
    public private(set) var set = ForceRuleSet()

    public init(options: Options, store: any ForceRuleStore) {
        self.options = options
        self.store = store
    }

    // MARK: Reading

    /// In the order in which they are asked.
    public var listed: [ForceRule] {
        held.values.filter(\.isListed).map(\.whole).sorted { $0.precedes($1) }
    }

    public func rule(_ id: String) throws(ForceRuleProblem) -> ForceRule {
        guard let known = held[id], known.isListed else {
            throw ForceRuleProblem(.notFound, "there is no force rule \"\(id.prefix(64))\"")
        }
        return known.whole
    }

    /// When the next rule changes by itself.
    public var nextChangeMilliseconds: Int64? {
        let held = held.values.flatMap { held in
            var times: [Int64] = []
            if held.isLive { times.append(held.rule.expiresMilliseconds) }
            if held.isListed { times.append(held.rule.expiresMilliseconds + options.listedAfterExpiryMilliseconds) }
            times.append(end(of: held.rule))
            return times
        }
        return (held + superseded.map(\.endMilliseconds)).min()
    }

    /// The moment from which a rule means nothing any more.
    private func end(of rule: ForceRule) -> Int64 {
        rule.expiresMilliseconds + max(options.listedAfterExpiryMilliseconds, options.actsAfterExpiryMilliseconds)
    }

    // MARK: Changing

    /// Takes what the store has; expired rules still act on traces of their time.
    ///
    /// - Returns: What could not be read.
    public mutating func load(now: Int64) throws(ForceRuleStoreError) -> [StoredForceRules.Unreadable] {
        var stored = try store.load()
        held = [:]
        set = ForceRuleSet()
        for rule in stored.rules.sorted(by: { $0.precedes($1) }) where now < end(of: rule) {
            let isExpired = rule.isExpired(at: now)
            var entry = Held(rule: rule, serial: nil)
            entry.isLive = !isExpired
            entry.isListed = now < rule.expiresMilliseconds + options.listedAfterExpiryMilliseconds
            do throws(ForceRuleError) {
                guard set.count < ForceRuleLimits.ruleCountLimit else {
                    throw ForceRuleError(["there are more than \(ForceRuleLimits.ruleCountLimit) rules"])
                }
                if rule.isEnabled { entry.serial = try set.insert(rule, state: isExpired ? .expired : .live) }
                held[rule.id] = entry
            } catch {
                stored.unreadable.append(.init(id: rule.id, message: error.messages.joined(separator: "; ")))
            }
        }
        let over = stored.rules.filter { now >= end(of: $0) }.map(\.id)
        if !over.isEmpty { try store.delete(over) }
        return stored.unreadable
    }

    /// Whether there is room for the rule, and its id is free.
    public func admit(_ rule: ForceRule) throws(ForceRuleProblem) {
        let known = held[rule.id]
        if let known, known.isListed {
            throw ForceRuleProblem(.conflict, "the id \(rule.id) is taken: \(known.rule.description)")
        }
        let count = held.count - (known == nil ? 0 : 1) + superseded.count
        guard count < options.limits.ruleCount else {
            throw ForceRuleProblem(
                .conflict,
                "there are \(count) rules, those included that still decide traces of their time; "
                    + "at most \(options.limits.ruleCount) are taken (force_sampling.max_rules)")
        }
    }

    public mutating func create(_ rule: ForceRule) throws(ForceRuleProblem) {
        try admit(rule)
        let known = held[rule.id]
        var changed = set
        var entry = Held(rule: rule, serial: nil)
        do throws(ForceRuleError) {
            if rule.isEnabled { entry.serial = try changed.insert(rule) }
        } catch {
            throw ForceRuleProblem(.refused, error.messages.joined(separator: "; "))
        }
        try put(rule)
        if let known, let serial = known.serial {
            superseded.append((serial, known.rule.expiresMilliseconds + options.actsAfterExpiryMilliseconds))
        }
        held[rule.id] = entry
        set = changed
    }

    /// Gives the rule more time; never more than a new one may have.
    public mutating func extend(_ id: String, bySeconds seconds: Int64, now: Int64) throws(ForceRuleProblem) {
        var entry = try living(id, now: now)
        let longest = (now + options.limits.durationSeconds * 1000 - entry.rule.expiresMilliseconds) / 1000
        guard seconds <= longest else {
            throw ForceRuleProblem(
                .refused,
                "additional_secs: the rule would expire more than \(options.limits.durationSeconds) s from now "
                    + "(force_sampling.max_duration_secs); at most \(max(0, longest)) can be added")
        }
        entry.rule.expiresMilliseconds += seconds * 1000
        entry.rule.durationSeconds += seconds
        try put(entry.rule)
        held[id] = entry
        if let serial = entry.serial { set.extend(serial, to: entry.rule) }
    }

    /// Enabled, it acts on whatever is buffered; disabled, it decides nothing from now on.
    public mutating func setEnabled(_ id: String, _ isEnabled: Bool, now: Int64) throws(ForceRuleProblem) {
        var entry = try living(id, now: now)
        guard entry.rule.isEnabled != isEnabled else { return }
        entry.rule.isEnabled = isEnabled
        var changed = set
        if let serial = entry.serial {
            changed.remove(serial)
            entry.serial = nil
        }
        do throws(ForceRuleError) {
            if isEnabled { entry.serial = try changed.insert(entry.rule) }
        } catch {
            throw ForceRuleProblem(.refused, error.messages.joined(separator: "; "))
        }
        try put(entry.rule)
        held[id] = entry
        set = changed
    }

    /// The rule decides nothing from now on.
    public mutating func delete(_ id: String) throws(ForceRuleProblem) {
        _ = try rule(id)
        try forget([id])
    }

    /// Takes expired rules off the list at once; what they still decide they decide.
    ///
    /// - Returns: Their ids.
    public mutating func cleanUp(now: Int64) -> [String] {
        let ids = held.filter { $0.value.isListed && $0.value.rule.isExpired(at: now) }.map(\.key)
        for id in ids { held[id]?.isListed = false }
        return ids
    }

    /// What time has done: rules expire, leave the list, and are forgotten.
    public mutating func advance(to now: Int64) throws(ForceRuleProblem) {
        var over: [String] = []
        for (id, entry) in held where entry.rule.isExpired(at: now) {
            if entry.isLive {
                held[id]?.isLive = false
                if let serial = entry.serial { set.expire(serial) }
            }
            if now >= entry.rule.expiresMilliseconds + options.listedAfterExpiryMilliseconds {
                held[id]?.isListed = false
            }
            if now >= end(of: entry.rule) { over.append(id) }
        }
        for old in superseded where now >= old.endMilliseconds { set.remove(old.serial) }
        superseded.removeAll { now >= $0.endMilliseconds }
        if !over.isEmpty { try forget(over) }
    }

    /// Adds to the rules' counts; the store learns it by `writeBack`.
    public mutating func count(_ matches: [ForceRuleMatches]) {
        for match in matches {
            guard held[match.id] != nil else { continue }
            var sum = held[match.id]?.unwritten ?? ForceRuleMatches(id: match.id, traceCount: 0, lastMilliseconds: 0)
            sum.traceCount += match.traceCount
            sum.lastMilliseconds = max(sum.lastMilliseconds, match.lastMilliseconds)
            held[match.id]?.unwritten = sum
        }
    }

    /// Tells the store what was counted since the last time.
    ///
    /// - Returns: Whether there was something.
    public mutating func writeBack() throws(ForceRuleStoreError) -> Bool {
        let unwritten = held.values.compactMap(\.unwritten)
        guard !unwritten.isEmpty else { return false }
        try store.add(unwritten)
        for match in unwritten {
            guard let rule = held[match.id]?.whole else { continue }
            held[match.id]?.rule = rule
            held[match.id]?.unwritten = nil
        }
        return true
    }

    // MARK: Parts

    private func living(_ id: String, now: Int64) throws(ForceRuleProblem) -> Held {
        guard let entry = held[try rule(id).id], !entry.rule.isExpired(at: now) else {
            throw ForceRuleProblem(.conflict, "the rule \(id) has expired: make a new one")
        }
        return entry
    }

    private mutating func forget(_ ids: [String]) throws(ForceRuleProblem) {
        do throws(ForceRuleStoreError) {
            try store.delete(ids)
        } catch {
            throw ForceRuleProblem(.unavailable, error.message)
        }
        for id in ids {
            if let serial = held[id]?.serial { set.remove(serial) }
            held[id] = nil
        }
    }

    private func put(_ rule: ForceRule) throws(ForceRuleProblem) {
        do throws(ForceRuleStoreError) {
            try store.put(rule)
        } catch {
            throw ForceRuleProblem(.unavailable, error.message)
        }
    }
}

/// Why a call about a rule did nothing.
public struct ForceRuleProblem: Error, Sendable {
    public enum Code: Sendable {
        /// The body is no JSON.
        case malformed
        case notFound
        /// The id is taken, there are too many rules, or the rule has expired.
        case conflict
        /// The rule, or the change, is not possible.
        case refused
        /// The store does not take it.
        case unavailable
    }

    public var code: Code
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
