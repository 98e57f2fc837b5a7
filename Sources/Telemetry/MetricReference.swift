extension Metrics {
    /// The text of Documentation/Metrics.md; a test holds the file against it.
    public var reference: String {
        var text = """
            # Metrics

            Generated from the declarations in `Sources/Telemetry/Metrics.swift`; do not edit.
            The page is `/metrics` on ports 9090 and 8080, in Prometheus' text format 0.0.4 or OpenMetrics 1.0,
            whichever the reader's `Accept` prefers. Series whose labels have known values are there at zero from
            the start.

            Within one process life, for traces and for spans: ingested = sampled + dropped + lost + buffered now.

            | metric | type | labels | meaning |
            |---|---|---|---|

            """
        for declaration in declarations {
            let labels = declaration.labels.map { label in
                guard let values = label.values else { return label.name }
                return "\(label.name) = \(values.joined(separator: ", "))"
            }
            text += "| `\(declaration.name)` | \(declaration.kind.rawValue) "
            text += "| \(labels.joined(separator: "; ")) | \(declaration.help) |\n"
        }
        return text
    }
}
