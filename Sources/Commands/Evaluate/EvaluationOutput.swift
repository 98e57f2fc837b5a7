internal import Glibc
internal import JSON
internal import Pipeline
internal import Sampling
internal import TraceModel

/// Writes answers to standard output, in the order of the lines: as JSON lines, or as a table for people.
struct EvaluationOutput {
    /// What was answered, for the last line of a table.
    struct Counts: Equatable {
        var sampled = 0
        var notSampled = 0
        var dropped = 0
        var late = 0
        var bad = 0
    }

    private static let flushBytes = 64 << 10
    /// A trace id's digits.
    private static let idWidth = 32
    private static let decisionWidth = 11

    let isJSON: Bool
    private let names: [String]
    private var pending: [UInt8] = []
    private(set) var counts = Counts()

    /// - Parameter names: Of the policies, in the order of the configuration.
    init(isJSON: Bool, names: [String]) {
        self.isJSON = isJSON
        self.names = names
        if !isJSON { append(Self.row("trace_id", "decision", "why")) }
    }

    mutating func add(_ answer: Evaluation.Answer) {
        if answer.isLate {
            counts.late += 1
        } else {
            switch answer.verdict {
            case .sampled: counts.sampled += 1
            case .notSampled: counts.notSampled += 1
            case .dropped: counts.dropped += 1
            }
        }
        let id = answer.traceID?.description ?? ""
        append(
            isJSON
                ? Self.json(answer, id, names)
                : Self.row(id.isEmpty ? "-" : id, answer.verdict.description, VisibleText.of(answer.explanation)))
    }

    /// - Parameter lineNumber: From 1, in its file.
    mutating func add(_ problem: Evaluation.BadLine, lineNumber: Int) {
        counts.bad += 1
        guard isJSON else { return append(Self.row("-", "error", VisibleText.of(problem.message))) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("line")
        writer.integer(lineNumber)
        writer.key("error")
        writer.string(problem.message)
        writer.endObject()
        append(writer.bytes)
    }

    private static func row(_ id: String, _ decision: String, _ why: String) -> [UInt8] {
        let padded = [(id, idWidth), (decision, decisionWidth)].map { text, width in
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        return Array("\(padded[0])  \(padded[1])  \(why)".utf8)
    }

    static func json(_ answer: Evaluation.Answer, _ id: String, _ names: [String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("trace_id")
        writer.string(id)
        writer.key("decision")
        writer.string(answer.verdict.description)
        writer.key("policy")
        if let policy = answer.policy { writer.string(names[policy]) } else { writer.null() }
        writer.key("reason")
        writer.string(answer.reason.description)
        writer.key("per_policy")
        writer.beginObject()
        for (index, name) in names.enumerated() {
            writer.key(name)
            writer.string(answer.votes[index].description)
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private mutating func append(_ line: [UInt8]) {
        pending += line
        pending.append(UInt8(ascii: "\n"))
        if pending.count >= Self.flushBytes { flush() }
    }

    /// Hands what was answered to whoever reads.
    mutating func flush() {
        Terminal.output(pending)
        pending.removeAll(keepingCapacity: true)
    }
}

/// Text of senders on a terminal: no character of it does anything there.
enum VisibleText {
    static func of(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: " "
                    default: scalar
                    }
                }))
    }
}
