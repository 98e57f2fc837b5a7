internal import Configuration

/// What the kinds that look at attributes have in common.
enum AttributeWords {
    static func words(_ key: String, _ wanted: String, isInverted: Bool) -> String {
        "traces in which \(isInverted ? "no" : "a") span has \(key) \(wanted)"
    }

    /// "http.status 500 to 599 no": whether a span has it, also when the policy wants that none has.
    static func explanation(_ key: String, _ wanted: String, isInverted: Bool, isMet: Bool) -> String {
        "\(key) \(wanted) \(isMet != isInverted ? "yes" : "no")"
    }
}

extension Fields {
    /// The attribute's key; without one the policy is refused.
    mutating func requiredKey() -> String {
        let key = text("key") ?? ""
        if key.isEmpty, !problems.hasErrors { error("key", "the key of an attribute is needed") }
        return key
    }
}
