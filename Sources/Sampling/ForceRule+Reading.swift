internal import Configuration
internal import JSON

extension ForceRule {
    /// Reads a rule as people write it.
    ///
    ///     {"description": "…", "duration_secs": 600, "action": "force_keep",
    ///      "match": {"resource": [{"key": "service.name", "op": "eq", "value": "checkout"}], "span": []}}
    ///
    /// - Parameters:
    ///   - bytes: JSON, UTF-8.
    ///   - madeID: The rule's id when it gives none.
    ///   - now: Wall clock, milliseconds since 1970.
    /// - Throws: `notJSON`, or everything that is wrong with it, each with its place.
    public static func read(
        _ bytes: [UInt8], madeID: String, now: Int64, limits: ForceRuleLimits = ForceRuleLimits()
    ) throws(ForceRuleReadError) -> ForceRule {
        var fields = try ForceRuleBody.fields(bytes)
        let rule = read(&fields, madeID: madeID, now: now, limits)
        fields.finish()
        guard !fields.problems.hasErrors, let rule else {
            throw .refused(ForceRuleError(fields.problems.errors.map(\.description)))
        }
        do throws(ForceRuleError) {
            _ = try rule.terms()
        } catch {
            // Every matcher was tried alone.
            throw .refused(error)
        }
        return rule
    }

    /// The seconds of `{"additional_secs": n}`.
    public static func readExtension(_ bytes: [UInt8]) throws(ForceRuleReadError) -> Int64 {
        var fields = try ForceRuleBody.fields(bytes)
        let seconds = fields.requiredSeconds("additional_secs", atMost: .max)
        fields.finish()
        guard !fields.problems.hasErrors, let seconds else {
            throw .refused(ForceRuleError(fields.problems.errors.map(\.description)))
        }
        return seconds
    }

    /// What only the server sets; a rule that was read and is sent again still has them.
    private static let setByServer = [
        "created_at", "expires_at", "remaining_secs", "traces_matched", "last_matched_at",
    ]

    private static func read(
        _ fields: inout Fields, madeID: String, now: Int64, _ limits: ForceRuleLimits
    ) -> ForceRule? {
        let id = fields.identifier("id") ?? madeID
        let description = fields.requiredText("description", limitBytes: ForceRuleLimits.descriptionBytes)
        let seconds = fields.requiredSeconds("duration_secs", atMost: limits.durationSeconds)
        let priority = fields.whole("priority", in: ForceRuleLimits.priorities) ?? defaultPriority
        let action = fields.required("action", of: Action.self)
        let author = fields.limitedText("created_by", limitBytes: ForceRuleLimits.authorBytes)
        let isEnabled = fields.boolean("enabled") ?? true
        let matchesAll = fields.boolean("match_all") ?? false
        var scopes = Fields(fields.node("match"), path: fields.key("match"), place: fields.place)
        let resource = scopes.matchers("resource", isSpan: false)
        let span = scopes.matchers("span", isSpan: true)
        scopes.finish()
        fields.problems.add(scopes.problems.list)
        // Asking makes a name known, and so a suggestion; only names that are there are asked for.
        for name in setByServer where fields.has(name) {
            _ = fields.node(name)
            fields.error(name, "is set by the server: leave it out")
        }
        guard let description, let seconds, let action, !fields.problems.hasErrors else { return nil }
        let rule = ForceRule(
            id: id, description: description, durationSeconds: seconds, priority: priority, resource: resource,
            span: span, action: action, matchesAll: matchesAll, isEnabled: isEnabled, createdBy: author,
            createdMilliseconds: now)
        if action == .drop, rule.namesNothing, !matchesAll {
            let isEmpty = resource.isEmpty && span.isEmpty
            fields.error(
                "match",
                "\(isEmpty ? "an empty match" : "a match that only says what is not there") drops nearly every trace; "
                    + "if that is meant, add \"match_all\": true")
        }
        return rule
    }
}

/// Why a text is no rule.
public enum ForceRuleReadError: Error, Sendable {
    /// It is not JSON, or not an object.
    case notJSON(String)
    /// It is, and says what cannot be.
    case refused(ForceRuleError)
}

