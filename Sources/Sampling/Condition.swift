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
        /// The token bucket of this index has room for the trace's spans, and gives it.
        case spanTokens(bucket: Int)
        /// The same for the trace's bytes.
        case byteTokens(bucket: Int)
        /// The composite of this index lets the trace through.
        case composite(Int)
    }

    public init(_ test: Test, isInverted: Bool = false) {
        self.test = test
        self.isInverted = isInverted
    }

    /// The opposite, when asked for.
    public func inverted(_ isWanted: Bool = true) -> Condition { Condition(test, isInverted: isInverted != isWanted) }

    /// Whether no trace at all can satisfy it.
    var isImpossible: Bool { isInverted ? test == .always : test == .never }

    /// Whether the answer depends on what other traces spent; such a condition is asked at the decision, once.
    var isLimiting: Bool {
        switch test {
        case .spanTokens, .byteTokens, .composite: true
        default: false
        }
    }

    var limitsBytes: Bool {
        if case .byteTokens = test { return true }
        return false
    }

    /// Whether every trace satisfies it.
    var isCertain: Bool { isInverted ? test == .never : test == .always }
}

/// An answer, or the statement that it depends on what is not known: a hash whose probability is not claimed, or
/// what a limiter has left.
enum Truth: UInt8 {
    case no
    case yes
    case unknown

    var opposite: Truth {
        switch self {
        case .no: .yes
        case .yes: .no
        case .unknown: .unknown
        }
    }
}

/// What chance shows to a plan: the trace's real values, or those of a trace imagined in its place.
struct Chance {
    /// 56 bits.
    var randomness: UInt64
    /// False when the question is "would it be kept whatever the hash": every hash answers unknown.
    var knowsHashes: Bool
}

extension Condition {
    /// The answer as far as the trace alone gives it; that of a limiter is unknown.
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
        case .spanTokens, .byteTokens, .composite: return .unknown
        }
        return holds != isInverted ? .yes : .no
    }
}
