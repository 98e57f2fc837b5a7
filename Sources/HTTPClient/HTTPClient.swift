internal import CCurl
internal import Glibc
public import Threads

/// What all requests of a client have in common.
public struct HTTPClientOptions: Sendable {
    /// Connections to one host; further requests wait for one.
    public var connectionsPerHost = 8
    /// Connections in all.
    public var connectionLimit = 64
    /// PEM file of the authorities to trust instead of the system's.
    public var certificateAuthorityPath: String?
    /// PEM files of our own certificate and its key.
    public var certificatePath: String?
    public var keyPath: String?
    public var userAgent = "tail-sampling-selector"

    public init() {}
}

/// An HTTP/1.1 and HTTP/2 client: one thread owns every connection, callers block or are called back.
///
/// Proxies of the environment (`https_proxy`, `no_proxy`) are used as libcurl does, except towards this machine.
/// Redirects are not followed.
public final class HTTPClient: Sendable {
    private enum Command: Sendable {
        case add(Transfer)
        case stop
    }

    /// libcurl's multi handle: driven by the thread alone, `curl_multi_wakeup` may be called from any.
    private struct Multi: @unchecked Sendable {
        let handle: UnsafeMutableRawPointer
    }

    private let commands: Lock<[Command]>
    private let isStopped: Lock<Bool>
    private let multi: Multi
    private let thread: NamedThread

    public init(_ options: HTTPClientOptions = HTTPClientOptions()) throws(ThreadError) {
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let handle = curl_multi_init() else { preconditionFailure("libcurl has no memory for a multi handle") }
        tss_curl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, options.connectionsPerHost)
        tss_curl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, options.connectionLimit)
        let multi = Multi(handle: handle)
        let commands = Lock<[Command]>([])
        self.multi = multi
        self.commands = commands
        isStopped = Lock(false)
        thread = try NamedThread.start(name: "http-client") {
            Loop(multi: multi.handle, options: options).run {
                commands.withLock { commands in
                    defer { commands.removeAll(keepingCapacity: true) }
                    return commands
                }
            }
        }
    }

    /// Sends a request and calls back once with what became of it, on the client's thread: do not block there.
    public func send(
        _ request: HTTPRequest, completion: @escaping @Sendable (Result<HTTPResponse, HTTPClientError>) -> Void
    ) {
        guard let transfer = Transfer(request, completion: completion) else {
            completion(.failure(HTTPClientError(code: .invalid, message: "libcurl has no memory for a request")))
            return
        }
        if let mistake = transfer.mistake {
            transfer.fail(.invalid, mistake)
            return
        }
        let isTaken = isStopped.withLock { isStopped in
            if isStopped { return false }
            commands.withLock { $0.append(.add(transfer)) }
            return true
        }
        if isTaken {
            curl_multi_wakeup(multi.handle)
        } else {
            transfer.fail(.stopped, "the client has stopped")
        }
    }

    /// Sends a request and waits for the answer.
    public func send(_ request: HTTPRequest) throws(HTTPClientError) -> HTTPResponse {
        let reply = ReplySlot<Result<HTTPResponse, HTTPClientError>>()
        send(request) { reply.fill($0) }
        guard let result = reply.take(until: nil) else {
            throw HTTPClientError(code: .stopped, message: "\(request.method) \(request.url): no answer")
        }
        return try result.get()
    }

    /// Fails what is under way, closes every connection and ends the thread. Further requests fail.
    public func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            if !isStopped { commands.withLock { $0.append(.stop) } }
            return !isStopped
        }
        guard isFirst else { return }
        curl_multi_wakeup(multi.handle)
        thread.join()
        curl_multi_cleanup(multi.handle)
    }

    deinit {
        stop()
    }

    /// What the client's thread does.
    private struct Loop {
        let multi: UnsafeMutableRawPointer
        let options: HTTPClientOptions
        /// Keeps transfers alive while libcurl has their handles.
        var live: [UInt: Transfer] = [:]

        init(multi: UnsafeMutableRawPointer, options: HTTPClientOptions) {
            self.multi = multi
            self.options = options
        }

        consuming func run(_ nextCommands: () -> [Command]) {
            var isStopping = false
            while !isStopping {
                for command in nextCommands() {
                    switch command {
                    case .add(let transfer): add(transfer)
                    case .stop: isStopping = true
                    }
                }
                var runningCount: Int32 = 0
                curl_multi_perform(multi, &runningCount)
                finishDone()
                if !isStopping { curl_multi_poll(multi, nil, 0, 1000, nil) }
            }
            for transfer in live.values {
                curl_multi_remove_handle(multi, transfer.handle)
                transfer.fail(.stopped, "the client has stopped")
            }
        }

        private mutating func add(_ transfer: Transfer) {
            transfer.prepare(options)
            live[UInt(bitPattern: transfer.handle)] = transfer
            curl_multi_add_handle(multi, transfer.handle)
        }

        private mutating func finishDone() {
            var waitingCount: Int32 = 0
            while let message = curl_multi_info_read(multi, &waitingCount) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
                let code = message.pointee.data.result
                curl_multi_remove_handle(multi, handle)
                live.removeValue(forKey: UInt(bitPattern: handle))?.finish(code)
            }
        }
    }
}
