import CCurl
import Threads

/// The loop of a client's thread.
// Sendable: `multi` is used by the loop's thread only, but for `curl_multi_wakeup`, which may come from any
// thread and is called under the queue's lock, as the clean-up is: never on a freed handle.
final class TransferLoop: @unchecked Sendable {
    enum Command: Sendable {
        case add(PendingTransfer)
        /// Some transfer has its flag set.
        case cancel
        case stop
    }

    private struct Queue {
        var commands: [Command] = []
        /// The thread has ended, or is about to.
        var isClosed = false
    }

    private let options: HTTPClientOptions
    private let multi: UnsafeMutableRawPointer
    private let queue = Lock(Queue())

    /// libcurl's own timers end a wait earlier.
    private static let longestWaitMilliseconds: Int32 = 60_000

    /// Once for the process; thread-safe in Debian's libcurl.
    private static let initialized = tss_curl_init()

    init(_ options: HTTPClientOptions) throws(HTTPError) {
        guard Self.initialized == CURLE_OK, let multi = curl_multi_init() else {
            throw HTTPError(code: .system, message: "libcurl did not start")
        }
        self.options = options
        self.multi = multi
        _ = tss_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, options.maxConnectionsPerHost)
        _ = tss_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, options.maxConnections)
    }

    /// The thread has ended, for it holds a reference.
    deinit { curl_multi_cleanup(multi) }

    /// Any thread.
    func submit(_ command: Command) {
        let isTaken = queue.withLock { queue in
            guard !queue.isClosed else { return false }
            queue.commands.append(command)
            return true
        }
        if isTaken {
            curl_multi_wakeup(multi)
        } else if case .add(let pending) = command {
            pending.completion(.failure(Self.stopped(pending.request)))
        }
    }

    func run() {
        var live: [UInt: Transfer] = [:]
        var isStopping = false
        while !isStopping {
            let commands = queue.withLock { queue in
                defer { queue.commands = [] }
                return queue.commands
            }
            for command in commands {
                switch command {
                case .add(let pending): add(pending, to: &live)
                case .cancel: end(where: { $0.pending.transfer.isCancelled }, "cancelled", &live)
                case .stop: isStopping = true
                }
            }
            guard !isStopping else { break }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finish(&live)
            curl_multi_poll(multi, nil, 0, Self.longestWaitMilliseconds, nil)
        }
        end(where: { _ in true }, "the client has stopped", &live)
        let rest = queue.withLock { queue in
            queue.isClosed = true
            defer { queue.commands = [] }
            return queue.commands
        }
        for case .add(let pending) in rest {
            pending.completion(.failure(Self.stopped(pending.request)))
        }
    }

    private func add(_ pending: PendingTransfer, to live: inout [UInt: Transfer]) {
        guard !pending.transfer.isCancelled else {
            pending.completion(.failure(Transfer.error(pending.request, .cancelled, "cancelled")))
            return
        }
        do {
            let transfer = try Transfer(pending, options)
            curl_multi_add_handle(multi, transfer.easy)
            live[transfer.key] = transfer
        } catch {
            pending.completion(.failure(error))
        }
    }

    private func finish(_ live: inout [UInt: Transfer]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            // Read before the handle is removed, which frees the message.
            let code = message.pointee.data.result
            curl_multi_remove_handle(multi, easy)
            guard let transfer = live.removeValue(forKey: UInt(bitPattern: easy)) else { continue }
            transfer.pending.completion(transfer.result(code))
        }
    }

    private func end(where isEnded: (Transfer) -> Bool, _ why: String, _ live: inout [UInt: Transfer]) {
        for (key, transfer) in live where isEnded(transfer) {
            curl_multi_remove_handle(multi, transfer.easy)
            live[key] = nil
            transfer.pending.completion(.failure(Transfer.error(transfer.pending.request, .cancelled, why)))
        }
    }

    private static func stopped(_ request: ClientRequest) -> HTTPError {
        Transfer.error(request, .cancelled, "the client has stopped")
    }
}
