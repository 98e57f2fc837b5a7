/// What a limiter lets pass: so much a second, so much at once.
public struct TokenRate: Hashable, Sendable {
    /// Tokens that come back in a second: spans or bytes.
    public var perSecond: Int64
    /// Most tokens that lie ready, and so the largest trace that ever passes.
    public var burst: Int64

    /// Rates and bursts above it are taken as it: more than any machine sends, and a thousand of it fit into 64 bits.
    public static let limit: Int64 = 1_000_000_000_000

    /// - Parameter burst: 0 or less: twice the rate.
    public init(perSecond: Int64, burst: Int64 = 0) {
        self.perSecond = min(max(perSecond, 0), Self.limit)
        self.burst = burst > 0 ? min(burst, Self.limit) : min(2 * self.perSecond, Self.limit)
    }
}

/// A token bucket over time that is given to it: full at the start, refilled continuously, exact in integers.
///
/// With *n* partitions each has a bucket of its own, and the rate is that of all together: a token costs *n*. A trace
/// that is larger than a partition's share of the burst, and no larger than the whole burst, passes when the bucket
/// is full and leaves it in debt: many partitions starve no large trace, and the rate over time stays what it is.
/// With one partition there is no such trace, and the bucket is exactly the Collector's.
///
/// Source of the rules: golang.org/x/time/rate, `Limiter.AllowN`, which the Collector's policies use.
struct TokenBucket: Sendable {
    let rate: TokenRate
    /// Thousandths of a token; one that comes back in a millisecond at 1 a second is 1.
    private(set) var level: Int64
    /// The stream clock at the last refill, milliseconds since 1970; nil: never asked, and so full.
    private var refilledAt: Int64?

    private static let parts: Int64 = 1000

    init(_ rate: TokenRate) {
        self.rate = rate
        level = rate.burst * Self.parts
    }

    /// Takes tokens if there are enough of them; a refusal costs nothing.
    ///
    /// - Parameters:
    ///   - count: Spans or bytes of the trace.
    ///   - now: Milliseconds since 1970; one before the last is taken as the last.
    mutating func take(_ count: Int64, partitionCount: Int64, at now: Int64) -> Bool {
        refill(at: now)
        guard count <= rate.burst else { return false }
        let cost = Saturating.product(count, Saturating.product(partitionCount, Self.parts))
        guard level >= min(cost, rate.burst * Self.parts) else { return false }
        level -= cost
        return true
    }

    private mutating func refill(at now: Int64) {
        let before = refilledAt ?? now
        guard now > before || refilledAt == nil else { return }
        refilledAt = now
        let added = Saturating.product(Saturating.difference(now, before), rate.perSecond)
        level = min(level + added, rate.burst * Self.parts)
    }
}

/// Numbers from 0 that stay below a quarter of what 64 bits hold, so that two of them can be added.
enum Saturating {
    static let limit = Int64.max / 4

    /// - Precondition: `later` is not before `earlier`.
    static func difference(_ later: Int64, _ earlier: Int64) -> Int64 {
        let (difference, isOverflowing) = later.subtractingReportingOverflow(earlier)
        return isOverflowing ? limit : min(difference, limit)
    }

    static func product(_ one: Int64, _ other: Int64) -> Int64 {
        let (product, isOverflowing) = one.multipliedReportingOverflow(by: other)
        return isOverflowing ? limit : min(product, limit)
    }
}
