public import HTTPServer
internal import OTLPWire
public import Pipeline
public import Telemetry
internal import Threads

/// OTLP over HTTP: takes export requests, answers each when its spans are durable.
///
/// A request is decompressed while it comes in, walked through once, so that whatever is accepted can be decoded
/// later, and offered to the log; it waits parked, without a thread, until the log has it on disk.
///
/// Source: OpenTelemetry Protocol specification, "OTLP/HTTP".
public final class OTLPServer: Sendable {
    private let server: HTTPServer
    /// The newest bodies that could not be decoded.
    public let badBodies: BadBodies

    /// Listens at once.
    ///
    /// - Parameters:
    ///   - options: Address, port and limits of the server; its refusals and observer are ours.
    ///   - maxBodyBytes: Largest request after decompression.
    public init(
        _ options: HTTPServerOptions, maxBodyBytes: Int, ingest: any IngestPort, metrics: EntranceMetrics,
        logger: Logger
    ) throws(HTTPServerError) {
        badBodies = BadBodies()
        let export = ExportRoute(
            ingest: ingest, metrics: metrics, badBodies: badBodies, logger: logger,
            maxBodyBytes: maxBodyBytes)
        var options = options
        options.refusal = { refusal, head in
            if refusal.cause == .badEncoding { metrics.decodeErrors[.gzip].add(1) }
            return StatusAnswer.response(
                refusal.status, refusal.message, head.flatMap(Encoding.init) ?? .protobuf,
                retryAfterSeconds: refusal.retryAfterSeconds)
        }
        let route = HTTPRoute(
            "POST", "/v1/traces", maxBodyBytes: maxBodyBytes, admit: export.admit, handle: export.handle)
        server = try HTTPServer(options, routes: [route])
    }

    /// The port really bound.
    public var port: UInt16 { server.port }
    public var address: String { server.address }

    /// Takes no further connection, answers what is in flight, and closes.
    public func stop(limit: Duration = .seconds(10)) {
        server.stop(limit: limit)
    }
}
