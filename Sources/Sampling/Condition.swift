internal import TraceModel

/// One question about a trace, compiled: fixed layout, no references, asked without allocating.
public struct Condition: Hashable, Sendable {
    public var test: Test
    /// Swaps yes and no.
    public var isInverted: Bool

    public enum Test: Hashable, Sendable {
        case always
        case never
        /// A span has one of the status codes; bit n is code n, as in `TraceSummary.statusCodes`.
        case statusCode(mask: UInt8)
        /// Whole milliseconds from the earliest start to the latest end, both bounds included.
        case duration(atLeast: Int64, atMost: Int64)
        /// Both bounds included.
        case spanCount(atLeast: Int64, atMost: Int64)
        /// A span has the W3C sampled flag.
        case flaggedSampled
        /// The trace's 56 bits of randomness reach the rejection threshold.
        case randomness(atLeast: UInt64)
        /// FNV-1a of the trace id, continued from `state`, is not above the limit.
        case hash(atMost: UInt64, state: UInt64)
        /// Some span or its resource satisfied one of the matchers.
        case matches(mask: UInt64)
    }

    public init(_ test: Test, isInverted: Bool = false) {
        self.test = test
        self.isInverted = isInverted
    }

    /// The opposite, when asked for.
    public func inverted(_ isWanted: Bool = true) -> Condition { Condition(test, isInverted: isInverted != isWanted) }

    /// Whether no trace at all can satisfy it.
    var isImpossible: Bool { isInverted ? test == .always : test == .never }

    /// Whether every trace satisfies it.
    var isCertain: Bool { isInverted ? test == .never : test == .always }
}

/// An answer, or the statement that it depends on a hash whose probability is not claimed.
enum Truth: UInt8 {
    case no
    case yes
    case unknown
}

/// What chance shows to a plan: the trace's real values, or those of a trace imagined in its place.
struct Chance {
    /// 56 bits.
    var randomness: UInt64
    /// False when the question is "would it be kept whatever the hash": every hash answers unknown.
    var knowsHashes: Bool
}

extension Condition {
    func truth(_ trace: borrowing TraceSummary, _ chance: Chance) -> Truth {
        let holds: Bool
        switch test {
        case .always: holds = true
        case .never: holds = false
        case .statusCode(let mask): holds = trace.statusCodes & mask != 0
        case .duration(let atLeast, let atMost):
            let milliseconds = trace.durationMilliseconds
            holds = milliseconds >= atLeast && milliseconds <= atMost
        case .spanCount(let atLeast, let atMost):
            let count = Int64(trace.spanCount)
            holds = count >= atLeast && count <= atMost
        case .flaggedSampled: holds = trace.isFlaggedSampled
        case .randomness(let threshold): holds = chance.randomness >= threshold
        case .hash(let limit, let state):
            guard chance.knowsHashes else { return .unknown }
            holds = FNV1a(state: state).adding(trace.traceID).state <= limit
        case .matches(let mask): holds = trace.matches & mask != 0
        }
        return holds != isInverted ? .yes : .no
    }
}
