/// The page that Prometheus reads, in either of its formats.
public enum MetricPage: Sendable, CaseIterable {
    /// Prometheus text format 0.0.4.
    case text
    /// OpenMetrics 1.0: a counter's family has no `_total`, and the page ends with `# EOF`.
    case openMetrics

    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What the reader likes best of an `Accept` header; the text format when it does not say.
    public init(accept: String?) {
        var (openMetrics, text) = (0.0, 0.0)
        for range in (accept ?? "").lowercased().split(separator: ",") {
            let fields = range.split(separator: ";").map { $0.filter { $0 != " " } }
            guard let kind = fields.first else { continue }
            let quality = fields.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            let version = fields.dropFirst().first { $0.hasPrefix("version=") }?.dropFirst(8)
            switch kind {
            case "application/openmetrics-text" where version == nil || version == "1.0.0":
                openMetrics = max(openMetrics, quality)
            case "text/plain", "text/*", "*/*":
                text = max(text, quality)
            default: break
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .text
    }

    func render(_ families: [MetricFamily]) -> String {
        var page = ""
        for family in families {
            let declaration = family.declaration
            let name = familyName(declaration)
            page += "# HELP \(name) \(Self.escaped(declaration.help, quotes: self == .openMetrics))\n"
            page += "# TYPE \(name) \(declaration.kind.rawValue)\n"
            for sample in family.samples() {
                page += declaration.name
                page += sample.suffix
                Self.write(sample.labels, into: &page)
                page += " "
                Self.write(sample.value, into: &page)
                page += "\n"
            }
        }
        if self == .openMetrics { page += "# EOF\n" }
        return page
    }

    private func familyName(_ declaration: MetricDeclaration) -> String {
        guard self == .openMetrics, declaration.kind == .counter else { return declaration.name }
        return String(declaration.name.dropLast("_total".count))
    }

    private static func write(_ labels: [(name: String, value: String)], into page: inout String) {
        guard !labels.isEmpty else { return }
        page += "{"
        for (index, label) in labels.enumerated() {
            if index > 0 { page += "," }
            page += "\(label.name)=\"\(escaped(label.value, quotes: true))\""
        }
        page += "}"
    }

    private static func write(_ number: MetricNumber, into page: inout String) {
        switch number {
        case .integer(let integer): page += "\(integer)"
        case .real(let real): page += "\(real)"
        }
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
