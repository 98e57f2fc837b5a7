import CSystem
import Glibc

/// Why a thread did not start.
public struct ThreadError: Error, Sendable, CustomStringConvertible {
    /// errno of `pthread_create`; EAGAIN is a limit of the system.
    public var code: Int32
    public var message: String

    public var description: String { message }
}

/// A thread with a name, started, joined and owned by one place.
public final class NamedThread: Sendable {
    /// What the kernel takes; a longer name is cut.
    public static let longestName = 15
    /// Address space, not memory: pages count once they are touched.
    public static let defaultStackBytes = 4 << 20

    /// As `top -H` and the debugger show it.
    public let name: String
    /// Nil once joined.
    private let thread: Lock<pthread_t?>

    private init(name: String, thread: pthread_t) {
        self.name = name
        self.thread = Lock(thread)
    }

    /// Starts a thread that runs `body` and ends with it.
    public static func start(
        name: String, stackBytes: Int = defaultStackBytes, _ body: @escaping @Sendable () -> Void
    ) throws(ThreadError) -> NamedThread {
        let short = String(decoding: Array(name.utf8.prefix(longestName)), as: UTF8.self)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        var code = pthread_attr_setstacksize(&attributes, max(stackBytes, 64 << 10))
        // Retained here, released by the thread itself.
        let entry = Unmanaged.passRetained(Entry(name: short, body: body))
        var thread = pthread_t()
        if code == 0 {
            code = pthread_create(
                &thread, &attributes,
                { argument in
                    let entry = Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
                    _ = entry.name.withCString { tss_thread_set_name($0) }
                    entry.body()
                    return nil
                }, entry.toOpaque())
        }
        guard code == 0 else {
            entry.release()
            throw ThreadError(code: code, message: "thread \(short) did not start: \(String(cString: strerror(code)))")
        }
        return NamedThread(name: short, thread: thread)
    }

    /// Waits for the end of the body; a second call returns at once. Not from the thread itself.
    public func join() {
        let thread = thread.withLock { thread -> pthread_t? in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        pthread_join(thread, nil)
    }

    deinit {
        // Never joined: the thread frees itself when it ends.
        if let thread = thread.withLock({ $0 }) { pthread_detach(thread) }
    }
}

private final class Entry: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}
