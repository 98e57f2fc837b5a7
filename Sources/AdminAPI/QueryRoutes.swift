internal import HTTPServer
internal import JSON
internal import QueryEngine
internal import Threads

/// SQL over HTTP: a statement waits for its answer on a thread of its own, never on the server's.
final class QueryRoutes: Sendable {
    /// A statement is no longer than this.
    static let bodyLimitBytes = 1 << 20
    /// Statements that may wait for a thread; more are refused.
    static let waitingLimit = 32

    private struct Job: Sendable {
        var request: QueryRequest
        var responder: Responder
    }

    private let engine: QueryEngine
    private let jobs = Mailbox<Job>(capacity: waitingLimit)
    private let threads: [NamedThread]
    private let observe: @Sendable (Result<QueryAnswer, QueryError>) -> Void

    /// - Parameter observe: Told of every answer, for the metrics.
    init(
        _ engine: QueryEngine, threadCount: Int,
        observe: @escaping @Sendable (Result<QueryAnswer, QueryError>) -> Void
    ) throws(ThreadError) {
        self.engine = engine
        self.observe = observe
        var threads: [NamedThread] = []
        for index in 0..<threadCount {
            let thread = try NamedThread.start(name: "query-\(index)") { [engine, jobs] in
                while let job = jobs.take(until: nil) {
                    let result = Self.run(job.request, on: engine)
                    observe(result)
                    _ = job.responder.answer(Self.response(to: job.request, result))
                }
            }
            threads.append(thread)
        }
        self.threads = threads
    }

    func stop() {
        jobs.close()
        for thread in threads { thread.join() }
    }

    /// `POST /admin/query`
    func query(_ request: HTTPRequest, _ responder: Responder) {
        do throws(JSONError) {
            let members = try JSONNode(parsing: request.body).object()
            try members.refuseUnknown(["sql"])
            submit(try members.required("sql").string(), request.head, responder)
        } catch {
            _ = responder.answer(Envelope.failure(400, "\(error)"))
        }
    }

    /// Runs a statement and answers in the form that the request asks for.
    func submit(_ sql: String, _ head: HTTPRequestHead, _ responder: Responder) {
        var request = QueryRequest(sql: sql)
        let accept = head.headers["Accept"] ?? ""
        if accept.contains("application/vnd.apache.arrow.stream") {
            request.format = .arrow
        } else if accept.contains("text/csv") {
            request.format = .csv
        }
        if let shape = head.query("shape") {
            guard let known = QueryRequest.Shape(rawValue: shape) else {
                _ = responder.answer(Envelope.failure(400, "shape must be objects or legacy"))
                return
            }
            request.shape = known
        }
        if let form = head.query("int64") {
            guard ["text", "number"].contains(form) else {
                _ = responder.answer(Envelope.failure(400, "int64 must be number or text"))
                return
            }
            request.wideIntegersAsText = form == "text"
        }
        guard jobs.offer(Job(request: request, responder: responder)) else {
            var response = Envelope.failure(503, "too many statements wait: try again")
            response.headers.add("Retry-After", "1")
            _ = responder.answer(response)
            return
        }
    }

    private static func run(
        _ request: QueryRequest, on engine: QueryEngine
    ) -> Result<QueryAnswer, QueryError> {
        do throws(QueryError) {
            return .success(try engine.run(request))
        } catch {
            return .failure(error)
        }
    }

    private static func response(
        to request: QueryRequest, _ result: Result<QueryAnswer, QueryError>
    ) -> HTTPResponse {
        switch result {
        case .failure(let error): return Envelope.failure(status(of: error.code), error.message)
        case .success(let answer):
            switch request.format {
            case .json: return json(answer)
            case .arrow: return plain(answer, "application/vnd.apache.arrow.stream")
            case .csv: return plain(answer, "text/csv; charset=utf-8")
            }
        }
    }

    /// The rows are JSON already: they are put into the envelope as they are.
    private static func json(_ answer: QueryAnswer) -> HTTPResponse {
        let columns: [JSONValue] = answer.columns.map { ["name": .string($0.name), "type": .string($0.type)] }
        let about: [(String, JSONValue)] = [
            ("columns", .array(columns)), ("row_count", .integer(Int64(answer.rowCount))),
            ("truncated", .bool(answer.isTruncated)), ("elapsed_ms", .integer(answer.elapsedMilliseconds)),
            ("files_total", .integer(Int64(answer.fileCount))),
            ("files_scanned", .integer(Int64(answer.scannedFileCount))),
        ]
        var body = Array("{\"success\":true,\"data\":{\"rows\":[".utf8)
        body += answer.body
        body += Array("]".utf8)
        for (key, value) in about {
            body += Array(",\"\(key)\":".utf8)
            body += (try? value.bytes()) ?? Array("null".utf8)
        }
        body += Array("},\"error\":null}".utf8)
        return HTTPResponse(status: 200, contentType: "application/json", body: body)
    }

    private static func plain(_ answer: QueryAnswer, _ type: String) -> HTTPResponse {
        var response = HTTPResponse(status: 200, contentType: type, body: answer.body)
        response.headers.add("X-Row-Count", "\(answer.rowCount)")
        response.headers.add("X-Truncated", answer.isTruncated ? "true" : "false")
        response.headers.add("X-Files-Total", "\(answer.fileCount)")
        response.headers.add("X-Files-Scanned", "\(answer.scannedFileCount)")
        return response
    }

    private static func status(of code: QueryError.Code) -> Int {
        switch code {
        case .invalid: 400
        case .forbidden: 403
        case .timeout: 504
        case .resources: 413
        case .unavailable: 503
        default: 422
        }
    }
}

/// Statements that people ask again and again.
enum ReadyQuery {
    static let slowestTraces = """
        SELECT trace_id, service_name, operation_name, duration_ms, status_code, timestamp_ms FROM spans \
        WHERE parent_span_id IS NULL ORDER BY duration_ms DESC LIMIT 20
        """
    static let errorTraces = """
        SELECT trace_id, min(timestamp_ms) AS timestamp_ms, max(duration_ms) AS duration_ms, \
        count(*) AS error_spans, min(service_name) AS service_name FROM spans WHERE status_code = 2 \
        GROUP BY trace_id ORDER BY timestamp_ms DESC LIMIT 100
        """
    static let serviceStatistics = """
        SELECT service_name, count(DISTINCT trace_id) AS traces, count(*) AS spans, \
        sum(CASE WHEN status_code = 2 THEN 1 ELSE 0 END) AS error_spans, avg(duration_ms) AS mean_duration_ms, \
        max(duration_ms) AS max_duration_ms FROM spans GROUP BY service_name ORDER BY spans DESC
        """
}
