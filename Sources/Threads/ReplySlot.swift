/// Where the answer to one request goes: made before the request is sent, filled at most once.
///
/// A reply never passes a bounded mailbox, so that back-pressure on work cannot hold back what would end it.
public final class ReplySlot<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var isFilled = false
    }

    private let state = Lock(State())
    private let receiver: Wakeup

    /// - Parameter receiver: The asking thread's own, when it waits for other things too.
    public init(receiver: Wakeup = Wakeup()) {
        self.receiver = receiver
    }

    /// Fills the slot and signals the receiver; never blocks. Any thread.
    ///
    /// - Returns: False when the slot had been filled before; the value is then ignored.
    @discardableResult
    public func fill(_ value: Value) -> Bool {
        let isFirst = state.withLock { state in
            guard !state.isFilled else { return false }
            state = State(value: value, isFilled: true)
            return true
        }
        guard isFirst else { return false }
        receiver.signal()
        return true
    }

    /// The answer if it is there; it can be taken once.
    public func take() -> Value? {
        state.withLock { state in
            defer { state.value = nil }
            return state.value
        }
    }

    /// Waits for the answer; nil at the deadline.
    public func take(until deadline: MonotonicInstant?) -> Value? {
        receiver.wait(until: deadline) { take() }
    }
}
