internal import Arguments
internal import Glibc
internal import JSON
internal import Threads

/// `tss rules`: force rules of a running server.
enum RulesCommand {
    private static let output = Option(
        "output", short: "o", .choice(["table", "json"]), default: "table", "How to print the answer")
    private static let common = [output] + AdminClient.options
    private static let id = Operand("ID", .text, "The rule's id")
    /// A rule in a file is no larger.
    private static let fileLimitBytes = 1 << 20

    static let declaration = Command(
        "rules", "Show, make and end force rules of a running server",
        details: """
            A force rule keeps, or drops, every trace that it matches, before any policy is asked, for a limited time. \
            It acts on traces that are waiting for their decision too.
            """,
        commands: [
            Command("list", "Show the rules in the order in which they are asked", options: common),
            Command(
                "add", "Make a rule",
                details: """
                    A matcher is a key, an operator and a value: --span "http.status_code gte 500". Operators are eq, \
                    neq, contains, starts_with, ends_with, regex, in (a,b,c), exists, not_exists, gt, gte, lt, lte. \
                    All matchers of --span must hold on one single span, those of --resource and --service on its \
                    resource.
                    """,
                options: [
                    Option("action", .choice(["keep", "drop"]), default: "keep", "What becomes of the traces"),
                    Option("description", short: "d", .text, "Why there is such a rule"),
                    Option("for", .duration, default: "10m", "How long it acts"),
                    Option("service", .text, "The same as --resource \"service.name eq NAME\""),
                    Option("resource", .text, isRepeatable: true, "Matcher of the resource's attributes"),
                    Option(
                        "span", .text, isRepeatable: true,
                        "Matcher of a span's attributes, or of its name, status, kind or duration_ms"),
                    Option("id", .text, "Its id (default: a random one)"),
                    Option("priority", .integer(-1_000_000...1_000_000), "Higher ones are asked first (default: 100)"),
                    Option("created-by", .text, variables: ["USER"], "Who makes it"),
                    Option("disabled", .flag, "Make it, but do not let it act yet"),
                    Option("match-all", .flag, "A drop that names nothing in particular is meant"),
                    Option(
                        "file", .file, "The whole rule as JSON instead, as the admin call takes it; - is standard input"
                    ),
                ] + common),
            Command(
                "extend", "Give a rule more time",
                options: [Option("by", .duration, default: "10m", "How much")] + common,
                operands: [id]),
            Command("enable", "Let a disabled rule act", options: common, operands: [id]),
            Command("disable", "Let a rule act no more, at once", options: common, operands: [id]),
            Command("delete", "End a rule at once", options: common, operands: [id]),
            Command("cleanup", "Take expired rules off the list", options: common),
        ])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        do throws(AdminFailure) {
            let client = try AdminClient(arguments)
            defer { client.stop() }
            let answer = try call(arguments, client)
            print(text(answer, arguments), terminator: "")
            return 0
        } catch {
            Terminal.error("tss rules: \(error.message)")
            return 1
        }
    }

    private static func call(_ arguments: ParsedCommand, _ client: AdminClient) throws(AdminFailure) -> JSONValue {
        let path = "/admin/force-rules"
        switch arguments.path.last {
        case "add": return try client.call("POST", path, body: try rule(arguments))
        case "extend":
            let seconds = wholeSeconds(arguments.duration("by"))
            return try client.call(
                "PUT", "\(path)/\(id(arguments))/extend", body: ["additional_secs": .integer(seconds)])
        case "enable": return try client.call("PUT", "\(path)/\(id(arguments))/enable")
        case "disable": return try client.call("PUT", "\(path)/\(id(arguments))/disable")
        case "delete": return try client.call("DELETE", "\(path)/\(id(arguments))")
        case "cleanup": return try client.call("POST", "\(path)/cleanup")
        default: return try client.call("GET", path)
        }
    }

    private static func id(_ arguments: ParsedCommand) -> String {
        AdminClient.segment(arguments.operand("ID").first ?? "")
    }

    /// A second begun counts.
    private static func wholeSeconds(_ duration: Duration?) -> Int64 {
        let milliseconds = (duration ?? .zero).wholeMilliseconds
        return milliseconds / 1000 + (milliseconds % 1000 > 0 ? 1 : 0)
    }

    // MARK: Making

    private static func rule(_ arguments: ParsedCommand) throws(AdminFailure) -> JSONValue {
        if let path = arguments.text("file") { return try rule(inFile: path) }
        var resource: [JSONValue] = []
        if let service = arguments.text("service") {
            resource.append(["key": "service.name", "op": "eq", "value": .string(service)])
        }
        for text in arguments.texts("resource") { resource.append(try WrittenMatcher(text).json) }
        var span: [JSONValue] = []
        for text in arguments.texts("span") { span.append(try WrittenMatcher(text).json) }
        var rule: JSONObject = [
            "action": .string("force_\(arguments.text("action") ?? "keep")"),
            "duration_secs": .integer(wholeSeconds(arguments.duration("for"))),
            "match": ["resource": .array(resource), "span": .array(span)],
        ]
        rule["description"] = arguments.text("description").map { .string($0) }
        rule["id"] = arguments.text("id").map { .string($0) }
        rule["priority"] = arguments.integer("priority").map { .integer(Int64($0)) }
        rule["created_by"] = arguments.text("created-by").map { .string($0) }
        if arguments.flag("disabled") { rule["enabled"] = false }
        if arguments.flag("match-all") { rule["match_all"] = true }
        return .object(rule)
    }

    private static func rule(inFile path: String) throws(AdminFailure) -> JSONValue {
        do {
            return try JSONValue(
                parsing: try ProcessEnvironment.readBytes(path == "-" ? "/dev/stdin" : path, limitBytes: fileLimitBytes)
            )
        } catch let error as ReadFailure {
            throw AdminFailure(message: error.message)
        } catch {
            throw AdminFailure(message: "\(path):\(error)")
        }
    }

    // MARK: Showing

    private static func text(_ answer: JSONValue, _ arguments: ParsedCommand) -> String {
        if arguments.text("output") == "json" { return ((try? answer.serialized()) ?? "null") + "\n" }
        if let removed = answer["removed"]?.int64 { return "\(removed) expired rules taken off the list\n" }
        let rules = answer.array ?? [answer]
        if rules.isEmpty { return "There are no force rules.\n" }
        return RuleTable(rules).text
    }
}

