internal import HTTPServer
internal import JSON
internal import Sampling
internal import Telemetry
internal import TraceModel

/// Why a trace was kept or not.
struct DecisionRoutes {
    /// Decisions of one answer at most, and when nothing is asked for.
    static let limits = 1...1000
    static let defaultLimit = 100

    let decisions: any DecisionLookup

    func one(_ head: HTTPRequestHead) -> HTTPResponse {
        let text = head.parameters["trace_id"] ?? ""
        guard let traceID = TraceID(hexadecimal: text) else {
            return Envelope.failure(400, "a trace id has 32 hexadecimal digits")
        }
        guard let report = decisions.decision(about: traceID) else {
            return Envelope.failure(
                404,
                "no decision about \(traceID) is remembered: it is undecided, or was never seen here, or is not among "
                    + "the newest \(decisions.rememberedDecisionCount) decisions since the start")
        }
        return Envelope.success(Self.json(report))
    }

    func recent(_ head: HTTPRequestHead) -> HTTPResponse {
        var limit = Self.defaultLimit
        if let text = head.query("limit") {
            guard let number = Int(text), Self.limits.contains(number) else {
                return Envelope.failure(
                    400, "limit must be \(Self.limits.lowerBound) to \(Self.limits.upperBound)")
            }
            limit = number
        }
        return Envelope.success(.array(decisions.recentDecisions(limit: limit).map(Self.json)))
    }

    private static func json(_ report: DecisionReport) -> JSONValue {
        let votes: [JSONValue] = report.votes.map { vote in
            [
                "policy": .string(vote.policy), "vote": .string(vote.vote),
                "explanation": .string(vote.explanation), "evidence": .array(vote.evidence.map(json)),
            ]
        }
        return [
            "trace_id": .string(report.traceID.description),
            "verdict": .string(report.decision.verdict.description),
            "reason": .string(report.decision.reason.description),
            "policy": report.decision.policy.isEmpty ? .null : .string(report.decision.policy),
            "adjusted_count": .double(report.decision.adjustedCount),
            "explanation": .string(report.explanation), "votes": .array(votes),
            "evidence": .array(report.evidence.map(json)),
            "first_span_at": .string(Timestamp.text(milliseconds: report.firstSpanMilliseconds)),
            "last_span_at": .string(Timestamp.text(milliseconds: report.lastSpanMilliseconds)),
            "decided_at": .string(Timestamp.text(milliseconds: report.decidedMilliseconds)),
            "ripe_because": .string(report.cause.description), "span_count": .integer(Int64(report.spanCount)),
            "policy_version": JSONValue(report.decision.policyVersion),
        ]
    }

    /// What a piece does not have is null: a value of the whole trace has no span.
    private static func json(_ piece: VoteEvidence) -> JSONValue {
        [
            "part": piece.part.isEmpty ? .null : .string(piece.part), "subject": .string(piece.subject.description),
            "span_id": piece.spanID.map { .string($0.description) } ?? .null,
            "span_name": piece.spanID == nil ? .null : .string(piece.spanName), "key": .string(piece.key),
            "value": piece.subject == .absence ? .null : .string(piece.value), "text": .string(piece.description),
        ]
    }
}