/// JSON as the tree that `Fields` reads.
enum ForceRuleBody {
    /// What places are named after.
    private static let name = "body"
    /// No rule is as deep or has as many values.
    private static let limits = JSONLimits(bytes: ForceRuleLimits.bodyBytes, depth: 16, nodes: 20_000)

    static func fields(_ bytes: [UInt8]) throws(ForceRuleReadError) -> Fields {
        let root: JSONNode
        do throws(JSONError) {
            root = try JSONNode(parsing: bytes, limits: limits)
            _ = try root.object()
        } catch {
            throw .notJSON(error.place == nil ? error.message : "\(name):\(error)")
        }
        return Fields(node(root), path: "", place: place(root.place))
    }

    private static func place(_ place: JSONPlace) -> Place {
        .file(name, line: place.line, column: place.column)
    }

    private static func node(_ json: JSONNode) -> Node {
        let at = place(json.place)
        switch json.content {
        case .null: return Node(text: "null", at: at)
        case .bool(let flag): return Node(text: flag ? "true" : "false", at: at)
        case .number(let number): return Node(text: (try? number.serialized()) ?? "", at: at)
        case .string(let text): return Node(text: text, isQuoted: true, at: at)
        case .array(let elements): return Node(.list(elements.map(node)), at: at)
        case .object(let members):
            return Node(
                .map(members.map { Node.Entry(key: $0.key, keyPlace: place($0.place), value: node($0.node)) }), at: at)
        }
    }
}

// MARK: Members

extension Fields {
    /// `[A-Za-z0-9._-]{1,64}`; nil when there is none.
    fileprivate mutating func identifier(_ name: String) -> String? {
        guard let text = strictText(name) else { return nil }
        if !ForceRule.isIdentifier(text) {
            error(name, "an id has 1 to 64 letters, digits, dots, underscores and hyphens")
        }
        return text
    }

    fileprivate mutating func requiredText(_ name: String, limitBytes: Int) -> String? {
        let text = limitedText(name, limitBytes: limitBytes)
        if text?.allSatisfy(\.isWhitespace) ?? !isWrong(name) { error(name, "is required, and says why") }
        return text
    }

    fileprivate mutating func limitedText(_ name: String, limitBytes: Int) -> String? {
        guard let text = strictText(name) else { return nil }
        if text.utf8.count > limitBytes { error(name, "is longer than \(limitBytes) bytes") }
        return text
    }

    fileprivate mutating func requiredSeconds(_ name: String, atMost limit: Int64) -> Int64? {
        guard let seconds = integer(name) else {
            if !isWrong(name) { error(name, "is required, in seconds") }
            return nil
        }
        if seconds < 1 || seconds > limit {
            error(name, limit == .max ? "must be at least 1" : "must be 1 to \(limit)")
        }
        return seconds
    }

