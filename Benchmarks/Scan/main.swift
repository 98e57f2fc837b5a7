import OTLPWire
import Patterns
import TraceGenerator
import TraceModel

/// What a run does: `Scan <program> <rounds>`; built and measured by scripts/measure-scan.
///
/// Each round scans the same requests of the workload, so the difference between two numbers of
/// rounds is the cost of scanning alone. Prints the spans of a round and a sum over the records.
func measure(_ arguments: [String]) throws {
    let rounds = Int(arguments[2]) ?? 1
    var workload = Workload(seed: 1, traceCount: 8000)
    var requests: [[UInt8]] = []
    while let request = workload.nextRequest() { requests.append(request) }
    let program = try MatcherProgram(try clauses(arguments[1]))

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

/// The tests of a run: none, one on an attribute that three of eight spans have, one each on twenty, eight patterns on
/// three attributes, or a thousand force rules: each of a service and a route, or of a key that no span has.
func clauses(_ name: String) throws -> [MatcherClause] {
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
    case "patterns":
        try [
            ("http.route", "^/api/v[0-9]+/users/.*$"), ("http.route", "/(cart|basket)/[0-9]+$"),
            ("http.route", "\\.js$"), ("http.route", "(?i)checkout"), ("url.full", "[?&]debug="),
            ("url.full", "^https://[a-z.]*internal"), ("user_agent.original", "(?i)bot|crawler|spider"),
            ("user_agent.original", "curl/[0-6]\\."),
        ].enumerated().map { index, test in
            MatcherClause(bit: index, terms: [MatcherTerm(.span(test.0), .pattern(try Pattern(test.1)))])
        }
    case "rules":
        (0..<1000).map { number in
            MatcherClause(
                forceRule: UInt16(number),
                terms: [
                    MatcherTerm(.resource("service.name"), .equals("service-\(number)")),
                    MatcherTerm(.span("http.route"), .equals("/api/v2/search/items/{id}")),
                    MatcherTerm(.span("http.request.method"), .equals("GET")),
                ])
        }
    case "absent":
        (0..<1000).map { number in
            MatcherClause(
                forceRule: UInt16(number),
                terms: [MatcherTerm(.span("customer.id"), .equals("customer-\(number)"))])
        }
    default: []
    }
}

try measure(CommandLine.arguments)
