import OTLPWire
import TraceGenerator
import TraceModel

/// What a run does: `Scan <empty|equals|contains|twenty> <rounds>`; built and measured by scripts/measure-scan.
///
/// Each round scans the same requests of the workload, so the difference between two numbers of
/// rounds is the cost of scanning alone. Prints the spans of a round and a sum over the records.
func measure(_ arguments: [String]) throws {
    let rounds = Int(arguments[2]) ?? 1
    var workload = Workload(seed: 1, traceCount: 8000)
    var requests: [[UInt8]] = []
    while let request = workload.nextRequest() { requests.append(request) }
    let program = try MatcherProgram(clauses(arguments[1]))

    var batch = SpanBatch()
    var spanCount = 0
    var sum: UInt64 = 0
    for _ in 0..<rounds {
        spanCount = 0
        for request in requests {
            try SpanScanner.scan(request.span.bytes, matching: program, into: &batch)
            spanCount += batch.records.count
            for record in batch.records { sum &+= record.spanID.value ^ record.matches }
        }
    }
    let bytes = requests.reduce(0) { $0 + $1.count }
    print("\(spanCount) spans, \(bytes / max(1, spanCount)) bytes a span, sum \(sum)")
}

/// The tests of a run: none, one on an attribute that three of eight spans have, or one each on twenty.
func clauses(_ name: String) -> [MatcherClause] {
    switch name {
    case "equals":
        [MatcherClause(bit: 0, terms: [MatcherTerm(.span("http.route"), .equals("/api/v2/search/items/{id}"))])]
    case "contains":
        [MatcherClause(bit: 0, terms: [MatcherTerm(.span("http.route"), .contains("quote"))])]
    case "twenty":
        [
            "http.route", "http.request.method", "url.scheme", "url.path", "url.full", "server.address",
            "server.port", "client.address", "user_agent.original", "app.tenant.id", "thread.id",
            "thread.name", "peer.service", "db.system.name", "db.namespace", "db.query.text",
            "db.operation.name", "code.function.name", "app.price", "app.request.id",
        ].enumerated().map { index, key in
            MatcherClause(bit: index, terms: [MatcherTerm(.span(key), .equals("a value that none has"))])
        }
    default: []
    }
}

try measure(CommandLine.arguments)