    fileprivate mutating func whole(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let number = integer(name) else { return nil }
        if !range.contains(number) { error(name, "must be \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// One of the raw values.
    fileprivate mutating func required<Word: CaseIterable & RawRepresentable<String>>(
        _ name: String, of type: Word.Type
    ) -> Word? {
        let words = type.allCases.map(\.rawValue)
        guard let text = strictText(name) else {
            if !isWrong(name) { error(name, "is required: \(words.joined(separator: ", "))") }
            return nil
        }
        if let word = Word(rawValue: text) { return word }
        let hint = NearestName.hint(text, among: words)
        error(
            name,
            "unknown: \"\(text.prefix(60))\"" + (hint.isEmpty ? "; known are \(words.joined(separator: ", "))" : hint))
        return nil
    }

    /// A text in quotes.
    private mutating func strictText(_ name: String) -> String? {
        guard let node = node(name) else { return nil }
        guard case .scalar(let scalar) = node.value, scalar.isQuoted else {
            error(name, "expected a text, found \(node.words)")
            return nil
        }
        return scalar.text
    }

    /// Whether there is something, and a problem was found with it.
    private func isWrong(_ name: String) -> Bool {
        problems.errors.contains { $0.key == key(name) }
    }

    fileprivate mutating func matchers(_ name: String, isSpan: Bool) -> [ForceRule.Matcher] {
        guard let nodes = list(name) else { return [] }
        if nodes.count > ForceRuleLimits.matchersInScope {
            error(name, "\(nodes.count) matchers; at most \(ForceRuleLimits.matchersInScope) are taken")
            return []
        }
        return nodes.enumerated().compactMap { index, node in
            var members = Fields(node, path: "\(key(name))[\(index)]", place: node.place)
            // What is no map has no members to ask for.
            let matcher = members.problems.hasErrors ? nil : members.matcher(isSpan: isSpan)
            members.finish()
            problems.add(members.problems.list)
            return matcher
        }
    }

    private mutating func matcher(isSpan: Bool) -> ForceRule.Matcher? {
        let attribute = limitedText("key", limitBytes: ForceRuleLimits.keyBytes)
        if attribute?.isEmpty ?? !isWrong("key") { error("key", "is required: an attribute, or a field of the span") }
        let comparison = required("op", of: ForceRule.Comparison.self)
        let values = matcherValues(comparison)
        guard let attribute, let comparison, let values, !problems.hasErrors else { return nil }
        let matcher = ForceRule.Matcher(attribute, comparison, values)
        do throws(ReadError) {
            _ = try matcher.terms(inSpan: isSpan)
        } catch let problem {
            error(has("value") ? "value" : has("values") ? "values" : "op", problem.message)
        }
        return matcher
    }

    /// `value` or `values`, as many as the operator takes.
    private mutating func matcherValues(_ comparison: ForceRule.Comparison?) -> [ForceRule.Value]? {
        let (one, many) = (node("value"), node("values"))
        guard let comparison else { return nil }
        guard comparison.takesValue else {
            guard one == nil, many == nil else {
                let opposite = comparison == .exists ? "not_exists" : "exists"
                error(one == nil ? "values" : "value", "\(comparison.rawValue) takes none; its opposite is \(opposite)")
                return nil
            }
            return []
        }
        if one != nil, many != nil {
            error("values", "beside value: give one of them")
            return nil
        }
        guard let given = one ?? many else {
            error("value", "\(comparison.rawValue) needs a value")
            return nil
        }
        let name = one == nil ? "values" : "value"
        guard case .list(let nodes) = given.value else {
            guard name == "value" else {
                error(name, "expected a list, found \(given.words)")
                return nil
            }
            return value(given, name).map { [$0] }
        }
        guard comparison == .isIn else {
            error(name, "\(comparison.rawValue) takes one value; the operator in takes a list")
            return nil
        }
        if nodes.isEmpty { error(name, "an empty list finds nothing") }
        if nodes.count > ForceRuleLimits.valuesOfMatcher {
            error(name, "\(nodes.count) values; at most \(ForceRuleLimits.valuesOfMatcher) are taken")
            return nil
        }
        return nodes.enumerated().compactMap { value($0.element, "\(name)[\($0.offset)]") }
    }

    private mutating func value(_ node: Node, _ name: String) -> ForceRule.Value? {
        guard case .scalar(let scalar) = node.value, !node.isNull else {
            problems.error(
                at: node.place, key: key(name), "expected a text, a number, true or false, found \(node.words)")
            return nil
        }
        if scalar.isQuoted {
            if scalar.text.utf8.count > ForceRuleLimits.valueBytes {
                problems.error(at: node.place, key: key(name), "is longer than \(ForceRuleLimits.valueBytes) bytes")
            }
            return .text(scalar.text)
        }
        if scalar.text == "true" || scalar.text == "false" { return .flag(scalar.text == "true") }
        if let whole = Int64(scalar.text) { return .integer(whole) }
        guard let number = Double(scalar.text), number.isFinite else {
            problems.error(at: node.place, key: key(name), "\(scalar.text.prefix(60)) is no number of 64 bits")
            return nil
        }
        return .real(number)
    }
}

extension ForceRule {
    /// Whether a text can be an id.
    public static func isIdentifier(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
