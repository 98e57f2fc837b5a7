internal import HTTPServer
internal import JSON
internal import OTLPJSON
internal import OTLPWire
internal import Pipeline
internal import ProtobufWriter
internal import Telemetry
internal import Threads

/// `POST /v1/traces`
struct ExportRoute: Sendable {
    let ingest: any IngestPort
    let metrics: EntranceMetrics
    let badBodies: BadBodies
    let logger: Logger
    /// Largest request after decompression.
    let maxBodyBytes: Int

    /// Before the body is read.
    func admit(_ head: HTTPRequestHead) -> HTTPResponse? {
        guard Encoding(head) == nil else { return nil }
        return StatusAnswer.response(
            415, "content type \(head.contentType ?? "(none)") is neither application/x-protobuf nor application/json")
    }

    /// The whole request, on the server's thread: nothing here blocks.
    func handle(_ request: HTTPRequest, _ responder: Responder) {
        let startedAt = MonotonicInstant.now
        let encoding = Encoding(request.head) ?? .protobuf
        metrics.otlpReceivedBytes.add(request.receivedBytes)
        metrics.otlpDecodedBytes.add(request.body.count)
        let body: [UInt8]
        let summary: MessageSummary
        do {
            // From here on all is protobuf: the log, what reads it, and the identity of a span by its message.
            body = encoding == .json ? try TracesJSON.protobuf(request.body, limitBytes: maxBodyBytes) : request.body
            summary = try MessageValidator.validate(body.span.bytes)
        } catch {
            refuse(request, encoding, "\(error)", responder)
            return
        }
        let answer = Self.success(rejected: summary.rejectedCount, encoding)
        // `spanCount` is of usable spans alone: one of them is enough to need the log.
        guard summary.spanCount > 0 else {
            metrics.spansRejected[.invalidID].add(summary.rejectedCount)
            responder.answer(answer)
            return
        }
        metrics.otlpParkedRequests.add(1)
        let admission = ingest.offer(body) { [metrics] result in
            metrics.otlpParkedRequests.add(-1)
            switch result {
            case .durable:
                // Only now is the sender told; a request that comes again is counted then.
                metrics.spansRejected[.invalidID].add(summary.rejectedCount)
                metrics.otlpRequestDuration.observe(.now - startedAt)
                responder.answer(answer)
            case .unavailable(let seconds, let cause):
                responder.answer(Self.unavailable(cause, seconds, encoding))
            }
        }
        if case .busy(let seconds, let cause) = admission {
            metrics.otlpParkedRequests.add(-1)
            responder.answer(Self.unavailable(cause, seconds, encoding))
        }
    }

    private func refuse(_ request: HTTPRequest, _ encoding: Encoding, _ message: String, _ responder: Responder) {
        metrics.decodeErrors[encoding == .json ? .otlpJSON : .otlpProtobuf].add(1)
        badBodies.keep(request.body, peer: request.head.peer, message: message)
        logger.debug(
            "request body does not decode", metadata: ["peer": "\(request.head.peer)", "error": "\(message)"])
        responder.answer(StatusAnswer.response(400, message, encoding))
    }

    /// `ExportTraceServiceResponse`, with `partial_success` when spans were refused.
    private static func success(rejected: Int, _ encoding: Encoding) -> HTTPResponse {
        let message = "\(rejected) spans have no valid trace id (16 bytes) or span id (8 bytes), not all zero"
        switch encoding {
        case .protobuf:
            var writer = MessageWriter()
            if rejected > 0 {
                writer.message(1) { partial in
                    partial.int(1, Int64(rejected))
                    partial.string(2, message)
                }
            }
            return HTTPResponse(status: 200, contentType: encoding.mediaType, body: writer.bytes)
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            if rejected > 0 {
                writer.key("partialSuccess")
                writer.beginObject()
                writer.key("rejectedSpans")
                // An int64 is a text in proto3's JSON.
                writer.string("\(rejected)")
                writer.key("errorMessage")
                writer.string(message)
                writer.endObject()
            }
            writer.endObject()
            return HTTPResponse(status: 200, contentType: encoding.mediaType, body: writer.bytes)
        }
    }

    private static func unavailable(
        _ cause: BusyCause, _ retryAfterSeconds: Int, _ encoding: Encoding
    ) -> HTTPResponse {
        let (status, message): (Int, String) =
            switch cause {
            case .queueFull: (429, "too many requests wait to be written")
            case .diskFull: (503, "the disk is full, or its budget is spent")
            case .diskFailed: (503, "the disk refuses writes")
            case .notServing: (503, "starting or shutting down")
            }
        return StatusAnswer.response(status, message, encoding, retryAfterSeconds: retryAfterSeconds)
    }
}

/// How a request is written, and so its answer.
enum Encoding: String, Sendable {
    case protobuf = "application/x-protobuf"
    case json = "application/json"

    /// Nil when the request is written in neither.
    init?(_ head: HTTPRequestHead) {
        self.init(rawValue: head.contentType ?? "")
    }

    var mediaType: String { rawValue }
}

/// An answer that is no success: `google.rpc.Status` in the request's encoding, as OTLP/HTTP wants it.
enum StatusAnswer {
    static func response(
        _ status: Int, _ message: String, _ encoding: Encoding = .protobuf, retryAfterSeconds: Int? = nil
    ) -> HTTPResponse {
        let body: [UInt8]
        switch encoding {
        case .protobuf:
            var writer = MessageWriter()
            writer.int(1, code(of: status))
            writer.string(2, message)
            body = writer.bytes
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("code")
            writer.integer(code(of: status))
            writer.key("message")
            writer.string(message)
            writer.endObject()
            body = writer.bytes
        }
        var response = HTTPResponse(status: status, contentType: encoding.mediaType, body: body)
        if let retryAfterSeconds { response.headers.add("Retry-After", "\(retryAfterSeconds)") }
        return response
    }

    /// google.rpc.Code
    private static func code(of status: Int) -> Int64 {
        switch status {
        case 400, 405, 415: 3  // INVALID_ARGUMENT
        case 404: 5  // NOT_FOUND
        case 413, 429: 8  // RESOURCE_EXHAUSTED
        case 503: 14  // UNAVAILABLE
        default: 13  // INTERNAL
        }
    }
}
