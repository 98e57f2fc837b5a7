import TraceModel

/// Remembers verdicts for late spans, 24 bytes a slot, bounded in number and in stream time.
///
/// A verdict counts until `timeToLive` ticks after it was decided or last needed. Order of authority: kept goes
/// before dropped. (A row in the table goes before both: `ShadowRegion`.)
struct DecisionMemory: ~Copyable {
    struct Remembered: Hashable {
        var decision: Decision
        /// Decided, or last needed.
        var tick: StreamTick
        /// Whether it was decided before this shard began: spans that arrived before `tick` were part of it.
        var isOfEarlierLife: Bool
    }

    private let timeToLive: Int64
    private var table: VerdictTable
    private var credits = Credits()

    init(limit: Int, timeToLive: Int64) {
        self.timeToLive = timeToLive
        table = VerdictTable(limit: limit)
    }

    /// Verdicts in memory, forgotten ones that were not cleared yet included.
    var count: Int { table.count }

    var bytes: Int { table.bytes }

    /// Verdicts dropped for room before their time.
    var forgottenCount: Int { table.forgottenCount }

    /// Starts loading what `recall` and `remember` will look at.
    func prefetch(_ traceID: TraceID) { table.prefetch(traceID) }

    func recall(_ traceID: TraceID, at tick: StreamTick) -> Remembered? {
        guard let entry = table.find(traceID), tick.value <= entry.tick + timeToLive else { return nil }
        return Remembered(
            decision: credits[entry.credit], tick: StreamTick(entry.tick), isOfEarlierLife: entry.isOfEarlierLife)
    }

    /// Remembers a verdict; a kept one is never replaced by a dropped one.
    mutating func remember(
        _ traceID: TraceID, _ decision: Decision, at tick: StreamTick, now: StreamTick,
        isOfEarlierLife: Bool = false
    ) {
        if !decision.isKept, let known = recall(traceID, at: now), known.decision.isKept { return }
        renew(traceID, decision, at: tick, now: now, isOfEarlierLife: isOfEarlierLife)
    }

    /// The same where the caller has just looked: nothing kept is replaced by something dropped.
    mutating func renew(
        _ traceID: TraceID, _ decision: Decision, at tick: StreamTick, now: StreamTick,
        isOfEarlierLife: Bool = false
    ) {
        table.insert(
            VerdictTable.Entry(
                traceID: traceID, tick: tick.value, credit: credits.number(of: decision),
                isOfEarlierLife: isOfEarlierLife),
            oldest: now.value - timeToLive)
    }

    /// A late span needed it: it lives on from now.
    mutating func refresh(_ traceID: TraceID, _ remembered: Remembered, at now: StreamTick) {
        renew(traceID, remembered.decision, at: now, now: now)
    }
}

/// The distinct credits of decisions, so that a verdict holds a number instead of a name.
private struct Credits {
    /// More distinct credits than this lose policy and count, never the verdict.
    static let limit = 60_000
    private var decisions: [Decision] = []
    private var numbers: [Decision: UInt16] = [:]
    /// The last number given for each reason: most decisions of a reason are equal.
    private var recent = [UInt16?](repeating: nil, count: Reason.allCases.count)

    subscript(number: UInt16) -> Decision { decisions[Int(number)] }

    mutating func number(of decision: Decision) -> UInt16 {
        if let number = recent[Int(decision.reason.rawValue)], decisions[Int(number)] == decision { return number }
        let number = find(decision)
        recent[Int(decision.reason.rawValue)] = number
        return number
    }

    private mutating func find(_ decision: Decision) -> UInt16 {
        if let number = numbers[decision] { return number }
        var stored = decision
        if decisions.count >= Self.limit {
            stored.policy = ""
            stored.adjustedCount = decision.isKept ? 0 : decision.adjustedCount
            stored.policyVersion = 0
            if let number = numbers[stored] { return number }
        }
        let number = UInt16(decisions.count)
        decisions.append(stored)
        numbers[stored] = number
        return number
    }
}
