/// A composite as compiled: its parts in the order in which they are tried.
struct CompositePlan: Hashable, Sendable {
    /// Spans a second of all parts together.
    var total: Int64
    var parts: [Part]

    struct Part: Hashable, Sendable {
        /// Spans a second.
        var budget: Int64
        /// All must hold for the part to match.
        var conditions: [Condition]
    }
}

/// What a composite has let through in the current second of the stream clock.
///
/// As with token buckets, the budgets are those of all partitions together: with *n* partitions a span costs *n*. What
/// a trace costs beyond a partition's share burdens the seconds that follow; with one partition nothing does, and the
/// counters start at 0 in every second, as the Collector's do.
struct CompositeSpending: Sendable {
    /// Of the stream clock, since 1970.
    private var second: Int64 = .min
    private(set) var total: Int64 = 0
    private(set) var parts: [Int64]

    init(partCount: Int) {
        parts = Array(repeating: 0, count: partCount)
    }

    /// Takes the trace's spans out of the part's budget and the total; a refusal costs nothing.
    mutating func take(
        _ spanCount: Int64, part: Int, of plan: borrowing CompositePlan, partitionCount: Int64, atSecond now: Int64
    ) -> Bool {
        if now > second { turn(to: now, plan) }
        let cost = Saturating.product(spanCount, partitionCount)
        let budget = plan.parts[part].budget
        guard spanCount <= budget, parts[part] + min(cost, budget) <= budget,
            spanCount <= plan.total, total + min(cost, plan.total) <= plan.total
        else { return false }
        parts[part] += cost
        total += cost
        return true
    }

    private mutating func turn(to now: Int64, _ plan: borrowing CompositePlan) {
        let elapsed = second == .min ? 0 : now - second
        second = now
        total = max(0, total - Saturating.product(plan.total, elapsed))
        for index in parts.indices {
            parts[index] = max(0, parts[index] - Saturating.product(plan.parts[index].budget, elapsed))
        }
    }
}
