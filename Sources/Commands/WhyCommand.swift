internal import Arguments
internal import JSON
internal import TraceModel

/// `tss why`: what a running server decided about a trace, and because of which spans and values.
enum WhyCommand {
    static let declaration = Command(
        "why", "Show why a running server kept a trace or did not",
        details: """
            Asks the admin port of a running server for its decision about a trace: who decided, how every policy \
            voted, and the spans and values behind each vote. Traces that were not kept are remembered too.
            """,
        options: AdminClient.options + [
            Option("output", .choice(["table", "json"]), default: "table", "How to print the answer")
        ],
        operands: [Operand("TRACE_ID", .text, "32 hexadecimal digits")])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        let text = arguments.operand("TRACE_ID")[0]
        guard let traceID = TraceID(hexadecimal: text) else {
            Terminal.error("tss why: \"\(VisibleText.of(text))\" is no trace id of 32 hexadecimal digits")
            return UsageError.exitCode
        }
        do throws(AdminFailure) {
            let client = try AdminClient(arguments)
            defer { client.stop() }
            let decision = try client.call("GET", "/admin/decisions/\(traceID)")
            if arguments.text("output") == "json" {
                print((try? decision.serialized()) ?? "null")
            } else {
                print(DecisionText(decision).text, terminator: "")
            }
            return 0
        } catch {
            Terminal.error("tss why: \(error.message)")
            if error.status == 404 {
                Terminal.error(
                    "  a trace is decided after app.inactivity_timeout_secs without a span; whether it was kept "
                        + "earlier: tss query \"SELECT * FROM spans WHERE trace_id = '\(traceID)'\"")
            }
            return 1
        }
    }
}

/// A decision of the admin API, for people.
struct DecisionText {
    let text: String

    init(_ decision: JSONValue) {
        func word(_ key: String) -> String { VisibleText.of(decision[key]?.text ?? "") }
        let why = Self.line(decision["evidence"])
        let who = decision["policy"]?.text.map { " by \(VisibleText.of($0))" } ?? ""
        var lines = [
            "trace \(word("trace_id")) \(word("verdict"))\(who), reason \(word("reason"))"
                + (why.isEmpty ? "" : ": \(why)"),
            "\(decision["span_count"]?.int64 ?? 0) spans, the first at \(word("first_span_at")), the last at "
                + word("last_span_at"),
            "decided at \(word("decided_at")), ripe because: \(word("ripe_because"))",
        ]
        let votes = decision["votes"]?.array ?? []
        if !votes.isEmpty {
            let rows =
                [["policy", "vote", "why"]]
                + votes.map { vote in
                    [
                        VisibleText.of(vote["policy"]?.text ?? ""), VisibleText.of(vote["vote"]?.text ?? ""),
                        Self.why(vote),
                    ]
                }
            lines.append("")
            lines += Self.table(rows)
        }
        text = lines.map { $0 + "\n" }.joined()
    }

    /// The policy's own words, and the spans and values behind them.
    private static func why(_ vote: JSONValue) -> String {
        if vote["vote"] == "not_evaluated" { return "not asked" }
        let explanation = VisibleText.of(vote["explanation"]?.text ?? "")
        let evidence = line(vote["evidence"])
        if evidence.isEmpty { return explanation }
        return evidence.hasPrefix(explanation) ? evidence : "\(explanation): \(evidence)"
    }

    /// All pieces in one line; a span is named once for the pieces that follow one another.
    private static func line(_ pieces: JSONValue?) -> String {
        var texts: [String] = []
        var last: String?
        for piece in pieces?.array ?? [] {
            var text = piece["text"]?.text ?? ""
            let spanID = piece["span_id"]?.text
            if let name = piece["span_name"]?.text {
                let prefix = "span \"\(name)\" "
                if spanID == last, text.hasPrefix(prefix) {
                    text.removeFirst(prefix.count)
                } else if text.hasPrefix(prefix), let spanID {
                    text = "span \"\(name)\" (\(spanID)) \(text.dropFirst(prefix.count))"
                }
            }
            last = spanID
            texts.append(text)
        }
        return VisibleText.of(texts.joined(separator: ", "))
    }

    private static func table(_ rows: [[String]]) -> [String] {
        let widths = (0..<2).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            (0..<2).map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }.joined(separator: "  ")
                + "  " + row[2]
        }
    }
}
