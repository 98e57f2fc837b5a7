import CMicrohttpd
import Compression
import Threads

/// One request from its request line to its completion.
///
///     target ─▶ begin (headers) ─▶ take (body, in chunks) ─▶ end ─▶ handler ─▶ answered ─▶ sent
///                  │ refused: body dropped ──────────────────▲                   ▲
///                  └ …before any byte of it was read: answered at once     parked: answer from any thread
///
/// Owned by the connection's thread, which alone touches the fields outside `reply`; libmicrohttpd holds one
/// reference from `target` to the completion, a `Responder` another.
// Sendable: other threads reach `reply` (a lock) and the constants only. The connection outlives every use: it is
// not freed while suspended, and is resumed at most once.
final class Exchange: @unchecked Sendable {
    enum Phase {
        case receiving
        /// Reads and drops the body, then gives this answer.
        case discarding(HTTPResponse)
        case handled
    }

    /// How the request is answered.
    enum Reply {
        case open
        /// The connection is suspended.
        case parked
        case answered(HTTPResponse)
        case sent
    }

    let core: ServerCore
    let connection: OpaquePointer
    private let target: String
    private var phase = Phase.receiving
    private var head: HTTPRequestHead?
    private var route: HTTPRoute?
    private var body: [UInt8] = []
    private var inflater: Inflater?
    private var announcedBytes: Int?
    private var receivedBytes = 0
    private var chargedBytes = 0
    /// Held while the connection is suspended.
    private let reply = Lock(Reply.open)

    /// Compressed bytes are inflated in steps of this size, so that one step yields 4 MiB at most.
    private static let inflateStepBytes = 4096
    /// A server without bodies still drops this much, times the factor.
    private static let shortestDrainBytes = 64 << 10

    init(_ core: ServerCore, _ connection: OpaquePointer, target: String) {
        self.core = core
        self.connection = connection
        self.target = target
    }

    deinit { core.budget.give(chargedBytes) }

    private var key: UInt { UInt(bitPattern: connection) }

    /// Whether the headers are in.
    private(set) var hasBegun = false

    // MARK: The connection's thread

    /// The headers are in, no byte of the body yet: the only moment to refuse without reading it.
    func begin(method: String) -> MHD_Result {
        hasBegun = true
        let (path, query) = URI.split(target)
        var head = HTTPRequestHead(
            method: method, path: URI.decode(path), query: URI.query(query), headers: Microhttpd.headers(connection),
            parameters: [:], peer: Microhttpd.peer(connection))
        let lengths = head.headers.count(of: "Content-Length")
        let hasCoding = head.headers["Transfer-Encoding"] != nil
        // libmicrohttpd takes the first length: what follows would be read as another request (RFC 9112, 6.3).
        guard lengths + (hasCoding ? 1 : 0) <= 1 else {
            phase = .handled
            return send(.text(400, "ambiguous length of the body\n"), closes: true)
        }
        announcedBytes = hasCoding ? nil : Int(head.headers["Content-Length"] ?? "0")
        switch core.router.route(method, URI.segments(path)) {
        case .none:
            self.head = head
            return refuse(.notFound, "no such path: \(head.path)")
        case .otherMethods(let methods):
            self.head = head
            return refuse(.methodNotAllowed, "\(method) is not for \(head.path)", allow: methods)
        case .found(let route, let parameters):
            head.parameters = parameters
            self.head = head
            self.route = route
            return admit(head, route)
        }
    }

    private func admit(_ head: HTTPRequestHead, _ route: HTTPRoute) -> MHD_Result {
        if let response = route.admit?(head) { return refuse(response) }
        if core.table.refusesRequests { return refuse(.stopping, "the program is shutting down", retry: true) }
        guard hasBody else { return .YES }
        if let announcedBytes, announcedBytes > route.maxBodyBytes {
            return refuse(.tooLarge, "body of \(announcedBytes) bytes, at most \(route.maxBodyBytes) are taken")
        }
        switch head.headers["Content-Encoding"]?.lowercased() ?? "identity" {
        case "identity", "": break
        case "gzip", "x-gzip", "deflate":
            guard let inflater = try? Inflater(.gzipOrZlib, limitBytes: route.maxBodyBytes) else {
                return refuse(.overloaded, "no memory to decompress", retry: true)
            }
            self.inflater = consume inflater
        case let encoding:
            return refuse(.unsupportedEncoding, "content encoding \(encoding): gzip, deflate and identity are taken")
        }
        guard reserve(min(announcedBytes ?? .max, core.options.firstReservationBytes)) else { return refuseForMemory() }
        return .YES
    }

    private var hasBody: Bool { announcedBytes.map { $0 > 0 } ?? true }

    /// Takes a chunk; the bytes are libmicrohttpd's, for the time of the call.
    func take(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        receivedBytes += bytes.count
        switch phase {
        case .receiving:
            if inflater != nil { return inflate(bytes) }
            return append(bytes)
        case .discarding:
            // The client goes on though it was told a length, or does not look: cut it.
            return receivedBytes > drainBytes ? .NO : .YES
        case .handled: return .YES
        }
    }

    private var drainBytes: Int {
        let limit = max(core.longestBodyBytes, Self.shortestDrainBytes)
        let (product, overflow) = limit.multipliedReportingOverflow(by: core.options.drainFactor)
        return overflow ? .max : product
    }

    private func append(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        guard let route else { return .NO }
        let count = body.count + bytes.count
        guard count <= route.maxBodyBytes else { return refuseTooLarge(route) }
        guard reserve(count) else { return refuseForMemory() }
        body.append(contentsOf: bytes)
        return .YES
    }

