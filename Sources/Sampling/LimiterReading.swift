/// What a limiter needed and had when it was asked about one trace.
public struct LimiterReading: Hashable, Sendable {
    public var isPassed: Bool
    /// Spans or bytes of the trace.
    public var needed: Int64
    /// What this partition's share had left before: of the bucket, or of the composite's part.
    public var left: Int64
    /// Of a composite: the part that decided, and what the total had left.
    public var part: Int?
    public var totalLeft: Int64?

    /// "needs 120, 30 left"
    var words: String {
        let total = totalLeft.map { ", \($0) of the total" } ?? ""
        return "needs \(needed), \(left) left\(total)"
    }
}

extension LimiterList {
    /// Readings are kept of each bucket, then of each composite.
    var readingCount: Int { buckets.count + composites.count }

    /// Where a limiter's reading stands; nil for conditions that are none.
    func place(of test: Condition.Test) -> Int? {
        switch test {
        case .spanTokens(let bucket), .byteTokens(let bucket): bucket
        case .composite(let index): buckets.count + index
        default: nil
        }
    }
}

extension TokenBucket {
    /// Asks as `take` does and tells what was there.
    mutating func reading(taking count: Int64, partitionCount: Int64, at now: Int64) -> LimiterReading {
        let isPassed = take(count, partitionCount: partitionCount, at: now)
        let before = level + (isPassed ? Saturating.product(Saturating.product(count, partitionCount), 1000) : 0)
        return LimiterReading(isPassed: isPassed, needed: count, left: before / 1000 / partitionCount)
    }
}

extension CompositeSpending {
    /// Asks as `take` does and tells what was there.
    mutating func reading(
        taking spanCount: Int64, part: Int, of plan: borrowing CompositePlan, partitionCount: Int64,
        atSecond now: Int64
    ) -> LimiterReading {
        let isPassed = take(spanCount, part: part, of: plan, partitionCount: partitionCount, atSecond: now)
        let cost = isPassed ? Saturating.product(spanCount, partitionCount) : 0
        return LimiterReading(
            isPassed: isPassed, needed: spanCount,
            left: max(0, plan.parts[part].budget - (parts[part] - cost)) / partitionCount, part: part,
            totalLeft: max(0, plan.total - (total - cost)) / partitionCount)
    }
}
