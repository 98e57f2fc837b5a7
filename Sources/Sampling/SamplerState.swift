/// What a sampler's limiters remember from trace to trace, and the votes of the last decision: one for each shard.
///
/// Made by `Sampler.makeState`, changed by `Sampler.decide` only. All its memory is there from the start.
public struct SamplerState: Sendable {
    /// What each top-level policy said in the last decision, in configuration order.
    public internal(set) var votes: [Vote.Outcome]
    /// What each limiter that was asked in the last decision needed and had: buckets, then composites.
    public internal(set) var readings: [LimiterReading?]
    /// Over how many partitions the limits are divided, at least 1.
    let partitionCount: Int64
    var buckets: [TokenBucket]
    var spending: [CompositeSpending]
    /// Whose they are; a sampler with the same limiter goes on with what it has left.
    let limiters: LimiterList
    /// How often each policy has given each outcome: `Vote.Outcome.allCases.count` numbers for each policy.
    private var counts: [UInt64]

    private static let outcomeCount = Vote.Outcome.allCases.count

    init(policyCount: Int, limiters: LimiterList, partitionCount: Int, carrying old: SamplerState?) {
        self.partitionCount = Int64(max(1, partitionCount))
        self.limiters = limiters
        votes = Array(repeating: .notEvaluated, count: policyCount)
        counts = Array(repeating: 0, count: policyCount * Self.outcomeCount)
        buckets = limiters.buckets.map { TokenBucket($0.rate) }
        readings = Array(repeating: nil, count: limiters.readingCount)
        spending = limiters.composites.map { CompositeSpending(partCount: $0.plan.parts.count) }
        guard let old else { return }
        for (index, key) in limiters.buckets.enumerated() {
            if let before = old.limiters.buckets.firstIndex(of: key) { buckets[index] = old.buckets[before] }
        }
        for (index, key) in limiters.composites.enumerated() {
            if let before = old.limiters.composites.firstIndex(where: { $0.isSame(as: key) }) {
                spending[index] = old.spending[before]
            }
        }
    }

    /// A force rule decided about a trace: no policy was asked.
    public mutating func skipPolicies() {
        for index in votes.indices { votes[index] = .notEvaluated }
        forgetReadings()
        countVotes()
    }

    mutating func forgetReadings() {
        for index in readings.indices { readings[index] = nil }
    }

    /// Adds the last decision's votes to the counts.
    mutating func countVotes() {
        for index in votes.indices { counts[index * Self.outcomeCount + Int(votes[index].rawValue)] += 1 }
    }

    /// How many times the policies have voted since the last call; the counts start at 0 again.
    ///
    /// - Parameter report: Called for every number above 0 with the policy's position in the configuration.
    public mutating func drainVoteCounts(_ report: (_ policy: Int, _ outcome: Vote.Outcome, _ count: UInt64) -> Void) {
        for index in counts.indices where counts[index] > 0 {
            if let outcome = Vote.Outcome(rawValue: UInt8(index % Self.outcomeCount)) {
                report(index / Self.outcomeCount, outcome, counts[index])
            }
            counts[index] = 0
        }
    }
}

/// The limiters of a plan; conditions name them by index.
struct LimiterList: Sendable {
    struct Bucket: Hashable, Sendable {
        var policy: String
        /// Position among the limiters of its policy.
        var ordinal: Int
        var rate: TokenRate
    }

    struct Composite: Sendable {
        var policy: String
        var plan: CompositePlan

        /// Whether what one has spent is what the other has: the conditions may differ.
        func isSame(as other: Composite) -> Bool {
            policy == other.policy && plan.total == other.plan.total
                && plan.parts.map(\.budget) == other.plan.parts.map(\.budget)
        }
    }

    var buckets: [Bucket] = []
    var composites: [Composite] = []
}
