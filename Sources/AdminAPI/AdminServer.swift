public import HTTPServer
internal import JSON
public import QueryEngine
internal import Threads

/// The admin port: health, metrics, decisions, statistics, SQL.
public final class AdminServer: Sendable {
    private let server: HTTPServer
    private let queries: QueryRoutes?

    /// Listens at once.
    ///
    /// - Parameters:
    ///   - options: Address, port and limits of the server.
    ///   - observeQuery: Told of every answer to a statement, for the metrics.
    public init(
        _ options: HTTPServerOptions, access: AdminAccess, services: AdminServices, queryThreadCount: Int,
        observeQuery: @escaping @Sendable (Result<QueryAnswer, QueryError>) -> Void
    ) throws {
        var options = options
        options.refusal = { refusal, _ in
            var response = Envelope.failure(refusal.status, refusal.message)
            if let seconds = refusal.retryAfterSeconds { response.headers.add("Retry-After", "\(seconds)") }
            return response
        }
        let queries = try services.queries.map {
            try QueryRoutes($0, threadCount: queryThreadCount, observe: observeQuery)
        }
        self.queries = queries
        let routes = AdminRoutes(access: access, services: services, queries: queries).all
        do {
            server = try HTTPServer(options, routes: routes)
        } catch {
            queries?.stop()
            throw error
        }
    }

    /// The port really bound.
    public var port: UInt16 { server.port }
    public var address: String { server.address }

    public func stop(limit: Duration = .seconds(5)) {
        server.stop(limit: limit)
        queries?.stop()
    }
}

/// Everything that the admin port answers.
struct AdminRoutes {
    let access: AdminAccess
    let services: AdminServices
    let queries: QueryRoutes?

    var all: [HTTPRoute] {
        let health = HealthRoutes(health: services.health)
        let decisions = DecisionRoutes(decisions: services.decisions)
        return [
            open("/health/live") { _ in health.live() },
            open("/health/ready") { _ in health.ready() },
            open("/health") { _ in health.report() },
            open("/metrics") { Self.metrics(services, $0) },
            guarded("/admin/decisions") { decisions.recent($0) },
            guarded("/admin/decisions/{trace_id}") { decisions.one($0) },
            guarded("/admin/store/stats") { _ in Self.statistics(services.store.store) },
            guarded("/admin/stats") { _ in Self.statistics(services.store.store) },
        ] + queryRoutes + ForceRuleRoutes(access: access, book: services.forceRules).all
    }

    private var queryRoutes: [HTTPRoute] {
        let access = access
        let queries = queries
        let none = Envelope.failure(503, "there is no table to query")
        let post = HTTPRoute(
            "POST", "/admin/query", maxBodyBytes: QueryRoutes.bodyLimitBytes,
            admit: { access.refuseHost($0) ?? access.refuseToken($0) ?? access.refuseType($0) },
            handle: { request, responder in
                guard let queries else {
                    _ = responder.answer(none)
                    return
                }
                queries.query(request, responder)
            })
        let ready = [
            ("slowest-traces", ReadyQuery.slowestTraces), ("error-traces", ReadyQuery.errorTraces),
            ("service-stats", ReadyQuery.serviceStatistics),
        ].map { name, sql in
            HTTPRoute(
                "GET", "/admin/query/\(name)", admit: { access.refuseHost($0) ?? access.refuseToken($0) },
                handle: { request, responder in
                    guard let queries else {
                        _ = responder.answer(none)
                        return
                    }
                    queries.submit(sql, request.head, responder)
                })
        }
        return [post] + ready
    }

    /// Answers anybody on this host.
    private func open(_ path: String, _ body: @escaping @Sendable (HTTPRequestHead) -> HTTPResponse) -> HTTPRoute {
        let access = access
        return HTTPRoute(
            "GET", path, admit: { access.refuseHost($0) },
            handle: { request, responder in _ = responder.answer(body(request.head)) })
    }

    /// Answers whoever has the token, when there is one.
    private func guarded(_ path: String, _ body: @escaping @Sendable (HTTPRequestHead) -> HTTPResponse) -> HTTPRoute {
        let access = access
        return HTTPRoute(
            "GET", path, admit: { access.refuseHost($0) ?? access.refuseToken($0) },
            handle: { request, responder in _ = responder.answer(body(request.head)) })
    }

    static func metrics(_ services: AdminServices, _ head: HTTPRequestHead) -> HTTPResponse {
        let page = services.metricsPage(head.headers["Accept"])
        return HTTPResponse(status: 200, contentType: page.contentType, body: Array(page.text.utf8))
    }

    private static func statistics(_ store: StoreReport) -> HTTPResponse {
        Envelope.success([
            "span_count": .integer(Int64(store.spanCount)), "trace_count": .integer(Int64(store.traceCount)),
            "memory_bytes": .integer(Int64(store.memoryBytes)), "disk_bytes": .integer(Int64(store.diskBytes)),
            "storage_type": .string(store.storageType),
        ])
    }
}

/// The metrics port: the Prometheus page and nothing else.
public final class MetricsServer: Sendable {
    private let server: HTTPServer

    public init(_ options: HTTPServerOptions, access: AdminAccess, services: AdminServices) throws(HTTPServerError) {
        let route = HTTPRoute(
            "GET", "/metrics", admit: { access.refuseHost($0) },
            handle: { request, responder in _ = responder.answer(AdminRoutes.metrics(services, request.head)) })
        server = try HTTPServer(options, routes: [route])
    }

    public var port: UInt16 { server.port }
    public var address: String { server.address }

    public func stop(limit: Duration = .seconds(5)) { server.stop(limit: limit) }
}
