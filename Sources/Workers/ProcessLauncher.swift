internal import CSpawn
internal import Glibc
public import Threads

/// What a child is started with.
public struct ChildCommand: Sendable {
    /// Absolute path of the program.
    public var path: String
    /// Without the program's name.
    public var arguments: [String] = []
    /// The child's whole environment: nothing of ours is inherited.
    public var environment: [String: String] = [:]
    /// Working directory; nil is ours.
    public var folder: String?
    /// Descriptors of ours; nil is the null device. They stay ours: close them after the start.
    public var standardInput: Int32?
    public var standardOutput: Int32?
    public var standardError: Int32?
    /// Becomes the child's descriptor 3.
    public var channel: Int32?
    /// Bytes of address space the child may have; nil is our own limit.
    public var addressLimitBytes: UInt64?
    /// Whether the child is killed when we end, however we end.
    public var endsWithUs = true

    public init(path: String) {
        self.path = path
    }
}

/// Starts children from one thread that lives as long as the launcher.
///
/// Linux sends a child's death signal when the *thread* that started it ends, not the process: started
/// from a thread of a pool, a child is killed the moment the pool lets that thread go. So nobody else starts any.
public final class ProcessLauncher: Sendable {
    private struct Job: Sendable {
        var command: ChildCommand
        var reply: ReplySlot<Result<ChildProcess, WorkerError>>
    }

    /// Starts that may wait; a full box refuses, which no caller of ours comes near.
    private static let waitingStartLimit = 64

    private let jobs: Mailbox<Job>
    private let thread: NamedThread

    public init() throws(ThreadError) {
        let jobs = Mailbox<Job>(capacity: Self.waitingStartLimit)
        self.jobs = jobs
        thread = try NamedThread.start(name: "spawner") {
            while let job = jobs.take(until: nil) {
                job.reply.fill(Self.start(job.command))
            }
        }
    }

    /// Starts a child; blocks until it runs its program or has failed to.
    public func launch(_ command: ChildCommand) throws(WorkerError) -> ChildProcess {
        let reply = ReplySlot<Result<ChildProcess, WorkerError>>()
        guard jobs.offer(Job(command: command, reply: reply)) else {
            throw WorkerError(message: "cannot start \(command.path): the launcher has stopped", errorNumber: ESRCH)
        }
        guard let result = reply.take(until: nil) else {
            throw WorkerError(message: "cannot start \(command.path): the launcher gave no answer", errorNumber: ESRCH)
        }
        return try result.get()
    }

    /// Ends the thread: children whose `endsWithUs` is set are killed with it.
    public func stop() {
        jobs.close()
        thread.join()
    }

    private static func start(_ command: ChildCommand) -> Result<ChildProcess, WorkerError> {
        withCStrings([command.path] + command.arguments) { arguments in
            withCStrings(command.environment.map { "\($0.key)=\($0.value)" }) { environment in
                withCStrings(command.folder.map { [$0] } ?? []) { folder in
                    var request = tss_spawn_request()
                    request.path = arguments[0].map { UnsafePointer($0) }
                    request.arguments = UnsafePointer(arguments)
                    request.environment = UnsafePointer(environment)
                    request.folder = folder[0].map { UnsafePointer($0) }
                    request.standard_input = command.standardInput ?? -1
                    request.standard_output = command.standardOutput ?? -1
                    request.standard_error = command.standardError ?? -1
                    request.channel = command.channel ?? -1
                    request.address_limit = command.addressLimitBytes ?? 0
                    request.death_signal = command.endsWithUs ? SIGKILL : 0
                    var process: pid_t = 0
                    var step: UnsafePointer<CChar>?
                    let error = tss_spawn(&request, &process, &step)
                    guard error == 0 else {
                        let reason = String(cString: strerror(error))
                        let stepName = step.map { String(cString: $0) } ?? "start"
                        return .failure(
                            WorkerError(
                                message: "cannot start \(command.path): \(stepName): \(reason)",
                                errorNumber: error))
                    }
                    return .success(ChildProcess(processID: process))
                }
            }
        }
    }

    /// A NULL-terminated array of C strings that lives for the body.
    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        copies.append(nil)
        defer { copies.forEach { free($0) } }
        return copies.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }
}
