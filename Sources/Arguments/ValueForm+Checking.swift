internal import Configuration

extension ValueForm {
    /// What is wrong with a value; nil when nothing is.
    func complaint(about text: String) -> String? {
        switch self {
        case .flag: return "takes no value"
        case .text: return nil
        case .file, .folder: return text.isEmpty ? "expected a path" : nil
        case .integer(let range):
            guard let number = Int(text) else { return "\"\(text)\" is no whole number" }
            return range.contains(number)
                ? nil : "\(number) is not within \(range.lowerBound) and \(range.upperBound)"
        case .number(let range):
            guard let number = ScalarText.number(text) else { return "\"\(text)\" is no number" }
            let bounds = "\(NumberText.of(range.lowerBound)) and \(NumberText.of(range.upperBound))"
            return range.contains(number) ? nil : "\(text) is not within \(bounds)"
        case .duration:
            return Self.duration(text) == nil ? "\"\(text)\" is no duration such as 250ms, 10s, 5m, 1h" : nil
        case .choice(let words):
            if words.contains(text) { return nil }
            return "\"\(text)\" is none of \(words.joined(separator: ", "))"
                + NearestName.hint(text, among: words)
        }
    }

    /// How the value is called in a usage line.
    var placeholder: String {
        switch self {
        case .flag: ""
        case .text: "TEXT"
        case .integer, .number: "N"
        case .duration: "DURATION"
        case .choice(let words): words.joined(separator: "|")
        case .file: "FILE"
        case .folder: "FOLDER"
        }
    }

    /// Longest duration that is taken, in seconds: a century.
    static let longestSeconds = 3_155_760_000.0

    static func duration(_ text: String) -> Duration? {
        // Milliseconds first: "s" and "m" end "ms" too.
        let units: [(suffix: String, seconds: Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            let amount = String(text.dropLast(unit.suffix.count))
            guard let number = ScalarText.number(amount), number >= 0 else { return nil }
            let seconds = number * unit.seconds
            return seconds <= longestSeconds ? .milliseconds(Int64((seconds * 1000).rounded())) : nil
        }
        return nil
    }
}
