/// The names of Documentation/Positions.md, "Invariants", and those of the engine; one checker each.
enum Invariant: String, CaseIterable {
    case identity = "Identity"
    case noLoss = "NoLoss"
    case kept = "Kept"
    case whole = "Whole"
    case fenced = "Fenced"
    case monotone = "Monotone"
    case once = "Once"
    case floor = "Floor"
    case order = "Order"
    case sameClock = "SameClock"
    case noCut = "NoCut"
    case oneVerdict = "OneVerdict"
    case bounded = "Bounded"
    case progress = "Progress"
    case alive = "Alive"
    case acked = "Acked"
    /// The buffer's memory stays within its budget.
    case bufferBudget = "BUF-1"
    /// Every span leaves under exactly one decision.
    case oneDecision = "DEC-1"
    /// After the faults stop everything drains.
    case drains = "LIV-1"
    /// Every trace that is judged obeys the rules of its life, then the policies.
    case rules = "RULE-1"
    /// Limiters count by the stream clock alone.
    case limits = "LIM-1"
}

/// One broken invariant, where and how.
struct Violation: CustomStringConvertible {
    var invariant: Invariant
    var step: Int
    var detail: String

    var description: String { "\(invariant.rawValue) at step \(step): \(detail)" }
}
