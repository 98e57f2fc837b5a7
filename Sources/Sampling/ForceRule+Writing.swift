public import JSON

extension ForceRule {
    /// What people wrote, for a store: `read` makes the same rule of it.
    public var definition: JSONValue {
        var object = written
        object["created_by"] = createdBy.map { .string($0) }
        return .object(object)
    }

    /// The rule with its life, for people.
    ///
    /// - Parameters:
    ///   - now: Wall clock, milliseconds since 1970.
    ///   - timestamp: RFC 3339 of milliseconds since 1970.
    public func json(at now: Int64, timestamp: (Int64) -> String) -> JSONValue {
        var object = written
        object["created_at"] = .string(timestamp(createdMilliseconds))
        object["created_by"] = createdBy.map { .string($0) } ?? .null
        object["expires_at"] = .string(timestamp(expiresMilliseconds))
        object["remaining_secs"] = .integer(remainingSeconds(at: now))
        object["traces_matched"] = .integer(tracesMatched)
        object["last_matched_at"] = lastMatchedMilliseconds.map { .string(timestamp($0)) } ?? .null
        return .object(object)
    }

    private var written: JSONObject {
        [
            "id": .string(id), "description": .string(description), "duration_secs": .integer(durationSeconds),
            "priority": .integer(priority),
            "match": [
                "resource": .array(resource.map(\.json)), "span": .array(span.map(\.json)),
            ],
            "action": .string(action.rawValue), "match_all": .bool(matchesAll), "enabled": .bool(isEnabled),
        ]
    }

    /// A rule out of a store.
    ///
    /// - Throws: What no version of ours has written.
    public static func read(
        definition bytes: [UInt8], createdMilliseconds: Int64, expiresMilliseconds: Int64
    ) throws(ForceRuleReadError) -> ForceRule {
        var limits = ForceRuleLimits()
        // A rule that was extended lives longer than one may at its creation.
        limits.durationSeconds = .max / 2000
        var rule = try read(bytes, madeID: "", now: createdMilliseconds, limits: limits)
        guard isIdentifier(rule.id) else { throw .refused(ForceRuleError(["a stored rule needs its id"])) }
        rule.expiresMilliseconds = expiresMilliseconds
        return rule
    }
}

extension ForceRule.Matcher {
    var json: JSONValue {
        var object: JSONObject = ["key": .string(key), "op": .string(comparison.rawValue)]
        if comparison == .isIn {
            object["values"] = .array(values.map(\.json))
        } else if let value = values.first {
            object["value"] = value.json
        }
        return .object(object)
    }
}

extension ForceRule.Value {
    var json: JSONValue {
        switch self {
        case .text(let text): .string(text)
        case .integer(let number): .integer(number)
        case .real(let number): .double(number)
        case .flag(let flag): .bool(flag)
        }
    }
}
