import OTLPWire
import Patterns
import Sampling
import TraceModel

/// The policies of the benchmarks: errors and slow traces are kept, 3 % of the workload; three more never vote.
enum Policies {
    static func five() throws -> Sampler {
        try Sampler(policies: [
            PolicyConfiguration(name: "errors", kind: StatusCode([.error]), reason: .error),
            PolicyConfiguration(name: "slow", kind: Latency(thresholdMilliseconds: 5000), reason: .latency),
            PolicyConfiguration(
                name: "tenant", kind: StringAttribute(key: "app.tenant.id", values: ["tenant-none"])),
            PolicyConfiguration(name: "large", kind: SpanCount(minimum: 100)),
            PolicyConfiguration(name: "none", kind: Rate(0)),
        ])
    }

    /// As many policies, none of which wants anything.
    static func none() throws -> Sampler {
        try Sampler(policies: [
            PolicyConfiguration(name: "many errors", kind: And([StatusCode([.error]), SpanCount(minimum: 100)])),
            PolicyConfiguration(name: "very slow", kind: Latency(thresholdMilliseconds: 50_000)),
            PolicyConfiguration(
                name: "tenant", kind: StringAttribute(key: "app.tenant.id", values: ["tenant-none"])),
            PolicyConfiguration(name: "large", kind: SpanCount(minimum: 100)),
            PolicyConfiguration(name: "none", kind: Rate(0)),
        ])
    }

    /// One test on an attribute that three of eight spans have.
    static func oneMatch() throws -> MatcherProgram {
        try MatcherProgram([
            MatcherClause(bit: 0, terms: [MatcherTerm(.span("http.route"), .equals("/api/v2/search/items/{id}"))])
        ])
    }

    /// One test each on twenty attributes; none holds.
    static func twentyMatches() throws -> MatcherProgram {
        let keys = [
            "http.route", "http.request.method", "url.scheme", "url.path", "url.full", "server.address",
            "server.port", "client.address", "user_agent.original", "app.tenant.id", "thread.id", "thread.name",
            "peer.service", "db.system.name", "db.namespace", "db.query.text", "db.operation.name",
            "code.function.name", "app.price", "app.request.id",
        ]
        return try MatcherProgram(
            keys.enumerated().map { bit, key in
                MatcherClause(bit: bit, terms: [MatcherTerm(.span(key), .equals("a value that none has"))])
            })
    }

    /// Eight regular expressions, two of them on the same key, on attributes that most or some spans have.
    static func eightPatterns() throws -> MatcherProgram {
        let tests = [
            ("url.path", "^/api/v[0-9]+/(search|cart)/quote/[0-9]*77$"), ("url.path", "/admin/|/internal/"),
            ("http.route", "/(summary|batch)/\\{[a-z]+\\}$"),
            ("url.full", "^https://(payment|ledger)\\..*:8080/.*/detail/"),
            ("user_agent.original", "Chrome/1(0[0-3]|1[0-9])"), ("db.query.text", "(?i)where .*tenant_id = \\$2"),
            ("server.address", "^db-.*\\.prod\\.internal$"), ("app.tenant.id", "tenant-0*(4[0-9]|77)$"),
        ]
        return try MatcherProgram(
            tests.enumerated().map { bit, test in
                MatcherClause(bit: bit, terms: [MatcherTerm(.span(test.0), .pattern(try Pattern(test.1)))])
            })
    }
}
