import JSON
import Testing

@testable import Commands

@Suite struct DecisionTextTests {
    private func piece(_ span: String?, _ key: String, _ text: String) -> JSONValue {
        [
            "part": nil, "subject": span == nil ? "trace" : "attribute",
            "span_id": span == nil ? nil : "00000000000000a1", "span_name": span.map { .string($0) } ?? nil,
            "key": .string(key), "value": "v", "text": .string(text),
        ]
    }

    @Test func `a decision is shown with every vote, its evidence and the times`() {
        let route = piece("POST /orders", "http.route", #"span "POST /orders" http.route = "/checkout""#)
        let method = piece("POST /orders", "method", #"span "POST /orders" method = "POST""#)
        let decision: JSONValue = [
            "trace_id": "0102", "verdict": "sampled", "reason": "policy", "policy": "slow-checkout", "span_count": 3,
            "first_span_at": "T1", "last_span_at": "T2", "decided_at": "T3", "ripe_because": "root",
            "evidence": [route],
            "votes": [
                ["policy": "slow-checkout", "vote": "sampled", "explanation": "x yes", "evidence": [route, method]],
                [
                    "policy": "slow", "vote": "not_sampled", "explanation": "latency 5 ms < 6 ms",
                    "evidence": [piece(nil, "latency", "latency 5 ms < 6 ms")],
                ],
                ["policy": "later", "vote": "not_evaluated", "explanation": "y no", "evidence": []],
            ],
        ]
        #expect(
            DecisionText(decision).text == """
                trace 0102 sampled by slow-checkout, reason policy: span "POST /orders" \
                (00000000000000a1) http.route = "/checkout"
                3 spans, the first at T1, the last at T2
                decided at T3, ripe because: root

                policy         vote           why
                slow-checkout  sampled        x yes: span "POST /orders" (00000000000000a1) \
                http.route = "/checkout", method = "POST"
                slow           not_sampled    latency 5 ms < 6 ms
                later          not_evaluated  not asked

                """)
    }

    @Test func `nobody wanted it`() {
        let decision: JSONValue = [
            "trace_id": "0102", "verdict": "not_sampled", "reason": "not_sampled", "policy": nil, "span_count": 1,
            "first_span_at": "T1", "last_span_at": "T2", "decided_at": "T3", "ripe_because": "inactivity",
            "evidence": [], "votes": [],
        ]
        #expect(DecisionText(decision).text.hasPrefix("trace 0102 not_sampled, reason not_sampled\n1 spans"))
    }
}
