public import Sampling

/// What every policy said of one trace, four bits each: 16 bytes for up to 32 policies, no allocation.
///
/// Larger sets of policies take one array for each decision.
public struct VoteSet: Sendable, Hashable {
    /// Policies whose votes fit without an array.
    public static let inlineCount = 32
    private static let perWord = 16

    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private var rest: [UInt8] = []
    public private(set) var count = 0

    /// No votes: nobody was asked.
    public init() {}

    /// - Parameter votes: In configuration order.
    public init(_ votes: borrowing [Vote.Outcome]) {
        count = votes.count
        for index in 0..<min(count, Self.perWord) { low |= UInt64(votes[index].rawValue) << UInt64(4 * index) }
        guard count > Self.perWord else { return }
        for index in Self.perWord..<min(count, Self.inlineCount) {
            high |= UInt64(votes[index].rawValue) << UInt64(4 * (index - Self.perWord))
        }
        guard count > Self.inlineCount else { return }
        for index in Self.inlineCount..<count { rest.append(votes[index].rawValue) }
    }

    public var isEmpty: Bool { count == 0 }

    public subscript(index: Int) -> Vote.Outcome {
        precondition(index >= 0 && index < count, "a policy of the set")
        let bits: UInt64 =
            if index < Self.perWord {
                low >> UInt64(4 * index) & 15
            } else if index < Self.inlineCount {
                high >> UInt64(4 * (index - Self.perWord)) & 15
            } else {
                UInt64(rest[index - Self.inlineCount])
            }
        return Vote.Outcome(rawValue: UInt8(bits)) ?? .notEvaluated
    }

    /// In configuration order.
    public var outcomes: [Vote.Outcome] { (0..<count).map { self[$0] } }
}
