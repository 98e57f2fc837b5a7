internal import Configuration

/// Durations as the Collector writes them: `30s`, `1m30s`, `1.5h`.
///
/// Source: Go's package time, `ParseDuration`.
enum CollectorDuration {
    private static let units: [(name: String, seconds: Double)] = [
        ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
    ]

    /// A duration of whole milliseconds, rounded up, so that none but 0 becomes 0.
    static func read(_ node: Node) throws(ReadError) -> Duration {
        let text = try node.text()
        var rest = Substring(text)
        if rest == "0" { return .zero }
        var seconds = 0.0
        repeat {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let number = Double(digits) else {
                throw ReadError("expected a duration such as 30s, found \(node.words)")
            }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !$0.isNumber && $0 != "." }
            guard let unit = units.first(where: { $0.name == name }) else {
                let hint = name.isEmpty ? "; did you mean \(text)s?" : "; the units are ns, us, ms, s, m, h"
                throw ReadError("expected a duration such as 30s, found \(node.words)\(hint)")
            }
            rest = rest.dropFirst(name.count)
            seconds += number * unit.seconds
        } while !rest.isEmpty
        guard seconds <= limitSeconds else {
            throw ReadError("\(text) is longer than \(Int(limitSeconds)) seconds")
        }
        return .milliseconds(Int64((seconds * 1000).rounded(.up)))
    }

    /// As for the waits of section `app`: a week.
    static let limitSeconds = 604_800.0
}
