import Pipeline
import Sampling
import TraceBuffering
import TraceGenerator
import TraceModel

/// Force rules as people make them while the program runs: one book for all instances.
final class RuleBook {
    struct Rule {
        var rule: ForceRule
        var serial: UInt64
        var state: ForceRuleSet.State
    }

    private(set) var rules: [Rule] = []
    private(set) var set = ForceRuleSet()
    /// Rises with every change.
    private(set) var version = 0
    static let colors = ["red", "green", "blue"]

    /// A change at a moment of true time, milliseconds; what it was.
    func change(_ random: inout SeededRandom, at now: Int64) throws -> String {
        version += 1
        let live = rules.indices.filter { rules[$0].state == .live }
        switch random.below(5) {
        case 0...1:
            var rule = ForceRule(
                id: "rule-\(rules.count)", description: "", durationSeconds: 3600, priority: Int64(random.below(3)),
                span: [ForceRule.Matcher("color", .equal, [.text(random.pick(Self.colors))])],
                action: random.chance(0.5) ? .keep : .drop, createdMilliseconds: now)
            rule.expiresMilliseconds = now + 3_600_000
            let serial = try set.insert(rule)
            rules.append(Rule(rule: rule, serial: serial, state: .live))
            return "\(rule.id) created: \(rule.action.rawValue) \(rule.color)"
        case 2 where !live.isEmpty:
            let index = random.pick(live)
            rules[index].rule.expiresMilliseconds = now
            set.extend(rules[index].serial, to: rules[index].rule)
            set.expire(rules[index].serial)
            rules[index].state = .expired
            return "\(rules[index].rule.id) expired"
        case 3 where rules.contains { $0.state == .gone }:
            let index = rules.lastIndex { $0.state == .gone }!
            var rule = rules[index].rule
            rule.expiresMilliseconds = now + 3_600_000
            let serial = try set.insert(rule)
            rules[index] = Rule(rule: rule, serial: serial, state: .live)
            return "\(rule.id) enabled"
        default:
            guard !rules.isEmpty else { return "nothing" }
            let index = random.below(rules.count)
            set.remove(rules[index].serial)
            rules[index].state = .gone
            return "\(rules[index].rule.id) deleted or disabled"
        }
    }
}

extension ForceRule {
    /// What a simulated rule asks for.
    var color: String {
        if case .text(let color) = span[0].values[0] { color } else { "" }
    }
}

/// The rules that one life goes by, and which traces obey the expired ones: the checker's own knowledge.
struct KnownRules {
    struct Rule {
        var rule: ForceRule
        var serial: UInt64
        var state: ForceRuleSet.State
        /// The first offset that is free of an expired rule; nil when it had expired before this life.
        var boundary: Int64?
    }

    private(set) var rules: [Rule] = []
    private(set) var version = -1

    mutating func adopt(_ book: RuleBook, next: Int64) {
        version = book.version
        rules = book.rules.map { rule in
            var known = Rule(rule: rule.rule, serial: rule.serial, state: rule.state)
            if let before = rules.first(where: { $0.serial == rule.serial }), rule.state == .expired {
                known.boundary = before.state == .live ? next : before.boundary
            }
            return known
        }
    }

    /// Who decides about a trace of these spans; nil: no rule does.
    func ruling(_ colors: Set<String>, first: Int64, firstTick: StreamTick) -> ForceRule? {
        rules.filter { known in
            guard colors.contains(known.rule.color) else { return false }
            switch known.state {
            case .live: return true
            case .gone: return false
            case .expired:
                if let boundary = known.boundary { return first < boundary }
                return firstTick.milliseconds < known.rule.expiresMilliseconds
            }
        }.map(\.rule).min { $0.precedes($1) }
    }
}

/// A bucket of tokens, refilled by the stream clock: what a limiter must do, said once more.
struct KnownBucket {
    static let perSecond = 1.0
    static let burst = 6.0
    private var level = burst
    private var at: Int64?

    mutating func take(_ spanCount: Int, at milliseconds: Int64) -> Bool {
        if let at { level = min(Self.burst, level + Self.perSecond * Double(max(0, milliseconds - at)) / 1000) }
        at = max(at ?? milliseconds, milliseconds)
        // The clock has whole milliseconds and the rate is 1: sums of thousandths, a hair apart at most.
        guard Double(spanCount) <= level + 1e-6 else { return false }
        level -= Double(spanCount)
        return true
    }
}

