/// What a sampler's limiters remember from trace to trace, and the votes of the last decision: one for each shard.
///
/// Made by `Sampler.makeState`, changed by `Sampler.decide` only. All its memory is there from the start.
public struct SamplerState: Sendable {
    /// What each top-level policy said in the last decision, in configuration order.
    public internal(set) var votes: [Vote.Outcome]
    /// What each limiter that was asked in the last decision needed and had: buckets, then composites. Empty when
    /// there are no limiters.
    public var readings: [LimiterReading?] { limits.readings }
    /// How often each policy has given each outcome: `VoteCounts.stride` numbers for each policy.
    var counts: [UInt64]
    var limits: LimiterState

    init(policyCount: Int, limiters: LimiterList, partitionCount: Int, carrying old: SamplerState?) {
        votes = Array(repeating: .notEvaluated, count: policyCount)
        counts = Array(repeating: 0, count: policyCount * VoteCounts.stride)
        limits = LimiterState(limiters, partitionCount: partitionCount, carrying: old?.limits)
    }

    /// A force rule decided about a trace: no policy was asked.
    public mutating func skipPolicies() {
        limits.forgetReadings()
        for index in votes.indices {
            votes[index] = .notEvaluated
            counts[index * VoteCounts.stride + Int(Vote.Outcome.notEvaluated.rawValue)] += 1
        }
    }

    /// How many times the policies have voted since the last call; the counts start at 0 again.
    ///
    /// - Parameter report: Called for every number above 0 with the policy's position in the configuration.
    public mutating func drainVoteCounts(_ report: (_ policy: Int, _ outcome: Vote.Outcome, _ count: UInt64) -> Void) {
        for index in counts.indices where counts[index] > 0 {
            if let outcome = Vote.Outcome(rawValue: UInt8(index % VoteCounts.stride)) {
                report(index / VoteCounts.stride, outcome, counts[index])
            }
            counts[index] = 0
        }
    }
}

enum VoteCounts {
    /// One number for each `Vote.Outcome`, and room to make the product a shift.
    static let stride = 8
}

/// What the limiters of one shard have left.
struct LimiterState: Sendable {
    /// Over how many partitions the limits are divided, at least 1.
    let partitionCount: Int64
    var buckets: [TokenBucket]
    var spending: [CompositeSpending]
    /// Of the last decision.
    var readings: [LimiterReading?]
    /// Whose they are; a sampler with the same limiter goes on with what it has left.
    private let limiters: LimiterList

    init(_ limiters: LimiterList, partitionCount: Int, carrying old: LimiterState?) {
        self.partitionCount = Int64(max(1, partitionCount))
        self.limiters = limiters
        buckets = limiters.buckets.map { TokenBucket($0.rate) }
        spending = limiters.composites.map { CompositeSpending(partCount: $0.plan.parts.count) }
        readings = Array(repeating: nil, count: limiters.readingCount)
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
}

extension LimiterState {
    mutating func forgetReadings() {
        for index in readings.indices { readings[index] = nil }
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
