internal import CSystem
internal import Glibc
internal import Threads

/// How a child process ended.
public enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case exited(code: Int32)
    case signalled(Int32)

    init(waitStatus: Int32) {
        if tss_wait_signaled(waitStatus) != 0 {
            self = .signalled(tss_wait_signal(waitStatus))
        } else {
            self = .exited(code: tss_wait_exit_status(waitStatus))
        }
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal): "signal \(signal)"
        }
    }
}

/// Why a child could not be started.
public struct WorkerError: Error, Sendable, CustomStringConvertible {
    /// Lower case, no full stop: what failed, on what.
    public var message: String
    /// `errno` of the step that failed.
    public var errorNumber: Int32

    public var description: String { message }
}

/// A running child, leader of a process group of its own.
///
/// The process number stays ours until the child is reaped, and nobody is signalled after that: both
/// happen under one lock, so a number that the system has given to a stranger is never touched.
public final class ChildProcess: Sendable {
    public let processID: Int32
    private let descriptor: Int32
    /// Guards the reaping: nil while the child was not reaped.
    private let status = Lock<ExitStatus?>(nil)

    init(processID: Int32) {
        self.processID = processID
        descriptor = tss_pidfd_open(processID)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Waits until the child has ended and reaps it.
    ///
    /// - Parameter milliseconds: How long at most; nil waits for ever, 0 only looks.
    /// - Returns: nil when it still runs.
    public func wait(milliseconds: Int? = nil) -> ExitStatus? {
        if let ended = status.withLock({ $0 }) { return ended }
        if descriptor >= 0 {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&entry, 1, milliseconds.map { Int32(clamping: $0) } ?? -1) < 0 && errno == EINTR {
                continue
            }
        }
        return status.withLock { status in
            if status != nil { return status }
            var waitStatus: Int32 = 0
            // Without a descriptor (a kernel before 5.3) waiting for ever is the wait call's own.
            let flags = milliseconds == nil && descriptor < 0 ? 0 : WNOHANG
            var reaped: Int32
            repeat { reaped = waitpid(processID, &waitStatus, flags) } while reaped < 0 && errno == EINTR
            if reaped == processID { status = ExitStatus(waitStatus: waitStatus) }
            return status
        }
    }

    /// Sends a signal to the child's whole group; nothing happens once it was reaped.
    public func signal(_ number: Int32) {
        status.withLock { status in
            if status == nil { kill(-processID, number) }
        }
    }

    /// Kills the whole group and reaps the child.
    @discardableResult
    public func kill() -> ExitStatus? {
        signal(SIGKILL)
        return wait()
    }

    private func kill(_ processID: Int32, _ number: Int32) {
        _ = Glibc.kill(processID, number)
    }
}
