internal import JSON
internal import OTLPJSON
internal import OTLPWire
internal import Pipeline
internal import ProtobufWriter
internal import Sampling
internal import TraceModel

/// Judges traces line by line with a set of policies, as the server would: the same scan, the same decisions.
///
/// Time is virtual: it stands still but for lines that carry `at_ms`, and limiters go by it alone. Memory is bounded,
/// whatever the number of lines.
struct Evaluation {
    /// Decisions that are remembered for late spans; behind them the oldest is forgotten, and its trace is new again.
    static let rememberedTraceLimit = 1_000_000
    /// `at_ms` lies between 0 and the year 10,000.
    static let moments: ClosedRange<Int64> = 0...253_402_300_799_999
    /// Stands for ids that are missing or all zero while a line is scanned; made of random numbers.
    private static let zeroIDs = TracesJSON.ZeroIDs(
        traceID: TraceID(high: 0xC3A5_91E4_7B20_D86F, low: 0x5E1D_F209_84BC_3A77).bytes,
        spanID: SpanID(0x91F3_6C2E_A85D_047B).bytes)
    private static let zeroTraceID = TraceID(high: 0xC3A5_91E4_7B20_D86F, low: 0x5E1D_F209_84BC_3A77)

    /// What is said of one line.
    struct Answer {
        /// Nil for a line without spans.
        var traceID: TraceID?
        var verdict: Verdict
        var reason: Reason
        /// Position of the credited policy; nil when none is.
        var policy: Int?
        var votes: VoteSet
        /// The trace was decided by an earlier line.
        var isLate = false
        /// For people, in a table.
        var explanation = ""
    }

    /// Why a line is no trace.
    struct BadLine: Error {
        /// Lower case, with the place where there is one.
        var message: String
    }

    private struct Remembered {
        var verdict: Verdict
        var reason: Reason
        var policy: Int?
        var votes: VoteSet
    }

    let sampler: Sampler
    /// Whether answers explain themselves.
    let explains: Bool
    private let places: [String: Int]
    private var state: SamplerState
    private var milliseconds: Int64 = 0
    private var batch = SpanBatch()
    private var writer = MessageWriter()
    private var remembered: [TraceID: Remembered] = [:]
    /// A ring of the ids in `remembered`, oldest at `oldest` once it is full.
    private var order: [TraceID] = []
    private var oldest = 0
    private let memoryLimit: Int

