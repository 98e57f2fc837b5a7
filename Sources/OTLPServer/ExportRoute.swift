internal import HTTPServer
internal import OTLPWire
internal import Pipeline
internal import ProtobufWriter
internal import Telemetry
internal import Threads

/// `POST /v1/traces`
struct ExportRoute: Sendable {
    static let mediaType = "application/x-protobuf"

    let ingest: any IngestPort
    let metrics: EntranceMetrics
    let badBodies: BadBodies
    let logger: Logger

    /// Before the body is read.
    func admit(_ head: HTTPRequestHead) -> HTTPResponse? {
        switch head.contentType {
        case Self.mediaType: nil
        case "application/json":
            StatusAnswer.response(415, "OTLP/JSON is not in this version: send application/x-protobuf")
        case let type:
            StatusAnswer.response(415, "content type \(type ?? "(none)") is not \(Self.mediaType)")
        }
    }

    /// The whole request, on the server's thread: nothing here blocks.
    func handle(_ request: HTTPRequest, _ responder: Responder) {
        let startedAt = MonotonicInstant.now
        metrics.otlpReceivedBytes.add(request.receivedBytes)
        metrics.otlpDecodedBytes.add(request.body.count)
        let summary: MessageSummary
        do throws(WireError) {
            summary = try MessageValidator.validate(request.body.span.bytes)
        } catch {
            refuse(request, error, responder)
            return
        }
        let answer = Self.success(rejected: summary.rejectedCount)
        // `spanCount` is of usable spans alone: one of them is enough to need the log.
        guard summary.spanCount > 0 else {
            metrics.spansRejected[.invalidID].add(summary.rejectedCount)
            responder.answer(answer)
            return
        }
        metrics.otlpParkedRequests.add(1)
        let admission = ingest.offer(request.body) { [metrics] result in
            metrics.otlpParkedRequests.add(-1)
            switch result {
            case .durable:
                // Only now is the sender told; a request that comes again is counted then.
                metrics.spansRejected[.invalidID].add(summary.rejectedCount)
                metrics.otlpRequestDuration.observe(.now - startedAt)
                responder.answer(answer)
            case .unavailable(let seconds, let cause):
                responder.answer(Self.unavailable(cause, seconds))
            }
        }
        if case .busy(let seconds, let cause) = admission {
            metrics.otlpParkedRequests.add(-1)
            responder.answer(Self.unavailable(cause, seconds))
        }
    }

    private func refuse(_ request: HTTPRequest, _ error: WireError, _ responder: Responder) {
        metrics.decodeErrors[.otlpProtobuf].add(1)
        badBodies.keep(request.body, peer: request.head.peer, message: error.description)
        logger.debug(
            "request body does not decode",
            metadata: ["peer": "\(request.head.peer)", "error": "\(error.description)"])
        responder.answer(StatusAnswer.response(400, error.description))
    }

    /// `ExportTraceServiceResponse`, with `partial_success` (field 1) when spans were refused.
    private static func success(rejected: Int) -> HTTPResponse {
        var writer = MessageWriter()
        if rejected > 0 {
            writer.message(1) { partial in
                partial.int(1, Int64(rejected))
                partial.string(
                    2, "\(rejected) spans have no valid trace id (16 bytes) or span id (8 bytes), not all zero")
            }
        }
        return HTTPResponse(status: 200, contentType: mediaType, body: writer.bytes)
    }

    private static func unavailable(_ cause: BusyCause, _ retryAfterSeconds: Int) -> HTTPResponse {
        let (status, message): (Int, String) =
            switch cause {
            case .queueFull: (429, "too many requests wait to be written")
            case .diskFull: (503, "the disk is full, or its budget is spent")
            case .diskFailed: (503, "the disk refuses writes")
            case .notServing: (503, "starting or shutting down")
            }
        return StatusAnswer.response(status, message, retryAfterSeconds: retryAfterSeconds)
    }
}

/// An answer that is no success: `google.rpc.Status` as protobuf, as OTLP/HTTP wants it.
enum StatusAnswer {
    static func response(_ status: Int, _ message: String, retryAfterSeconds: Int? = nil) -> HTTPResponse {
        var writer = MessageWriter()
        writer.int(1, code(of: status))
        writer.string(2, message)
        var response = HTTPResponse(status: status, contentType: ExportRoute.mediaType, body: writer.bytes)
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
