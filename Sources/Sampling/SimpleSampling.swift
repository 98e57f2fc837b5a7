public import Configuration
internal import TraceModel

/// The simple keys of the `sampling` section: shorthands for policies, each named after its key.
///
/// They are alternatives; their order says only who is credited when several keep a trace: errors,
/// latency, cardinality, the written policies, the base rate.
public struct SimpleSampling: Sendable {
    /// Keeps traces with an error.
    public var alwaysSampleErrors = true
    /// Share of traces with an error that is kept; counts only when `alwaysSampleErrors` is off. nil: not given.
    public var errorSampleRate: Double?
    /// Keeps slow traces.
    public var sampleLatency = true
    public var latencyThresholdMilliseconds: Int64 = 5000
    /// Share of the slow traces that is kept.
    public var latencySampleRate = 1.0
    /// Keeps traces of unusually many spans.
    public var sampleCardinality = false
    /// A trace of more spans is unusual.
    public var maximumSpanCount: Int64 = 500
    /// Share of all traces that is kept.
    public var baseSampleRate = 0.0

    public init() {}

    /// The effective policies, with the written ones in their place.
    public func policies(
        written: [PolicyConfiguration] = [], place: (String) -> Place = { _ in .builtIn }
    ) -> [PolicyConfiguration] {
        var policies: [PolicyConfiguration] = []
        if alwaysSampleErrors {
            policies.append(
                PolicyConfiguration(
                    name: "always_sample_errors", kind: StatusCode([.error]), reason: .error,
                    place: place("always_sample_errors")))
        } else if let rate = errorSampleRate {
            policies.append(
                PolicyConfiguration(
                    name: "error_sample_rate", kind: limited(StatusCode([.error]), rate), reason: .error,
                    place: place("error_sample_rate")))
        }
        if sampleLatency {
            let slow = Latency(thresholdMilliseconds: latencyThresholdMilliseconds)
            policies.append(
                PolicyConfiguration(
                    name: "sample_latency", kind: limited(slow, latencySampleRate), reason: .latency,
                    place: place("sample_latency")))
        }
        if sampleCardinality {
            policies.append(
                PolicyConfiguration(
                    name: "sample_cardinality", kind: SpanCount(minimum: maximumSpanCount + 1),
                    reason: .cardinality, place: place("sample_cardinality")))
        }
        policies += written
        policies.append(
            PolicyConfiguration(
                name: "base_sample_rate", kind: Rate(baseSampleRate, label: "base rate"),
                reason: .probabilistic, place: place("base_sample_rate")))
        return policies
    }

    private func limited(_ kind: any BasicPolicyKind, _ rate: Double) -> any PolicyKind {
        rate == 1 ? kind : And([kind, Rate(rate)])
    }
}
