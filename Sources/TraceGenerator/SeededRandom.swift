public import TraceModel

/// A small, fast random number generator that gives the same numbers for the same seed on every machine.
///
/// Its own `below` and `unit` are used instead of the standard library's, whose algorithms may
/// change from version to version. Not for secrets.
///
/// Source: xoshiro256** 1.0, seeded by SplitMix64 (Blackman and Vigna, prng.di.unimi.it).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: SIMD4<UInt64>

    public init(seed: UInt64) {
        var seeder = SplitMix64(state: seed)
        state = SIMD4(seeder.next(), seeder.next(), seeder.next(), seeder.next())
    }

    /// A generator for one thing among many, independent of how many others were drawn before it.
    public init(seed: UInt64, stream: UInt64) {
        var seeder = SplitMix64(state: seed)
        self.init(seed: seeder.next() ^ stream &* 0xD1B5_4A32_D192_ED03)
    }

    public mutating func next() -> UInt64 {
        let result = rotated(state.y &* 5, by: 7) &* 9
        let shifted = state.y &<< 17
        state.z ^= state.x
        state.w ^= state.y
        state.y ^= state.z
        state.x ^= state.w
        state.z ^= shifted
        state.w = rotated(state.w, by: 45)
        return result
    }

    private func rotated(_ value: UInt64, by count: UInt64) -> UInt64 {
        value &<< count | value &>> (64 &- count)
    }

    /// A number of 0 ..< `bound`, which must be positive.
    public mutating func below(_ bound: Int) -> Int {
        // The upper half of a product: its bias is below bound / 2^64.
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A number of the range.
    public mutating func int(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    /// A number of 0 ..< 1 with 53 random bits.
    public mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// True with the probability given.
    public mutating func chance(_ probability: Double) -> Bool {
        unit() < probability
    }

    /// A valid trace id, all of its bits random.
    public mutating func traceID() -> TraceID {
        while true {
            let id = TraceID(high: next(), low: next())
            if id.isValid { return id }
        }
    }

    /// A valid span id.
    public mutating func spanID() -> SpanID {
        while true {
            let id = SpanID(next())
            if id.isValid { return id }
        }
    }

    /// An element of a collection that is not empty.
    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}

/// The generator that makes seeds for others.
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