    private func inflate(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        guard let route else { return .NO }
        var rest = bytes[...]
        while !rest.isEmpty {
            let step = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.inflateStepBytes))
            rest = rest.dropFirst(step.count)
            do {
                try inflater?.feed(step.bytes, into: &body)
            } catch {
                return refuse(of: error, route)
            }
            // The output is there before it is charged: one step's worth beyond the budget.
            guard charge(body.capacity) else { return refuseForMemory() }
        }
        return .YES
    }

    private func refuse(of error: CompressionError, _ route: HTTPRoute) -> MHD_Result {
        switch error.code {
        case .tooLarge: refuseTooLarge(route)
        case .outOfMemory: refuseForMemory()
        case .truncated, .corrupt: refuse(.badEncoding, "body does not decompress: \(error.message)")
        }
    }

    private func refuseTooLarge(_ route: HTTPRoute) -> MHD_Result {
        refuse(.tooLarge, "body of more than \(route.maxBodyBytes) bytes")
    }

    private func refuseForMemory() -> MHD_Result {
        refuse(.overloaded, "the memory for request bodies is spent", retry: true)
    }

    /// Room for `count` bytes: exact when the length was announced, else doubled.
    private func reserve(_ count: Int) -> Bool {
        guard count > body.capacity, let route else { return true }
        let most = min(route.maxBodyBytes, announcedBytes ?? .max)
        let room = min(max(most, count), max(count, body.capacity * 2))
        guard charge(room) else { return false }
        body.reserveCapacity(room)
        return true
    }

    private func charge(_ bytes: Int) -> Bool {
        guard bytes > chargedBytes else { return true }
        guard core.budget.take(bytes - chargedBytes) else { return false }
        chargedBytes = bytes
        return true
    }

    /// The whole request has come, or the connection goes on after it was parked.
    func end() -> MHD_Result {
        switch phase {
        case .discarding(let response):
            phase = .handled
            return send(response)
        case .handled:
            return sendReply()
        case .receiving:
            if inflater != nil {
                do {
                    try inflater?.finish()
                } catch {
                    _ = refuse(.badEncoding, "body does not decompress: \(error.message)")
                    return end()
                }
                inflater = nil
            }
            return handle()
        }
    }

    private func handle() -> MHD_Result {
        phase = .handled
        guard let head, let route else { return .NO }
        let request = HTTPRequest(head: head, body: body, receivedBytes: receivedBytes)
        body = []
        route.handle(request, Responder(self))
        if !core.table.park(key, self) {
            answer(core.refuse(.stopping, "the program is shutting down", head, retry: true))
        }
        let isAnswered = reply.withLock { reply in
            guard case .open = reply else { return true }
            reply = .parked
            // Before another thread can resume it: it needs this lock for that.
            MHD_suspend_connection(connection)
            return false
        }
        return isAnswered ? sendReply() : .YES
    }

    private func sendReply() -> MHD_Result {
        let response = reply.withLock { reply -> HTTPResponse? in
            guard case .answered(let response) = reply else { return nil }
            reply = .sent
            return response
        }
        // Nil: called again after the answer was queued.
        guard let response else { return .YES }
        return send(response, isCounted: true)
    }

    // MARK: Refusals

    private func refuse(
        _ cause: HTTPRefusal.Cause, _ message: String, retry: Bool = false, allow: [String] = []
    ) -> MHD_Result {
        var response = core.refuse(cause, message, head, retry: retry)
        if !allow.isEmpty { response.headers.add("Allow", allow.joined(separator: ", ")) }
        return refuse(response)
    }

    /// A client that waits for `100 Continue`, or announced more than we are ready to drop, is answered at once,
    /// which closes the connection; any other sends its body first and would see a reset instead of the answer.
    private func refuse(_ response: HTTPResponse) -> MHD_Result {
        body = []
        inflater = nil
        core.budget.give(chargedBytes)
        chargedBytes = 0
        let isFirstCall = receivedBytes == 0
        let waits = hasBody && head?.headers["Expect"] != nil
        if isFirstCall, waits || (announcedBytes ?? 0) > drainBytes {
            phase = .handled
            return send(response, closes: true)
        }
        phase = .discarding(response)
        return .YES
    }

    private func send(_ response: HTTPResponse, closes: Bool = false, isCounted: Bool = false) -> MHD_Result {
        if !isCounted { core.options.observer.answered(status: response.status) }
        core.table.mark(key, .answering)
        return Microhttpd.queue(response, on: connection, closes: closes || core.table.refusesRequests)
    }

    // MARK: Any thread

    /// Gives the answer; the first one counts.
    @discardableResult
    func answer(_ response: HTTPResponse) -> Bool {
        let claim = reply.withLock { reply -> (isFirst: Bool, isParked: Bool) in
            switch reply {
            case .open:
                reply = .answered(response)
                return (true, false)
            case .parked:
                reply = .answered(response)
                return (true, true)
            case .answered, .sent: return (false, false)
            }
        }
        guard claim.isFirst else { return false }
        core.options.observer.answered(status: response.status)
        // Once, for only one call saw it parked, and after the suspension, which was made under the lock.
        if claim.isParked { MHD_resume_connection(connection) }
        return true
    }

    /// The answer to a request that the program lost.
    func answerLost() {
        answer(core.refuse(.failed, "the request was not answered", nil, retry: false))
    }
}

/// Answers one request, once, from any thread; the client may be gone by then.
public final class Responder: Sendable {
    private let exchange: Exchange

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    /// - Returns: False when it was answered before.
    @discardableResult
    public func answer(_ response: HTTPResponse) -> Bool {
        exchange.answer(response)
    }

    /// Dropped unanswered: the connection must not hang for ever.
    deinit { exchange.answerLost() }
}
