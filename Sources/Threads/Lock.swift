import Glibc

/// A value that one thread at a time may touch.
///
/// Over a `pthread_mutex_t` in allocated memory: the thread sanitizer sees it, which it does not of
/// `Synchronization.Mutex` on Linux. Never held during a call that can block or call back; whoever must
/// do that says so beside the lock.
// Sendable: `value` is reached inside `withLock` only, and what goes in or comes out is `sending`.
public final class Lock<Value: ~Copyable>: @unchecked Sendable {
    // Freed in `deinit`; no one can hold the lock then, for `withLock` keeps `self` alive.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: consuming sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let result = pthread_mutex_init(mutex, nil)
        precondition(result == 0, "pthread_mutex_init failed")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deinitialize(count: 1)
        mutex.deallocate()
    }

    /// Calls `body` with the value while no other thread can. Not recursive.
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
