internal import Pipeline
internal import Sampling
internal import Telemetry
internal import Threads

// What the book's thread does in a turn.
extension ForceRuleBook {
    /// Reads the store; when that fails, says so and leaves it to the next attempt.
    func load(_ desk: inout ForceRuleDesk) {
        do throws(ForceRuleStoreError) {
            let unreadable = try desk.register.load(now: clock.wallMilliseconds)
            do throws(SamplingError) {
                desk.sampler = try desk.sampler.adopting(desk.register.set)
            } catch {
                throw ForceRuleStoreError("the stored rules do not compile: \(error)")
            }
            desk.isLoaded = true
            report(unreadable)
            for rule in desk.register.listed { metrics.matches.declare(rule.id) }
            clear()
            show(desk)
        } catch {
            obstruct(error.message)
        }
    }

    private func report(_ unreadable: [StoredForceRules.Unreadable]) {
        metrics.unreadable.set(unreadable.count)
        shown.withLock { $0.unreadable = unreadable }
        for entry in unreadable {
            logger.error(
                "a stored force rule cannot be read and does not act",
                metadata: ["rule": "\(entry.id)", "store": "\(store.words)", "error": "\(entry.message)"])
        }
    }

    /// Rules expire, leave the list, and are forgotten.
    func passTime(_ desk: inout ForceRuleDesk, _ adopt: (Sampler) -> Void) {
        let now = clock.wallMilliseconds
        guard desk.isLoaded, let next = desk.register.nextChangeMilliseconds, next <= now else { return }
        let before = Set(desk.register.listed.map(\.id))
        do throws(ForceRuleProblem) {
            try desk.register.advance(to: now)
        } catch {
            // What could not be deleted is tried again at the next turn.
            obstruct(error.message)
        }
        for id in before.subtracting(desk.register.listed.map(\.id)) { metrics.matches.remove(id) }
        publish(&desk, adopt)
    }

    func writeBack(_ desk: inout ForceRuleDesk) {
        guard desk.isLoaded else { return }
        do throws(ForceRuleStoreError) {
            if try desk.register.writeBack() { clear() }
        } catch {
            obstruct(error.message)
        }
    }

    func show(_ desk: ForceRuleDesk) {
        let (rules, isLoaded) = (desk.register.listed, desk.isLoaded)
        shown.withLock { shown in
            shown.rules = rules
            shown.isLoaded = isLoaded
        }
    }

    /// Tells the shards.
    private func publish(_ desk: inout ForceRuleDesk, _ adopt: (Sampler) -> Void) {
        do throws(SamplingError) {
            desk.sampler = try desk.sampler.adopting(desk.register.set)
            adopt(desk.sampler)
        } catch {
            // Whatever adds a matcher was compiled before.
            logger.fatal("force rules that compiled do not compile", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Changes

    func answer(
        _ change: Change, _ desk: inout ForceRuleDesk, _ adopt: (Sampler) -> Void
    ) -> Result<Answer, ForceRuleProblem> {
        do throws(ForceRuleProblem) {
            guard desk.isLoaded else {
                throw ForceRuleProblem(
                    .unavailable, "the force rules cannot be read: \(obstacle?.message ?? store.words)")
            }
            let answer = try apply(change, &desk)
            publish(&desk, adopt)
            clear()
            return .success(answer)
        } catch {
            if error.code == .unavailable { obstruct(error.message) }
            return .failure(error)
        }
    }

    private func apply(_ change: Change, _ desk: inout ForceRuleDesk) throws(ForceRuleProblem) -> Answer {
        let now = clock.wallMilliseconds
        switch change {
        case .create(let body): return .rule(try create(body, &desk, now: now))
        case .extend(let id, let body):
            // Whether there is such a rule comes first: its body does not matter then.
            _ = try desk.register.rule(id)
            let seconds = try ForceRuleProblem.wrap { () throws(ForceRuleReadError) in
                try ForceRule.readExtension(body)
            }
            try desk.register.extend(id, bySeconds: seconds, now: now)
            logger.info("force rule extended", metadata: ["rule": "\(id)", "seconds": .integer(seconds)])
            return .rule(try desk.register.rule(id))
        case .setEnabled(let id, let isEnabled):
            if isEnabled { try compile(try desk.register.rule(id), &desk) }
            try desk.register.setEnabled(id, isEnabled, now: now)
            logger.info("force rule changed", metadata: ["rule": "\(id)", "enabled": .boolean(isEnabled)])
            return .rule(try desk.register.rule(id))
        case .delete(let id):
            let rule = try desk.register.rule(id)
            try desk.register.delete(id)
            metrics.matches.remove(id)
            logger.info("force rule deleted", metadata: ["rule": "\(id)"])
            return .rule(rule)
        case .cleanUp:
            let ids = desk.register.cleanUp(now: now)
            for id in ids { metrics.matches.remove(id) }
            return .cleaned(ids.count)
        }
    }

    private func create(
        _ body: [UInt8], _ desk: inout ForceRuleDesk, now: Int64
    ) throws(ForceRuleProblem) -> ForceRule {
        let rule = try ForceRuleProblem.wrap { () throws(ForceRuleReadError) in
            try ForceRule.read(body, madeID: Self.madeID(), now: now, limits: limits)
        }
        try desk.register.admit(rule)
        if rule.isEnabled { try compile(rule, &desk) }
        try desk.register.create(rule)
        metrics.matches.declare(rule.id)
        logger.info(
            "force rule created",
            metadata: [
                "rule": "\(rule.id)", "action": "\(rule.action.rawValue)",
                "seconds": .integer(rule.durationSeconds), "description": "\(rule.description)",
            ])
        return rule
    }

    /// Whether the rule's matchers fit beside all others.
    private func compile(_ rule: ForceRule, _ desk: inout ForceRuleDesk) throws(ForceRuleProblem) {
        var set = desk.register.set
        do {
            try set.insert(rule)
            _ = try desk.sampler.adopting(set)
        } catch {
            throw ForceRuleProblem(.refused, "the rule does not compile beside the others: \(error)")
        }
    }

    private static func madeID() -> String {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    // MARK: Obstacles

    private func obstruct(_ message: String) {
        let now = clock.wallMilliseconds
        let isNews = shown.withLock { shown in
            defer { shown.obstacle = message }
            if shown.obstacle == nil { shown.obstacleSinceMilliseconds = now }
            return shown.obstacle != message
        }
        if isNews {
            logger.warning("the store of force rules fails", metadata: ["error": "\(message)"])
        }
    }

    private func clear() {
        let wasObstructed = shown.withLock { shown in
            defer { shown.obstacle = nil }
            return shown.obstacle != nil
        }
        if wasObstructed { logger.info("the store of force rules works", metadata: ["store": "\(store.words)"]) }
    }
}

extension ForceRuleProblem {
    /// What reading a body throws, as an answer to its sender.
    fileprivate static func wrap<Value>(
        _ read: () throws(ForceRuleReadError) -> Value
    ) throws(ForceRuleProblem) -> Value {
        do throws(ForceRuleReadError) {
            return try read()
        } catch {
            switch error {
            case .notJSON(let message): throw ForceRuleProblem(.malformed, message)
            case .refused(let problem): throw ForceRuleProblem(.refused, problem.messages.joined(separator: "; "))
            }
        }
    }
}
