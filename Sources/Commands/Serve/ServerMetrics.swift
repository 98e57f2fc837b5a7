internal import HTTPServer
internal import QueryEngine
internal import Telemetry

/// What an HTTP server does, as metrics of its port.
struct ServerMetrics: HTTPServerObserver {
    let metrics: EntranceMetrics
    let server: ServerName

    func answered(status: Int) {
        metrics.httpRequests[server, StatusLabel(status: status)].add(1)
    }

    func connections(_ change: Int) {
        metrics.httpConnections[server].add(change)
    }

    func bodyMemory(_ changeBytes: Int) {
        if server == .otlp { metrics.otlpBodyMemoryBytes.add(changeBytes) }
    }
}

extension QueryMetrics {
    /// Counts an answer to a statement, and how long it took when there is one.
    func observe(_ result: Result<QueryAnswer, QueryError>) {
        switch result {
        case .success(let answer):
            requests[.success].add(1)
            duration.observe(.milliseconds(answer.elapsedMilliseconds))
        case .failure(let error):
            switch error.code {
            case .invalid, .forbidden: requests[.invalid].add(1)
            case .timeout: requests[.timeout].add(1)
            default: requests[.failed].add(1)
            }
        }
    }
}

extension Metrics {
    /// The page in the form that a scraper asks for.
    func page(accept: String?) -> (contentType: String, text: String) {
        let form: MetricPage = accept?.contains("application/openmetrics-text") == true ? .openMetrics : .text
        return (form.contentType, page(form))
    }
}
