import OTLPWire
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
}
