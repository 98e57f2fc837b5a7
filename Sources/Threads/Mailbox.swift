/// Carries work downstream to a thread, first in first out, at most `capacity` elements.
///
/// A sender whose `offer` is refused keeps the element, takes no new work and goes on taking replies:
/// that is the back-pressure. Replies never travel here: see `ReplySlot`.
public final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        /// Elements before it have been taken; they are cut off when they are half of the array.
        var head = 0
        var isClosed = false
        var waitingForRoom: [Wakeup] = []

        var count: Int { elements.count - head }
    }

    /// Most elements that wait at one time.
    public let capacity: Int
    /// Signalled when an element arrives and at the end.
    public let receiver: Wakeup
    private let state = Lock(State())

    /// - Parameter receiver: The receiving thread's own, when it waits for other things too.
    public init(capacity: Int, receiver: Wakeup = Wakeup()) {
        precondition(capacity > 0, "a mailbox holds at least one element")
        self.capacity = capacity
        self.receiver = receiver
    }

    /// Puts an element in, or refuses it when the mailbox is full or closed; never blocks.
    ///
    /// - Parameter sender: Signalled once when there is room again, if the mailbox was full.
    /// - Returns: Whether it was taken.
    public func offer(_ element: Element, whenRoom sender: Wakeup? = nil) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            guard state.count < capacity else {
                if let sender, !state.waitingForRoom.contains(where: { $0 === sender }) {
                    state.waitingForRoom.append(sender)
                }
                return false
            }
            state.elements.append(element)
            return true
        }
        if isTaken { receiver.signal() }
        return isTaken
    }

    /// The oldest element, or nil when there is none now.
    public func take() -> Element? {
        let (element, senders) = state.withLock { state -> (Element?, [Wakeup]) in
            guard state.count > 0 else { return (nil, []) }
            let element = state.elements[state.head]
            state.head += 1
            if state.head * 2 >= state.elements.count {
                state.elements.removeFirst(state.head)
                state.head = 0
            }
            defer { state.waitingForRoom = [] }
            return (element, state.waitingForRoom)
        }
        for sender in senders { sender.signal() }
        return element
    }

    /// Everything that waits now, oldest first.
    public func takeAll() -> [Element] {
        let (elements, senders) = state.withLock { state -> ([Element], [Wakeup]) in
            guard state.count > 0 else { return ([], []) }
            defer { (state.elements, state.head, state.waitingForRoom) = ([], 0, []) }
            let elements = state.head == 0 ? state.elements : Array(state.elements[state.head...])
            return (elements, state.waitingForRoom)
        }
        for sender in senders { sender.signal() }
        return elements
    }

    /// Waits for an element; nil at the deadline, or when the mailbox is closed and empty.
    public func take(until deadline: MonotonicInstant?) -> Element? {
        let found = receiver.wait(until: deadline) { () -> Element?? in
            // Read before taking: what was offered before the end must still be seen.
            let isClosed = isClosed
            if let element = take() { return .some(element) }
            return isClosed ? .some(nil) : nil
        }
        return found ?? nil
    }

    /// Waits for at least one element; empty at the deadline, or when the mailbox is closed and empty.
    public func takeAll(until deadline: MonotonicInstant?) -> [Element] {
        receiver.wait(until: deadline) { () -> [Element]? in
            let isClosed = isClosed
            let elements = takeAll()
            return elements.isEmpty && !isClosed ? nil : elements
        } ?? []
    }

    /// Refuses everything from now on; what is inside can still be taken.
    public func close() {
        let senders = state.withLock { state -> [Wakeup] in
            state.isClosed = true
            defer { state.waitingForRoom = [] }
            return state.waitingForRoom
        }
        receiver.signal()
        for sender in senders { sender.signal() }
    }

    public var isClosed: Bool { state.withLock { $0.isClosed } }

    /// How many elements wait now.
    public var count: Int { state.withLock { $0.count } }
}
