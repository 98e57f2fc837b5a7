/// What a metric is, said once; the page and Documentation/Metrics.md come from it.
public struct MetricDeclaration: Sendable, Hashable {
    public enum Kind: String, Sendable { case counter, gauge, histogram }

    public struct Label: Sendable, Hashable {
        public var name: String
        /// Nil: they come with the configuration.
        public var values: [String]?
    }

    /// As on the page of the text format, prefix and `_total` included.
    public var name: String
    public var kind: Kind
    public var help: String
    public var labels: [Label]
}

/// One number of a metric.
struct MetricSample: Sendable {
    /// What follows the metric's name: `_bucket`, `_sum`, `_count` or nothing.
    var suffix = ""
    var labels: [(name: String, value: String)] = []
    var value: MetricNumber
}

enum MetricNumber: Sendable {
    case integer(Int)
    case real(Double)
}

/// A declaration and where its numbers are.
struct MetricFamily: Sendable {
    var declaration: MetricDeclaration
    var samples: @Sendable () -> [MetricSample]
}

/// Collects families in the order they are declared.
struct MetricDeclarations {
    static let prefix = "tail_sampling_"

    private(set) var families: [MetricFamily] = []

    mutating func counter(_ name: String, _ help: String) -> Counter {
        let counter = Counter()
        add(name, .counter, help) { [MetricSample(value: .integer(counter.value))] }
        return counter
    }

    mutating func counters<Label: MetricLabel>(
        _ name: String, by label: String, _ help: String
    ) -> Labelled<Label, Counter> {
        let counters = Labelled<Label, Counter> { Counter() }
        add(name, .counter, help, [(label, Self.values(Label.self))]) {
            Label.allCases.map { value in
                MetricSample(labels: [(label, value.rawValue)], value: .integer(counters[value].value))
            }
        }
        return counters
    }

    mutating func counters<First: MetricLabel, Second: MetricLabel>(
        _ name: String, by first: String, and second: String, _ help: String
    ) -> LabelledTwice<First, Second, Counter> {
        let counters = LabelledTwice<First, Second, Counter> { Counter() }
        add(name, .counter, help, [(first, Self.values(First.self)), (second, Self.values(Second.self))]) {
            First.allCases.flatMap { one in
                Second.allCases.map { other in
                    MetricSample(
                        labels: [(first, one.rawValue), (second, other.rawValue)],
                        value: .integer(counters[one, other].value))
                }
            }
        }
        return counters
    }

    mutating func namedCounters<Second: MetricLabel>(
        _ name: String, by first: String, and second: String, _ help: String
    ) -> NamedCounters<Second> {
        let counters = NamedCounters<Second>()
        add(name, .counter, help, [(first, nil), (second, Self.values(Second.self))]) {
            counters.all.map { entry in
                MetricSample(
                    labels: [(first, entry.name), (second, entry.second.rawValue)],
                    value: .integer(entry.counter.value))
            }
        }
        return counters
    }

    mutating func countersByName(_ name: String, by label: String, _ help: String) -> CountersByName {
        let counters = CountersByName()
        add(name, .counter, help, [(label, nil)]) {
            counters.all.map { MetricSample(labels: [(label, $0.name)], value: .integer($0.counter.value)) }
        }
        return counters
    }

    mutating func gauge(_ name: String, _ help: String) -> Gauge {
        let gauge = Gauge()
        add(name, .gauge, help) { [MetricSample(value: .integer(gauge.value))] }
        return gauge
    }

    mutating func gauges<Label: MetricLabel>(
        _ name: String, by label: String, _ help: String
    ) -> Labelled<Label, Gauge> {
        let gauges = Labelled<Label, Gauge> { Gauge() }
        add(name, .gauge, help, [(label, Self.values(Label.self))]) {
            Label.allCases.map { value in
                MetricSample(labels: [(label, value.rawValue)], value: .integer(gauges[value].value))
            }
        }
        return gauges
    }

    /// A counter whose number somebody else keeps.
    mutating func reading(_ name: String, _ help: String, _ read: @escaping @Sendable () -> Int) {
        add(name, .counter, help) { [MetricSample(value: .integer(read()))] }
    }

    /// A labelled counter whose numbers somebody else keeps.
    mutating func reading<Label: MetricLabel>(
        _ name: String, by label: String, _: Label.Type, _ help: String, _ read: @escaping @Sendable (Label) -> Int
    ) {
        add(name, .counter, help, [(label, Self.values(Label.self))]) {
            Label.allCases.map { value in
                MetricSample(labels: [(label, value.rawValue)], value: .integer(read(value)))
            }
        }
    }

    /// A gauge that is 1 and says something in its labels.
    mutating func information(_ name: String, _ labels: [(name: String, value: String)], _ help: String) {
        add(name, .gauge, help, labels.map { ($0.name, nil) }) {
            [MetricSample(labels: labels, value: .integer(1))]
        }
    }

    mutating func histogram(_ name: String, bounds: [Double], _ help: String) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        add(name, .histogram, help) { Self.samples(of: histogram) }
        return histogram
    }

    /// A family whose name takes no prefix and whose numbers are read when asked.
    mutating func process(
        _ name: String, _ kind: MetricDeclaration.Kind, _ help: String,
        _ read: @escaping @Sendable () -> MetricNumber?
    ) {
        let declaration = MetricDeclaration(name: name, kind: kind, help: help, labels: [])
        families.append(MetricFamily(declaration: declaration) { read().map { [MetricSample(value: $0)] } ?? [] })
    }

    mutating func add(
        _ name: String, _ kind: MetricDeclaration.Kind, _ help: String,
        _ labels: [(String, [String]?)] = [], _ samples: @escaping @Sendable () -> [MetricSample]
    ) {
        let declaration = MetricDeclaration(
            name: Self.prefix + name, kind: kind, help: help,
            labels: labels.map { MetricDeclaration.Label(name: $0.0, values: $0.1) })
        families.append(MetricFamily(declaration: declaration, samples: samples))
    }

    private static func values<Label: MetricLabel>(_: Label.Type) -> [String] { Label.allCases.map(\.rawValue) }

    private static func samples(of histogram: Histogram) -> [MetricSample] {
        let cumulative = histogram.cumulative
        let bounds = histogram.bounds.map { "\($0)" } + ["+Inf"]
        return zip(bounds, cumulative).map { bound, count in
            MetricSample(suffix: "_bucket", labels: [("le", bound)], value: .integer(count))
        } + [
            MetricSample(suffix: "_sum", value: .real(histogram.sum)),
            MetricSample(suffix: "_count", value: .integer(cumulative.last ?? 0)),
        ]
    }
}