/// `KEY OP VALUE`, as somebody types it.
struct WrittenMatcher {
    let json: JSONValue

    init(_ text: String) throws(AdminFailure) {
        let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true).map(String.init)
        guard parts.count >= 2 else {
            throw AdminFailure(message: "\"\(text)\" is no matcher: write a key, an operator and a value")
        }
        var matcher: JSONObject = ["key": .string(parts[0]), "op": .string(parts[1])]
        if parts.count == 3 {
            if parts[1] == "in" {
                matcher["values"] = .array(try Self.values(parts[2]))
            } else {
                matcher["value"] = .string(parts[2])
            }
        }
        json = .object(matcher)
    }

    /// `a,b,c`, or a JSON list where a value holds a comma.
    private static func values(_ text: String) throws(AdminFailure) -> [JSONValue] {
        guard text.hasPrefix("[") else {
            return text.split(separator: ",", omittingEmptySubsequences: false).map { .string(String($0)) }
        }
        guard let list = try? JSONValue(parsing: text).array else {
            throw AdminFailure(message: "\(text) is no list in JSON")
        }
        return list
    }
}

/// Rules as aligned columns for a terminal.
struct RuleTable {
    let text: String

    init(_ rules: [JSONValue]) {
        let titles = ["ID", "ACTION", "PRIORITY", "STATE", "LEFT", "TRACES", "MATCH", "DESCRIPTION"]
        let cells = [titles] + rules.map(Self.row)
        let widths = titles.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        text = cells.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let isLast = column == row.count - 1
                line += cell + (isLast ? "" : String(repeating: " ", count: widths[column] - cell.count + 2))
            }
            return line + "\n"
        }.joined()
    }

    private static func row(_ rule: JSONValue) -> [String] {
        let left = rule["remaining_secs"]?.int64 ?? 0
        let state = left == 0 ? "expired" : rule["enabled"]?.bool == false ? "disabled" : "active"
        return [
            rule["id"]?.text ?? "", rule["action"]?.text ?? "", "\(rule["priority"]?.int64 ?? 0)", state,
            Self.left(left), "\(rule["traces_matched"]?.int64 ?? 0)", match(rule["match"]),
            AnswerTable.line(rule["description"]?.text ?? ""),
        ]
    }

    /// "9m 30s": the two largest units.
    static func left(_ seconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
        guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0s" }
        var parts = ["\(seconds / units[first].0)\(units[first].1)"]
        if first + 1 < units.count {
            let rest = seconds % units[first].0 / units[first + 1].0
            if rest > 0 { parts.append("\(rest)\(units[first + 1].1)") }
        }
        return parts.joined(separator: " ")
    }

    private static func match(_ match: JSONValue?) -> String {
        let scopes = ["resource", "span"].compactMap { scope -> String? in
            let matchers = (match?[scope]?.array ?? []).map(Self.matcher)
            return matchers.isEmpty ? nil : "\(scope)(\(matchers.joined(separator: ", ")))"
        }
        return scopes.isEmpty ? "every trace" : AnswerTable.line(scopes.joined(separator: " "))
    }

    private static func matcher(_ matcher: JSONValue) -> String {
        let values = matcher["values"]?.array ?? matcher["value"].map { [$0] } ?? []
        let words = values.map { $0.text ?? ((try? $0.serialized()) ?? "") }.joined(separator: ",")
        return "\(matcher["key"]?.text ?? "") \(matcher["op"]?.text ?? "")" + (words.isEmpty ? "" : " \(words)")
    }
}
