internal import Compression
internal import HTTPClient
internal import Threads

/// Sends export requests and knows when they were accepted, as an OpenTelemetry exporter would.
final class OTLPTraceClient: TraceReceiver {
    /// How long a receiver that asks for patience is given it, before the command gives up.
    static let patience: Duration = .seconds(60)
    /// Statuses that a sender repeats; source: OTLP specification, "Retryable Response Codes".
    static let retryableStatuses: Set<Int> = [429, 502, 503, 504]

    private let target: OTLPTarget
    private let client: HTTPClient

    init(_ target: OTLPTarget) throws(ProduceFailure) {
        self.target = target
        var options = HTTPClientOptions()
        options.certificateAuthorityPath = target.certificateAuthorityPath
        options.certificatePath = target.certificatePath
        options.keyPath = target.keyPath
        options.userAgent = "tss-produce/\(Program.version)"
        do throws(HTTPError) {
            client = try HTTPClient(options)
        } catch {
            throw ProduceFailure(message: error.message)
        }
    }

    func stop() {
        client.stop()
    }

    func send(_ traces: [OutgoingTrace]) throws(ProduceFailure) -> [String] {
        try send(traces.map(\.bytes))
        return traces.map { "accepted, \($0.traceID)" }
    }

    private func send(_ bodies: [[UInt8]]) throws(ProduceFailure) {
        var waiting = bodies
        let deadline = MonotonicInstant.now + Self.patience
        while !waiting.isEmpty {
            let answers = try sendOnce(waiting)
            var refused: [[UInt8]] = []
            var pause: Duration = .seconds(1)
            for (body, answer) in zip(waiting, answers) {
                if let retryAfter = try judge(answer) {
                    refused.append(body)
                    pause = max(pause, retryAfter)
                }
            }
            waiting = refused
            guard !waiting.isEmpty else { return }
            guard .now + pause < deadline else {
                throw ProduceFailure(
                    message: "\(target.url) has asked for patience for \(Self.patience): "
                        + "\(waiting.count) requests were not accepted")
            }
            Wakeup().sleep(pause)
        }
    }

    private func sendOnce(
        _ bodies: [[UInt8]]
    ) throws(ProduceFailure) -> [Result<ClientResponse, HTTPError>] {
        let receiver = Wakeup()
        let slots = bodies.map { _ in ReplySlot<Result<ClientResponse, HTTPError>>(receiver: receiver) }
        for (body, slot) in zip(bodies, slots) {
            _ = client.start(try request(body)) { slot.fill($0) }
        }
        return slots.map { slot in
            // Every started transfer calls back, also when the client stops.
            guard let answer = slot.take(until: nil) else { preconditionFailure("a transfer ended without a word") }
            return answer
        }
    }

    private func request(_ body: [UInt8]) throws(ProduceFailure) -> ClientRequest {
        var headers = target.headers.map { (name: $0.name, value: $0.value) }
        headers.append(("Content-Type", "application/x-protobuf"))
        var sent = body
        if target.usesGzip {
            headers.append(("Content-Encoding", "gzip"))
            do throws(CompressionError) {
                sent = try Deflater.deflate(body, .gzip)
            } catch {
                throw ProduceFailure(message: error.message)
            }
        }
        var request = ClientRequest("POST", target.url, headers: headers, body: sent)
        request.deadline = target.timeout
        return request
    }

    /// Nil: accepted. A duration: to be repeated after it.
    private func judge(_ answer: Result<ClientResponse, HTTPError>) throws(ProduceFailure) -> Duration? {
        switch answer {
        case .success(let response) where response.status == 200:
            return nil
        case .success(let response) where Self.retryableStatuses.contains(response.status):
            return .seconds(response.header("Retry-After").flatMap { Int($0) } ?? 1)
        case .success(let response):
            throw ProduceFailure(message: "\(target.url) answered \(response.status)")
        case .failure(let error) where error.code == .connect || error.code == .resolve:
            throw ProduceFailure(
                message: "no receiver at \(target.url): start one with `tss serve`, or set OTEL_EXPORTER_OTLP_ENDPOINT")
        case .failure(let error):
            throw ProduceFailure(message: error.message)
        }
    }
}
