/// Durations in buckets of an eighth of a power of two: any quantile to 12 %, for any number of them.
struct Histogram {
    private static let bucketsPerDoubling = 8
    private var counts = [Int](repeating: 0, count: 64 * bucketsPerDoubling)
    private(set) var count = 0
    private(set) var highest: UInt64 = 0

    mutating func add(_ nanoseconds: UInt64) {
        let value = max(nanoseconds, 8)
        let exponent = 63 - value.leadingZeroBitCount
        // The three bits behind the highest one.
        let part = Int((value >> UInt64(exponent - 3)) & 7)
        counts[exponent * Self.bucketsPerDoubling + part] += 1
        count += 1
        highest = max(highest, nanoseconds)
    }

    mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        highest = max(highest, other.highest)
    }

    /// Upper edge, in nanoseconds, of the bucket that holds the quantile; never more than the highest.
    func quantile(_ share: Double) -> UInt64 {
        let wanted = Int((Double(count) * share).rounded(.up))
        var seen = 0
        for (index, bucket) in counts.enumerated() {
            seen += bucket
            guard seen >= wanted, bucket > 0 else { continue }
            let exponent = UInt64(index / Self.bucketsPerDoubling)
            let part = UInt64(index % Self.bucketsPerDoubling)
            return min(highest, ((9 + part) << exponent) >> 3)
        }
        return highest
    }
}
