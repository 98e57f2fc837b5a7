internal import Configuration
internal import Sampling

/// The configuration of the OpenTelemetry Collector's tail sampling processor, as it is pasted: every key of its
/// version 0.156 acts, or is refused with the reason.
///
///     key                                    here
///     decision_wait (30s)                    the longest duration of a trace, and both waits
///     decision_wait_after_root_received      the wait once the root was seen, from the last span instead of the root
///     num_traces                             app.max_buffer_traces
///     decision_cache                         app.max_decisions, when both sizes are given
///     sample_on_first_match                  the same
///     expected_new_traces_per_sec            no effect
///
/// Source: opentelemetry-collector-contrib, processor/tailsamplingprocessor, README.md and config.go.
struct CollectorBlock {
    /// A value with the place it was written at.
    struct Given<Value: Sendable>: Sendable {
        var value: Value
        var place: Place
        var key: String
    }

    var policies: [PolicyConfiguration] = []
    var stopsAtFirstMatch = false
    var decisionWait: Given<Duration>?
    var decisionWaitAfterRoot: Given<Duration>?
    var maximumTraces: Given<Int>?
    /// Of sampled and not sampled ones together.
    var maximumDecisions: Given<Int>?

    static let defaultDecisionWait: Duration = .seconds(30)

    /// - Parameter path: Of the block, for messages.
    init(reading node: Node, path: String, problems: inout Problems) {
        var fields = Fields(node, path: path, place: node.place)
        defer { problems.add(fields.problems.list) }
        guard !fields.problems.hasErrors else { return }
        readTiming(&fields)
        readLimits(&fields)
        readStrategy(&fields)
        if let list = fields.node("policies") {
            policies = PolicyCatalog.policies(in: list, path: fields.key("policies"), problems: &fields.problems)
        }
        fields.finish()
    }

    private mutating func readTiming(_ fields: inout Fields) {
        decisionWait = Self.duration(&fields, "decision_wait")
        if let wait = decisionWait, wait.value == .zero {
            fields.error("decision_wait", "a wait above 0 is needed")
        }
        decisionWaitAfterRoot = Self.duration(&fields, "decision_wait_after_root_received")
        guard let afterRoot = decisionWaitAfterRoot, afterRoot.value > .zero else {
            decisionWaitAfterRoot = nil
            return
        }
        if afterRoot.value >= decisionWait?.value ?? Self.defaultDecisionWait {
            fields.warning("decision_wait_after_root_received", "has no effect: it is not shorter than decision_wait")
            decisionWaitAfterRoot = nil
        } else {
            fields.warning(
                "decision_wait_after_root_received",
                "counts from the last span of a trace whose root has come; there it counts from the root")
        }
    }

    private mutating func readLimits(_ fields: inout Fields) {
        if let count = fields.integer("num_traces") {
            if (1...1_000_000_000).contains(count) {
                maximumTraces = Given(
                    value: Int(count), place: fields.place(of: "num_traces"), key: fields.key("num_traces"))
            } else {
                fields.error("num_traces", "\(count) is not within 1 and 1000000000")
            }
        }
        if fields.integer("expected_new_traces_per_sec") != nil {
            fields.warning("expected_new_traces_per_sec", "has no effect: the index of traces grows as it must")
        }
        if fields.boolean("block_on_overflow") == true {
            fields.error(
                "block_on_overflow",
                "true is not possible: at num_traces the oldest traces are decided early, so none is lost and no "
                    + "sender waits")
        }
        if let bytes = fields.integer("maximum_trace_size_bytes"), bytes > 0 {
            fields.error(
                "maximum_trace_size_bytes",
                "large traces are kept whole: what does not fit into app.max_buffer_bytes waits on disk")
        }
        if fields.boolean("drop_pending_traces_on_shutdown") == true {
            fields.error(
                "drop_pending_traces_on_shutdown",
                "true is not possible: undecided traces stay in the log and are decided after the restart")
        }
        if fields.node("tail_storage") != nil {
            fields.error("tail_storage", "needs no extension: undecided spans are in the log of app.data_dir")
        }
        readCache(&fields)
    }

    private mutating func readCache(_ fields: inout Fields) {
        var cache = Fields(
            fields.node("decision_cache"), path: fields.key("decision_cache"),
            place: fields.place(of: "decision_cache"))
        let sampled = cache.integer("sampled_cache_size") ?? 0
        let notSampled = cache.integer("non_sampled_cache_size") ?? 0
        cache.finish()
        if sampled > 0, notSampled > 0 {
            let (sum, isOverflowing) = sampled.addingReportingOverflow(notSampled)
            if isOverflowing || sum > 1_000_000_000 {
                cache.error("sampled_cache_size", "both sizes together are more than 1000000000")
            } else {
                maximumDecisions = Given(
                    value: Int(sum), place: fields.place(of: "decision_cache"), key: fields.key("decision_cache"))
            }
        } else if sampled > 0 || notSampled > 0 {
            cache.warning(
                sampled > 0 ? "sampled_cache_size" : "non_sampled_cache_size",
                "has no effect alone: app.max_decisions limits both kinds of decisions together")
        }
        fields.problems.add(cache.problems.list)
    }

    private mutating func readStrategy(_ fields: inout Fields) {
        stopsAtFirstMatch = fields.boolean("sample_on_first_match") ?? false
        guard let strategy = fields.text("sampling_strategy"), strategy != "trace-complete" else { return }
        fields.error(
            "sampling_strategy",
            strategy == "span-ingest"
                ? "span-ingest decides before a trace is complete, and such a decision cannot be taken back; "
                    + "trace-complete is what is built"
                : "unknown strategy \"\(strategy)\"; trace-complete is what is built")
    }

    private static func duration(_ fields: inout Fields, _ name: String) -> Given<Duration>? {
        guard let node = fields.node(name) else { return nil }
        do throws(ReadError) {
            return Given(value: try CollectorDuration.read(node), place: node.place, key: fields.key(name))
        } catch {
            fields.error(name, error.message)
            return nil
        }
    }
}
