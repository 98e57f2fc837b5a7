import Glibc
import Threads

/// Every open connection with what it does since when: libmicrohttpd's own time-out is for inactivity only, a
/// client that drips a byte now and then would stay for ever.
///
/// The lock is held during `shutdown(2)`: a socket is closed only after its entry has gone, so the number
/// cannot be another connection's.
final class ConnectionTable: Sendable {
    enum Activity {
        /// Waits for a request line.
        case idle
        /// From the request line to the end of the body.
        case receiving
        /// Waits for its answer: exempt from deadlines.
        case parked(Exchange)
        /// The answer is on its way out.
        case answering
    }

    struct Entry {
        var socket: Int32
        var activity = Activity.idle
        var since = MonotonicInstant.now
    }

    struct State {
        var entries: [UInt: Entry] = [:]
        /// Requests are refused, and answers close their connection.
        var refusesRequests = false
        /// No exchange may be parked any more.
        var refusesParking = false
        var isStopped = false
    }

    private let options: HTTPServerOptions
    private let state = Lock(State())
    /// Signalled when a connection ends, and to stop.
    private let change = Wakeup()
    /// How often deadlines are looked at, at most.
    private static let shortestPause: Duration = .milliseconds(100)

    init(_ options: HTTPServerOptions) {
        self.options = options
    }

    /// - Parameter key: The connection's address.
    func open(_ key: UInt, socket: Int32) {
        state.withLock { $0.entries[key] = Entry(socket: socket) }
        options.observer.connections(1)
    }

    func close(_ key: UInt) {
        let wasOpen = state.withLock { $0.entries.removeValue(forKey: key) != nil }
        if wasOpen { options.observer.connections(-1) }
        change.signal()
    }

    func mark(_ key: UInt, _ activity: sending Activity) {
        let now = MonotonicInstant.now
        state.withLock { state in
            guard var entry = state.entries[key] else { return }
            entry.activity = activity
            entry.since = now
            state.entries[key] = entry
            // Its answer was chosen before the stop began, without `Connection: close`.
            if state.refusesRequests, case .idle = entry.activity { _ = shutdown(entry.socket, Int32(SHUT_RD)) }
        }
    }

    /// - Returns: False when the server stops and the exchange must be answered now.
    func park(_ key: UInt, _ exchange: Exchange) -> Bool {
        state.withLock { state in
            guard !state.refusesParking else { return false }
            state.entries[key]?.activity = .parked(exchange)
            return true
        }
    }

    func refuseRequests() { state.withLock { $0.refusesRequests = true } }

    var refusesRequests: Bool { state.withLock { $0.refusesRequests } }

    var count: Int { state.withLock { $0.entries.count } }

    /// Ends the reading side of connections that wait for a request; what they had already sent is still answered.
    func endIdle() {
        state.withLock { state in
            for entry in state.entries.values {
                if case .idle = entry.activity { _ = shutdown(entry.socket, Int32(SHUT_RD)) }
            }
        }
    }

    /// Cuts every connection but the parked ones, which are returned and must be answered.
    func endAll() -> [Exchange] {
        state.withLock { state in
            state.refusesParking = true
            var parked: [Exchange] = []
            for entry in state.entries.values {
                if case .parked(let exchange) = entry.activity {
                    parked.append(exchange)
                } else {
                    _ = shutdown(entry.socket, Int32(SHUT_RDWR))
                }
            }
            return parked
        }
    }

    /// - Returns: Whether every connection has ended by the deadline.
    func waitUntilEmpty(until deadline: MonotonicInstant) -> Bool {
        change.wait(until: deadline) { count == 0 ? true : nil } ?? false
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        change.signal()
    }

    /// Body of the deadline thread.
    func run() {
        let shortest = min(options.idleDeadline, min(options.requestDeadline, options.answerDeadline))
        while true {
            let ticket = change.ticket()
            let now = MonotonicInstant.now
            // A connection that comes meanwhile is not due before the shortest deadline.
            let isStopped = state.withLock { $0.isStopped }
            if isStopped { return }
            let next = min(cutOverdue(now: now) ?? .init(nanoseconds: .max), now + shortest)
            let pause = max(next, now + Self.shortestPause)
            var seen = ticket
            // Connections that end are no reason to look again before that.
            while change.wait(past: seen, until: pause) {
                if state.withLock({ $0.isStopped }) { return }
                seen = change.ticket()
            }
        }
    }

    /// - Returns: When the next of those that stay is due.
    private func cutOverdue(now: MonotonicInstant) -> MonotonicInstant? {
        state.withLock { state in
            var next: MonotonicInstant?
            for entry in state.entries.values {
                guard let limit = limit(entry.activity) else { continue }
                let due = entry.since + limit
                if due <= now {
                    _ = shutdown(entry.socket, Int32(SHUT_RDWR))
                } else {
                    next = min(next ?? due, due)
                }
            }
            return next
        }
    }

    private func limit(_ activity: Activity) -> Duration? {
        switch activity {
        case .idle: options.idleDeadline
        case .receiving: options.requestDeadline
        case .answering: options.answerDeadline
        case .parked: nil
        }
    }
}
