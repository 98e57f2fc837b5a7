internal import TraceModel

/// When a trace is decided, and what is known of it beside its summary.
struct Occasion {
    /// The stream clock in milliseconds since 1970.
    var milliseconds: Int64
    /// The trace's size; nil when nobody measured it.
    var traceBytes: Int?
}

extension Plan {
    /// Decides with limiters that spend, and writes down every policy's vote.
    ///
    /// Drop policies come first; after one that wants the trace no policy is asked. Of the others every one is asked,
    /// so that each limiter spends as if it were alone, and the first that wants the trace is credited. A policy that
    /// cannot answer is skipped.
    func decide(
        _ trace: borrowing TraceSummary, _ occasion: Occasion, stopsAtFirstMatch: Bool, votes: inout [Vote.Outcome],
        counts: inout [UInt64], _ limits: inout LimiterState
    ) -> Outcome {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        var outcome = Outcome.notSampled
        var isOver = false
        // Spans: the arrays' owners are looked at once, not for every policy.
        let policies = policies.span
        let conditions = conditions.span
        var votes = votes.mutableSpan
        var counts = counts.mutableSpan
        for index in policies.indices {
            let position = policies[index].configurationIndex
            var vote = Vote.Outcome.notEvaluated
            if !isOver {
                let isDrop = index < dropCount
                switch answer(policies[index], conditions, trace, chance, occasion, &limits) {
                case .no: vote = .notSampled
                case .unknown: vote = .error
                case .yes:
                    vote = isDrop ? .dropped : .sampled
                    if outcome == .notSampled { outcome = isDrop ? .dropped(position) : .sampled(position) }
                    isOver = isDrop || stopsAtFirstMatch
                }
            }
            votes[position] = vote
            counts[position &* VoteCounts.stride &+ Int(vote.rawValue)] &+= 1
        }
        return outcome
    }

    /// A policy's answer; unknown when one of its conditions cannot be asked.
    @inline(__always)
    private func answer(
        _ policy: borrowing Policy, _ conditions: Span<Condition>, _ trace: borrowing TraceSummary, _ chance: Chance,
        _ occasion: Occasion, _ limits: inout LimiterState
    ) -> Truth {
        for index in policy.conditions {
            let truth =
                policy.isLimiting
                ? limit(conditions[index], trace, chance, occasion, &limits) : conditions[index].truth(trace, chance)
            if truth != .yes { return truth }
        }
        return .yes
    }

    /// Asks a condition of a policy with limiters: what those let through is spent.
    @inline(never)
    private func limit(
        _ condition: Condition, _ trace: borrowing TraceSummary, _ chance: Chance, _ occasion: Occasion,
        _ limits: inout LimiterState
    ) -> Truth {
        let passes: Bool
        switch condition.test {
        case .spanTokens(let bucket):
            let reading = limits.buckets[bucket].reading(
                taking: Int64(trace.spanCount), partitionCount: limits.partitionCount, at: occasion.milliseconds)
            limits.readings[bucket] = reading
            passes = reading.isPassed
        case .byteTokens(let bucket):
            guard let bytes = occasion.traceBytes else { return .unknown }
            let reading = limits.buckets[bucket].reading(
                taking: Int64(bytes), partitionCount: limits.partitionCount, at: occasion.milliseconds)
            limits.readings[bucket] = reading
            passes = reading.isPassed
        case .composite(let index):
            switch compose(index, trace, chance, occasion, &limits) {
            case .unknown: return .unknown
            case .no: passes = false
            case .yes: passes = true
            }
        default: return condition.truth(trace, chance)
        }
        return passes != condition.isInverted ? .yes : .no
    }

    /// The first part that matches decides alone.
    private func compose(
        _ index: Int, _ trace: borrowing TraceSummary, _ chance: Chance, _ occasion: Occasion,
        _ limits: inout LimiterState
    ) -> Truth {
        let second = occasion.milliseconds.floorDivided(by: 1000)
        for part in limiters.composites[index].plan.parts.indices {
            var answer = Truth.yes
            for position in limiters.composites[index].plan.parts[part].conditions.indices where answer == .yes {
                let condition = limiters.composites[index].plan.parts[part].conditions[position]
                answer = limit(condition, trace, chance, occasion, &limits)
            }
            switch answer {
            case .no: continue
            case .unknown: return .unknown
            case .yes:
                let reading = limits.spending[index].reading(
                    taking: Int64(trace.spanCount), part: part, of: limiters.composites[index].plan,
                    partitionCount: limits.partitionCount, atSecond: second)
                limits.readings[limiters.buckets.count + index] = reading
                return reading.isPassed ? .yes : .no
            }
        }
        return .no
    }
}

extension Plan {
    /// Whether a limiter of bytes may be asked about the trace: no condition before it says no.
    func asksForBytes(_ trace: borrowing TraceSummary) -> Bool {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        for policy in policies where policy.isLimiting {
            if asksForBytes(conditions[policy.conditions], trace, chance) { return true }
        }
        return false
    }

    private func asksForBytes(
        _ conditions: ArraySlice<Condition>, _ trace: borrowing TraceSummary, _ chance: Chance
    ) -> Bool {
        for condition in conditions {
            if condition.limitsBytes { return true }
            if case .composite(let index) = condition.test {
                for part in limiters.composites[index].plan.parts
                where asksForBytes(part.conditions[...], trace, chance) { return true }
            }
            if condition.truth(trace, chance) == .no { return false }
        }
        return false
    }
}

extension Int64 {
    /// Rounded down, below 0 too.
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
