/// What a force rule says of a trace; it decides before any policy is asked.
public struct ForceVerdict: Hashable, Sendable {
    /// The rule that is credited.
    public var ruleID: String
    /// Kept, or dropped.
    public var isKept: Bool

    public init(ruleID: String, isKept: Bool) {
        self.ruleID = ruleID
        self.isKept = isKept
    }
}
