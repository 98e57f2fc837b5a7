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
        _ trace: borrowing TraceSummary, _ occasion: Occasion, stopsAtFirstMatch: Bool, _ state: inout SamplerState
    ) -> Outcome {
        let chance = Chance(randomness: trace.randomness, knowsHashes: true)
        var outcome = Outcome.notSampled
        var isOver = false
        state.forgetReadings()
        for index in policies.indices {
            let position = policies[index].configurationIndex
            guard !isOver else {
                state.votes[position] = .notEvaluated
                continue
            }
            let isDrop = index < dropCount
            switch answer(policies[index], trace, chance, occasion, &state) {
            case .no: state.votes[position] = .notSampled
            case .unknown: state.votes[position] = .error
            case .yes:
                state.votes[position] = isDrop ? .dropped : .sampled
                if outcome == .notSampled { outcome = isDrop ? .dropped(position) : .sampled(position) }
                isOver = isDrop || stopsAtFirstMatch
            }
        }
        return outcome
    }

    /// A policy's answer; unknown when one of its conditions cannot be asked.
    @inline(__always)
    private func answer(
        _ policy: Policy, _ trace: borrowing TraceSummary, _ chance: Chance, _ occasion: Occasion,
        _ state: inout SamplerState
    ) -> Truth {
        for index in policy.conditions {
            let truth =
                policy.isLimiting && conditions[index].isLimiting
                ? limit(conditions[index], trace, chance, occasion, &state) : conditions[index].truth(trace, chance)
            if truth != .yes { return truth }
        }
        return .yes
    }

    /// Asks a limiter: what it lets through is spent.
    @inline(never)
    private func limit(
        _ condition: Condition, _ trace: borrowing TraceSummary, _ chance: Chance, _ occasion: Occasion,
        _ state: inout SamplerState
    ) -> Truth {
        let passes: Bool
        switch condition.test {
        case .spanTokens(let bucket):
            let reading = state.buckets[bucket].reading(
                taking: Int64(trace.spanCount), partitionCount: state.partitionCount, at: occasion.milliseconds)
            state.readings[bucket] = reading
            passes = reading.isPassed
        case .byteTokens(let bucket):
            guard let bytes = occasion.traceBytes else { return .unknown }
            let reading = state.buckets[bucket].reading(
                taking: Int64(bytes), partitionCount: state.partitionCount, at: occasion.milliseconds)
            state.readings[bucket] = reading
            passes = reading.isPassed
        case .composite(let index):
            switch compose(index, trace, chance, occasion, &state) {
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
        _ state: inout SamplerState
    ) -> Truth {
        let second = occasion.milliseconds.floorDivided(by: 1000)
        for part in limiters.composites[index].plan.parts.indices {
            var answer = Truth.yes
            for position in limiters.composites[index].plan.parts[part].conditions.indices where answer == .yes {
                let condition = limiters.composites[index].plan.parts[part].conditions[position]
                answer = limit(condition, trace, chance, occasion, &state)
            }
            switch answer {
            case .no: continue
            case .unknown: return .unknown
            case .yes:
                let reading = state.spending[index].reading(
                    taking: Int64(trace.spanCount), part: part, of: limiters.composites[index].plan,
                    partitionCount: state.partitionCount, atSecond: second)
                state.readings[limiters.buckets.count + index] = reading
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
