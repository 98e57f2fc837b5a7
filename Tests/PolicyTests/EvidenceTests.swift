import Configuration
import Testing
import TraceModel
import YAML

@testable import Sampling

/// What a policy shows for the trace of `EvidenceTests.spans`.
struct EvidenceCase: Sendable, CustomTestStringConvertible {
    var type: String
    var members: String
    var votes: String
    var shows: String

    init(_ type: String, _ members: String, _ votes: String, _ shows: String) {
        self.type = type
        self.members = members
        self.votes = votes
        self.shows = shows
    }

    var testDescription: String { "\(type) \(members)" }
}

@Suite struct EvidenceTests {
    /// Three spans; the second is the slow one that fails.
    static let spans = [
        SentSpan(
            id: 1, name: "GET /cart", start: 0, end: 10,
            attributes: [
                ("http.route", .text("/cart")), ("http.status", .int(200)), ("cached", .flag(false)),
                ("ratio", .real(0.5)),
            ],
            traceState: "vendor=red"),
        SentSpan(
            id: 2, name: "POST /orders", start: 10, end: 5210,
            attributes: [("http.route", .text("/checkout")), ("http.status", .int(503)), ("cached", .flag(true))],
            status: 2, flags: 0x101, traceState: "a=b, vendor=blue"),
        SentSpan(id: 3, name: "db", start: 20, end: 30),
    ]
    static let resource: [(String, SentValue)] = [
        ("service.name", .text("shop")), ("host.cores", .int(8)), ("canary", .flag(true)),
    ]

