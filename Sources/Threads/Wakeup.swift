import Glibc

/// What a thread waits on: its own, for everything that concerns it (work, replies, room again, stop).
///
///     while running {
///         let ticket = wakeup.ticket()      // 1. before looking
///         …look at mailboxes and slots…     // 2. whatever arrives from here on moves the ticket
///         wakeup.wait(past: ticket)         // 3. returns at once if something did
///     }
///
/// A signal is a counter, not a flag: no signal is lost, none is taken from another waiter, and several
/// threads may wait on one.
// Sendable: the fields in allocated memory are touched under the mutex only.
public final class Wakeup: @unchecked Sendable {
    /// How many signals there had been.
    public struct Ticket: Hashable, Sendable {
        var signals: UInt64
    }

    private struct State {
        var mutex = pthread_mutex_t()
        var condition = pthread_cond_t()
        var signals: UInt64 = 0
        var waiters = 0
    }

    // Freed in `deinit`; a waiter keeps `self` alive.
    private let state: UnsafeMutablePointer<State>

    public init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Deadlines must not move with the wall clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let results = (
            pthread_mutex_init(&state.pointee.mutex, nil), pthread_cond_init(&state.pointee.condition, &attributes)
        )
        pthread_condattr_destroy(&attributes)
        precondition(results == (0, 0), "pthread_cond_init failed")
    }

    deinit {
        pthread_cond_destroy(&state.pointee.condition)
        pthread_mutex_destroy(&state.pointee.mutex)
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Moves the ticket and wakes every waiter; never blocks. Any thread.
    public func signal() {
        pthread_mutex_lock(&state.pointee.mutex)
        state.pointee.signals += 1
        if state.pointee.waiters > 0 { pthread_cond_broadcast(&state.pointee.condition) }
        pthread_mutex_unlock(&state.pointee.mutex)
    }

    /// Read it before looking at what may be waited for.
    public func ticket() -> Ticket {
        pthread_mutex_lock(&state.pointee.mutex)
        defer { pthread_mutex_unlock(&state.pointee.mutex) }
        return Ticket(signals: state.pointee.signals)
    }

    /// Returns once a signal has come after `ticket` was read, or at the deadline; nil waits without limit.
    ///
    /// - Returns: Whether there was a signal.
    @discardableResult
    public func wait(past ticket: Ticket, until deadline: MonotonicInstant? = nil) -> Bool {
        pthread_mutex_lock(&state.pointee.mutex)
        defer { pthread_mutex_unlock(&state.pointee.mutex) }
        state.pointee.waiters += 1
        defer { state.pointee.waiters -= 1 }
        while state.pointee.signals == ticket.signals {
            guard let deadline else {
                pthread_cond_wait(&state.pointee.condition, &state.pointee.mutex)
                continue
            }
            let moment = max(0, deadline.nanoseconds)
            var limit = timespec(tv_sec: Int(moment / 1_000_000_000), tv_nsec: Int(moment % 1_000_000_000))
            if pthread_cond_timedwait(&state.pointee.condition, &state.pointee.mutex, &limit) == ETIMEDOUT {
                return state.pointee.signals != ticket.signals
            }
        }
        return true
    }

    /// Waits until `look` finds something; it is called again after every signal, and once at the deadline.
    public func wait<Found>(until deadline: MonotonicInstant? = nil, for look: () -> Found?) -> Found? {
        while true {
            let ticket = ticket()
            if let found = look() { return found }
            guard wait(past: ticket, until: deadline) else { return look() }
        }
    }

    /// Sleeps; a signal ends it early.
    public func sleep(_ duration: Duration) {
        wait(past: ticket(), until: .now + duration)
    }
}