extension Simulation {
    /// Somebody changes a rule; processes hear of it in their next turns.
    func ruleStep() {
        do {
            let change = try book.change(&random, at: now)
            note("rules: \(change)")
            count("rule " + (change.split(separator: " ").dropFirst().first.map { "\($0)" } ?? "unchanged"))
        } catch {
            violate(.rules, "a rule cannot be used: \(error)")
        }
    }

    /// The sampler that goes by the book as it is.
    func currentSampler() -> Sampler {
        do {
            return try sampler.adopting(book.set)
        } catch {
            violate(.rules, "the rules do not compile: \(error)")
            return sampler
        }
    }

    func adoptRules(_ process: SimulatedProcess, _ box: ShardBox) {
        guard process.rules.version != book.version, isResting || random.chance(0.7) else { return }
        // What is decided by now was decided by the rules that were known until now.
        checkDecisions(process, box)
        process.pastRules.append((process.rules, box.shard.gauges.clock))
        process.rules.adopt(book, next: box.shard.next)
        box.shard.adopt(sampler: currentSampler())
        note("\(process.instance.number) adopts rules \(book.version)")
    }

    /// A decision that nothing earlier stands behind is that of the rules, then of the policies, word by word.
    ///
    /// - Returns: Who had to decide, for comparison with other lives.
    func checkRules(_ event: DecisionEvent, _ process: SimulatedProcess) -> String {
        let summary = event.summary
        let instance = process.instance
        let spans = instance.offsets.lazy.filter { $0 >= summary.firstOffset && $0 <= summary.lastOffset }
            .flatMap { instance.truth[$0]!.spans }.filter { $0.traceID == summary.traceID }
        let isLimited = spans.contains(where: \.isLimited)
        let isFirst = !instance.decisions[summary.traceID, default: []].contains { $0.life == process.life }
        let isJudged = event.votes.outcomes.contains { $0 != .notEvaluated }
        let forced = ruler(of: event, Set(spans.compactMap(\.color)), process)
        let ruling =
            forced.map { "\($0.id) \($0.action)" } ?? (isLimited ? "limiter of life \(process.life)" : "policies")
        guard isFirst, !process.remembered.contains(summary.traceID) else {
            // Judged anew after its verdict's time to live: what the limiter spent on it is not followed.
            if isLimited, isJudged { process.bucket = nil }
            return ruling
        }
        if let forced {
            if !event.decision.isBy(forced) {
                violate(.rules, "\(summary.traceID) must go by \(ruling), went by \(event.decision)")
            }
            return ruling
        }
        let isNamed = spans.contains(where: \.isHealthCheck)
        var isWanted = spans.contains(where: \.isError)
        if isLimited, !isNamed {
            guard var bucket = process.bucket else { return ruling }
            if bucket.take(spans.count, at: event.decidedAt.milliseconds) { isWanted = true }
            process.bucket = bucket
        }
        if event.decision.isKept != (isWanted && !isNamed) || event.decision.reason == .forceRule {
            violate(
                isLimited ? .limits : .rules,
                "\(summary.traceID) must \(isWanted && !isNamed ? "" : "not ")be kept by policies, "
                    + "was \(event.decision)"
            )
        }
        return ruling
    }

    /// The rule that has to decide. A kept trace that is read back is reported when its bytes are here: its rules
    /// are those of the moment at which it was decided, which is known to a tick.
    private func ruler(of event: DecisionEvent, _ colors: Set<String>, _ process: SimulatedProcess) -> ForceRule? {
        var candidates = [process.rules]
        if options.spills, event.decision.isKept {
            candidates += process.pastRules.reversed().filter { $0.until >= event.decidedAt }.map(\.rules)
        }
        let rulers = candidates.map {
            $0.ruling(colors, first: event.summary.firstOffset, firstTick: event.summary.firstTick)
        }
        let isForced = event.decision.reason == .forceRule
        return rulers.first { ruler in ruler.map(event.decision.isBy) ?? !isForced } ?? rulers[0]
    }
}

extension Decision {
    /// Whether this rule decided so.
    fileprivate func isBy(_ rule: ForceRule) -> Bool {
        reason == .forceRule && policy == rule.id && isKept == (rule.action == .keep)
    }
}