    static let cases = [
        EvidenceCase("always_sample", "{}", "sampled", "always"),
        EvidenceCase("status_code", "{status_codes: [ERROR]}", "sampled", #"span "POST /orders" status ERROR"#),
        EvidenceCase("status_code", "{status_codes: [UNSET, OK]}", "sampled", #"span "GET /cart" status UNSET"#),
        EvidenceCase("status_code", "{status_codes: [OK]}", "not_sampled", "status OK no"),
        EvidenceCase(
            "latency", "{threshold_ms: 5000}", "sampled",
            #"latency 5210 ms >= 5000 ms, span "GET /cart" starts first, span "POST /orders" ends last"#),
        EvidenceCase(
            "latency", "{threshold_ms: 6000}", "not_sampled",
            #"latency 5210 ms < 6000 ms, span "GET /cart" starts first, span "POST /orders" ends last"#),
        EvidenceCase("span_count", "{min_spans: 2}", "sampled", "spans 3 >= 2"),
        EvidenceCase("span_count", "{min_spans: 4}", "not_sampled", "spans 3 < 4"),
        EvidenceCase("probabilistic", "{sampling_percentage: 100}", "sampled", "probabilistic 100 %"),
        // FNV-1a 64 over "default-hash-seed" and the id 0707…07, worked out in another language.
        EvidenceCase(
            "probabilistic", "{sampling_percentage: 50}", "sampled",
            "probabilistic 50 % yes: hash 46a7ebee4d2334cd <= 7fffffffffffffff"),
        EvidenceCase(
            "rate", "{sample_rate: 0.5}", "not_sampled", "rate 0.5 no: randomness 07070707070707 < 80000000000000"),
        EvidenceCase(
            "rate", "{sample_rate: 0.99}", "sampled", "rate 0.99 yes: randomness 07070707070707 >= 028f5c28f5c290"),
        EvidenceCase(
            "string_attribute", "{key: http.route, values: [/checkout]}", "sampled",
            #"span "POST /orders" http.route = "/checkout""#),
        EvidenceCase(
            "string_attribute", "{key: http.route, values: ['^/c.*t$'], enabled_regex_matching: true}", "sampled",
            #"span "GET /cart" http.route = "/cart""#),
        EvidenceCase(
            "string_attribute", "{key: service.name, values: [shop]}", "sampled",
            #"span "GET /cart" resource service.name = "shop""#),
        EvidenceCase(
            "string_attribute", "{key: http.route, values: [/login]}", "not_sampled",
            #"span "GET /cart" http.route = "/cart""#),
        EvidenceCase(
            "string_attribute", "{key: http.rout, values: [/login]}", "not_sampled", "no span has http.rout"),
        EvidenceCase(
            "string_attribute", "{key: http.rout, values: [/login], invert_match: true}", "sampled",
            "no span has http.rout"),
        EvidenceCase(
            "string_attribute", "{key: http.route, values: [/checkout], invert_match: true}", "not_sampled",
            #"span "POST /orders" http.route = "/checkout""#),
        EvidenceCase(
            "string_attribute", "{key: http.status, values: ['503']}", "not_sampled",
            #"span "GET /cart" http.status = 200"#),
        EvidenceCase(
            "numeric_attribute", "{key: http.status, min_value: 500, max_value: 599}", "sampled",
            #"span "POST /orders" http.status = 503"#),
        EvidenceCase(
            "numeric_attribute", "{key: host.cores, min_value: 4}", "sampled",
            #"span "GET /cart" resource host.cores = 8"#),
        EvidenceCase(
            "numeric_attribute", "{key: ratio, max_value: 1}", "not_sampled", #"span "GET /cart" ratio = 0.5"#),
        EvidenceCase(
            "boolean_attribute", "{key: cached, value: true}", "sampled", #"span "POST /orders" cached = true"#),
        EvidenceCase(
            "boolean_attribute", "{key: canary, value: false}", "not_sampled",
            #"span "GET /cart" resource canary = true"#),
        EvidenceCase("trace_flags", "{}", "sampled", #"span "POST /orders" sampled flag"#),
        EvidenceCase(
            "trace_state", "{key: vendor, values: [blue, green]}", "sampled",
            #"span "POST /orders" tracestate vendor "blue""#),
        EvidenceCase(
            "trace_state", "{key: vendor, values: [green]}", "not_sampled", #"tracestate vendor "green" no"#),
        EvidenceCase(
            "and",
            """
            {and_sub_policy: [{name: a, type: latency, latency: {threshold_ms: 5}},
              {name: b, type: status_code, status_code: {status_codes: [ERROR]}},
              {name: c, type: boolean_attribute, boolean_attribute: {key: cached, value: true}}]}
            """, "sampled",
            #"latency 5210 ms >= 5 ms, span "GET /cart" starts first, span "POST /orders" ends last, "#
                + "status ERROR, cached = true"),
        EvidenceCase(
            "and",
            """
            {and_sub_policy: [{name: a, type: span_count, span_count: {min_spans: 2}},
              {name: b, type: not, not: {not_sub_policy: {name: n, type: status_code,
                status_code: {status_codes: [ERROR]}}}}]}
            """, "not_sampled", #"spans 3 >= 2, span "POST /orders" status ERROR"#),
        EvidenceCase(
            "not", "{not_sub_policy: {name: a, type: string_attribute, string_attribute: {key: x, values: [y]}}}",
            "sampled", "no span has x"),
        EvidenceCase(
            "drop",
            "{drop_sub_policy: [{name: a, type: string_attribute, "
                + "string_attribute: {key: http.route, values: [/cart]}}]}",
            "dropped", #"span "GET /cart" http.route = "/cart""#),
        EvidenceCase(
            "rate_limiting", "{spans_per_second: 5, burst_capacity: 5}", "sampled",
            "within 5 spans a second yes: needs 3, 5 left"),
        EvidenceCase(
            "rate_limiting", "{spans_per_second: 1, burst_capacity: 2}", "not_sampled",
            "within 1 spans a second no: needs 3, 2 left"),
        EvidenceCase(
            "bytes_limiting", "{bytes_per_second: 100000}", "sampled",
            "within 100000 bytes a second yes: needs 512, 200000 left"),
        EvidenceCase(
            "composite",
            """
            {max_total_spans_per_second: 10, policy_order: [quick, errors], composite_sub_policy: [
              {name: errors, type: status_code, status_code: {status_codes: [ERROR]}},
              {name: quick, type: latency, latency: {threshold_ms: 9000}}],
              rate_allocation: [{policy: errors, percent: 20}]}
            """, "not_sampled",
            "errors matches, within 2 spans a second no: needs 3, 2 left, 10 of the total, "
                + #"span "POST /orders" status ERROR"#),
        EvidenceCase(
            "composite",
            """
            {max_total_spans_per_second: 10, composite_sub_policy: [
              {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]}
            """, "sampled",
            "errors matches, within 10 spans a second yes: needs 3, 10 left, 10 of the total, "
                + #"span "POST /orders" status ERROR"#),
        EvidenceCase(
            "composite",
            """
            {max_total_spans_per_second: 10, composite_sub_policy: [
              {name: many, type: span_count, span_count: {min_spans: 50}}]}
            """, "not_sampled", "none of many within its spans a second"),
    ]

    @Test func `every kind is among the cases`() {
        let shown = Set(Self.cases.map(\.type))
        for kind in PolicyCatalog.kinds { #expect(shown.contains(kind.typeName), "\(kind.typeName) shows nothing") }
    }

    private func sampler(_ type: String, _ members: String) throws -> Sampler {
        let text = "[{name: p, type: \(type), \(type): \(members)}]"
        var problems = Problems()
        let node = try #require(try YAMLText.parse(Array(text.utf8), name: "case"))
        let policies = PolicyCatalog.policies(in: node, path: "policies", problems: &problems)
        #expect(!problems.hasErrors, "\(problems.errors)")
        return try Sampler(policies: policies)
    }

    @Test(arguments: cases)
    func `each kind shows the span and the value that made it vote so`(_ item: EvidenceCase) throws {
        let sampler = try sampler(item.type, item.members)
        let trace = try DecidedTrace(Self.spans, resource: Self.resource, matching: sampler.program)
        var state = sampler.makeState(partitionCount: 1)
        let decision = sampler.decide(
            trace.summary, state: &state, now: StreamTick(50), traceBytes: sampler.needsTraceBytes ? 512 : nil)
        #expect(state.votes.map(\.description) == [item.votes])
        let evidence = sampler.evidence(
            for: decision, votes: state.votes, readings: state.readings, of: trace.summary, in: trace.kept)
        #expect(VoteEvidence.line(evidence) == item.shows)
        #expect(evidence.allSatisfy { $0.policy == "p" })
        let line = sampler.explanation(
            of: decision, for: trace.summary, outcomes: state.votes, evidence: evidence)
        if decision.verdict != .notSampled { #expect(line == "\(decision.verdict) by p: \(item.shows)") }
    }

    @Test func `a piece names its span by id, and its part`() throws {
        let sampler = try sampler(
            "and",
            """
            {and_sub_policy: [{name: a, type: status_code, status_code: {status_codes: [ERROR]}},
              {name: b, type: not, not: {not_sub_policy: {name: n, type: boolean_attribute,
                boolean_attribute: {key: nothing, value: true}}}}]}
            """)
        let trace = try DecidedTrace(Self.spans, resource: Self.resource, matching: sampler.program)
        let evidence = sampler.evidence(
            for: sampler.decide(trace.summary), votes: [.sampled], of: trace.summary, in: trace.kept)
        #expect(
            evidence == [
                VoteEvidence(
                    policy: "p", part: "status_code", subject: .field, spanID: SpanID(2), spanName: "POST /orders",
                    key: "status", value: "ERROR"),
                VoteEvidence(
                    policy: "p", part: "not boolean_attribute", subject: .absence, key: "nothing", value: ""),
            ])
    }

    @Test func `without the spans only what the whole trace shows is shown`() throws {
        let sampler = try sampler("latency", "{threshold_ms: 1}")
        let trace = try DecidedTrace(Self.spans, resource: Self.resource, matching: sampler.program)
        let evidence = sampler.evidence(
            for: sampler.decide(trace.summary), votes: [.sampled], of: trace.summary, in: nil)
        #expect(VoteEvidence.line(evidence) == "latency 5210 ms >= 1 ms")
        let other = try self.sampler("string_attribute", "{key: nothing, values: [x]}")
        // Nobody looked: that there is none is not claimed.
        #expect(
            other.evidence(for: other.decide(trace.summary), votes: [.notSampled], of: trace.summary, in: nil) == [])
    }

    @Test func `of a trace with too many spans nothing is said of all of them`() throws {
        let spans = (0...EvidenceSearch.spanLimit).map { SentSpan(id: 1, name: "op", start: UInt64($0), end: 20_000) }
        for (type, members, shows) in [
            ("latency", "{threshold_ms: 1}", "latency 20000 ms >= 1 ms"),
            ("string_attribute", "{key: nothing, values: [x]}", ""),
            ("status_code", "{status_codes: [UNSET]}", #"span "op" status UNSET"#),
        ] {
            let sampler = try sampler(type, members)
            let trace = try DecidedTrace(spans, resource: [], matching: sampler.program)
            let decision = sampler.decide(trace.summary)
            let evidence = sampler.evidence(
                for: decision, votes: [decision.isKept ? .sampled : .notSampled], of: trace.summary, in: trace.kept)
            #expect(VoteEvidence.line(evidence) == shows)
        }
    }

    @Test func `a policy that was not asked shows nothing`() throws {
        let sampler = try sampler("always_sample", "{}")
        let trace = try DecidedTrace(Self.spans, resource: [], matching: sampler.program)
        let decision = sampler.decide(trace.summary)
        #expect(
            sampler.evidence(for: decision, votes: [.notEvaluated], of: trace.summary, in: trace.kept) == [])
    }

    @Test func `names and values are cut at a character, and say so`() throws {
        let long = String(repeating: "grün", count: 200)
        let sampler = try sampler("string_attribute", "{key: k, values: ['\(long)']}")
        var span = Self.spans[0]
        span.name = long
        span.attributes = [("k", .text(long))]
        let trace = try DecidedTrace([span], resource: [], matching: sampler.program)
        let evidence = sampler.evidence(
            for: sampler.decide(trace.summary), votes: [.sampled], of: trace.summary, in: trace.kept)
        let piece = try #require(evidence.first)
        #expect(piece.value.utf8.count <= VoteEvidence.valueLimitBytes)
        #expect(piece.spanName.utf8.count <= VoteEvidence.nameLimitBytes)
        for text in [piece.value, piece.spanName] {
            #expect(text.hasSuffix("…") && long.hasPrefix(text.dropLast()), "\(text)")
        }
    }

    @Test(arguments: [
        (
            #"{"resource":[{"key":"service.name","op":"eq","value":"shop"}]}"#,
            #"span "GET /cart" resource service.name = "shop""#
        ),
        (
            #"{"span":[{"key":"http.status","op":"gte","value":500},{"key":"status","op":"eq","value":"ERROR"}]}"#,
            #"span "POST /orders" http.status = 503, status ERROR"#
        ),
        (
            #"{"span":[{"key":"duration_ms","op":"gt","value":1000},{"key":"x","op":"not_exists"}]}"#,
            #"span "POST /orders" duration 5200 ms, has no x"#
        ),
        (
            #"{"span":[{"key":"name","op":"starts_with","value":"POST"},"#
                + #"{"key":"http.route","op":"neq","value":"/x"}]}"#,
            #"span "POST /orders" name "POST /orders", http.route = "/checkout""#
        ),
    ])
    func `a force rule shows the span and the values that it matched`(match: String, shows: String) throws {
        let body = #"{"id":"r1","description":"d","duration_secs":60,"action":"force_keep","match":\#(match)}"#
        let rule = try ForceRule.read(Array(body.utf8), madeID: "made", now: 0)
        let sampler = try Sampler(policies: [], forceRules: ForceRuleSet(rules: [rule]))
        let trace = try DecidedTrace(Self.spans, resource: Self.resource, matching: sampler.program)
        #expect(trace.summary.forceRule == 0)
        let decision = sampler.decision(of: rule)
        let evidence = sampler.evidence(for: decision, votes: [], of: trace.summary, in: trace.kept)
        #expect(VoteEvidence.line(evidence) == shows)
        #expect(
            sampler.explanation(of: decision, for: trace.summary, evidence: evidence)
                == "sampled by force rule r1: \(shows)")
    }
}