    init(_ sampler: Sampler, explains: Bool, memoryLimit: Int = rememberedTraceLimit) {
        self.sampler = sampler
        self.explains = explains
        self.memoryLimit = memoryLimit
        places = Dictionary(
            sampler.policies.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
        state = sampler.makeState(partitionCount: 1)
    }

    /// Judges one line.
    mutating func answer(_ line: [UInt8]) throws(BadLine) -> Answer {
        do throws(JSONError) {
            try read(line)
        } catch {
            throw BadLine(message: error.description)
        }
        let message = writer.bytes
        do throws(WireError) {
            try SpanScanner.scan(message.span.bytes, matching: sampler.program, into: &batch)
        } catch {
            throw BadLine(message: error.description)
        }
        guard batch.rejectedCount == 0 else {
            throw BadLine(message: "\(batch.rejectedCount) spans have an id of another length than 16 and 8 bytes")
        }
        guard let first = batch.records.first else {
            // Nothing to ask a policy about.
            let votes = VoteSet(Array(repeating: .notEvaluated, count: sampler.policies.count))
            return Answer(
                verdict: .notSampled, reason: .notSampled, policy: nil, votes: votes, explanation: "no spans")
        }
        if let other = batch.records.first(where: { $0.traceID != first.traceID }) {
            throw BadLine(
                message: "a line holds one trace, and this has spans of \(shown(first.traceID)) and of "
                    + "\(shown(other.traceID))")
        }
        let traceID = shown(first.traceID)
        if let known = remembered[traceID] {
            return Answer(
                traceID: traceID, verdict: known.verdict, reason: known.reason, policy: known.policy,
                votes: known.votes, isLate: true, explanation: "late spans of a trace that was decided above")
        }
        return decide(traceID)
    }

    private func shown(_ traceID: TraceID) -> TraceID {
        traceID == Self.zeroTraceID ? TraceID(high: 0, low: 0) : traceID
    }

    /// Decides about the scanned trace, once.
    private mutating func decide(_ traceID: TraceID) -> Answer {
        let tick = StreamTick(milliseconds: milliseconds)
        var summary = TraceSummary(opening: batch.records[0], offset: 0, tick: tick)
        for record in batch.records.dropFirst() { summary.add(record, offset: 0, tick: tick) }
        summary.traceID = traceID
        let size = sampler.asksForBytes(summary) ? kept(traceID).tracesDataBytes : nil
        let decision = sampler.decide(summary, state: &state, atMilliseconds: milliseconds, traceBytes: size)
        var answer = Answer(
            traceID: traceID, verdict: decision.verdict, reason: decision.reason, policy: places[decision.policy],
            votes: VoteSet(state.votes))
        if explains {
            let evidence = sampler.evidence(
                for: decision, votes: state.votes, readings: state.readings, of: summary, in: kept(traceID))
            answer.explanation = sampler.explanation(
                of: decision, for: summary, outcomes: state.votes, evidence: evidence)
        }
        remember(answer, of: traceID)
        return answer
    }

    /// The spans as sinks get them.
    private func kept(_ traceID: TraceID) -> KeptTrace {
        KeptTrace(
            traceID: traceID, partition: 0, arena: writer.bytes + batch.merged,
            spans: batch.records.map { record in
                KeptSpan(
                    spanID: record.spanID, offset: 0, index: record.index, span: record.span,
                    resource: record.resource, scope: record.scope, resourceSchemaURL: record.resourceSchemaURL,
                    scopeSchemaURL: record.scopeSchemaURL)
            })
    }

    private mutating func remember(_ answer: Answer, of traceID: TraceID) {
        if order.count < memoryLimit {
            order.append(traceID)
        } else {
            remembered[order[oldest]] = nil
            order[oldest] = traceID
            oldest = (oldest + 1) % memoryLimit
        }
        remembered[traceID] = Remembered(
            verdict: answer.verdict, reason: answer.reason, policy: answer.policy, votes: answer.votes)
    }

    // MARK: Lines

    /// Reads `{"at_ms": N, "trace": …}` or a bare request into `writer`, and sets the clock.
    private mutating func read(_ line: [UInt8]) throws(JSONError) {
        writer.removeAll()
        var moment: Int64?
        var seen: Set<String> = []
        var reader = try TracesJSON.reader(of: line, limitBytes: LineReader.lineLimitBytes)
        try reader.beginObject()
        while let member = try reader.nextMember() {
            // Whatever a request's member is called, it comes once.
            let name = member.key == "resource_spans" ? "resourceSpans" : member.key
            switch name {
            case "at_ms":
                moment = try Self.moment(&reader)
            case "trace":
                if try reader.peek() == .null {
                    try reader.null()
                } else {
                    try TracesJSON.append(&reader, to: &writer, zeroIDs: Self.zeroIDs)
                }
            default:
                guard try TracesJSON.append(member: name, &reader, to: &writer, zeroIDs: Self.zeroIDs) else {
                    try reader.skip()
                    continue
                }
            }
            guard seen.insert(name).inserted else {
                throw JSONError("member \"\(member.key)\" appears twice", at: member.place)
            }
            guard !(seen.contains("trace") && seen.contains("resourceSpans")) else {
                throw JSONError("a line has trace or resourceSpans, not both", at: member.place)
            }
        }
        try reader.end()
        milliseconds = moment ?? milliseconds
    }

    private static func moment(_ reader: inout JSONReader) throws(JSONError) -> Int64 {
        let place = reader.place
        guard try reader.peek() == .number, let moment = try reader.number().int64, moments.contains(moment) else {
            throw JSONError(
                "at_ms is a whole number of milliseconds from \(moments.lowerBound) to \(moments.upperBound)", at: place
            )
        }
        return moment
    }
}

extension TraceID {
    fileprivate var bytes: [UInt8] { SpanID(high).bytes + SpanID(low).bytes }
}

extension SpanID {
    fileprivate var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) } }
}
