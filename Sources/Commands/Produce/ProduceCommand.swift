internal import Arguments
internal import Glibc
internal import Settings
internal import Threads
internal import TraceGenerator

/// `tss produce`: sends made-up traces, some of them worth keeping, as an application would.
enum ProduceCommand {
    static let declaration = Command(
        "produce", "Send generated traces, as an instrumented application would",
        details: """
            Every third trace has an error unless --error-rate says otherwise. A seed fixes ids and content; with \
            --start-at every byte. The OTEL_EXPORTER_OTLP_* variables say where the traces go.
            """,
        options: [
            Option("traces", .integer(0...100_000_000), default: "10", "Traces to send"),
            Option("spans", .integer(1...10_000), default: "5", "Spans of each trace"),
            Option("batch", .integer(1...1_000), default: "10", "Requests on their way at once"),
            Option("error-rate", .number(0...100), "Percent of the traces that have an error"),
            Option("slow-rate", .number(0...100), default: "0", "Percent of the traces that are slow"),
            Option("late", .integer(0...1_000), default: "0", "Further spans for each trace, after it was decided"),
            Option(
                "late-after", .duration, default: "35s",
                "How long to wait for the decision before the late spans: longer than the server's root time-out"),
            Option("service", .text, "One service for all traces, instead of nine in turn"),
            Option("quiet", .flag, "Only the last line"),
            Option("long-running", .flag, "Traces that last: their spans come one by one, --span-interval apart"),
            Option("duration-minutes", .integer(1...1_440), default: "30", "How long a long-running trace lasts"),
            Option("span-interval", .integer(1...3_600), default: "30", "Seconds between its spans"),
            Option("seed", .integer(0...Int.max), "Fixes ids and content (default: random, and printed)"),
            Option("start-at", .text, "Time of the first span, RFC 3339 (default: now)"),
            Option("to", .choice(["otlp", "kafka"]), "Where to send (default: otlp, or kafka when brokers are given)"),
            Option(
                "brokers", .text, variables: ["KAFKA_BROKERS", "TSS__KAFKA__BROKERS"],
                "Kafka brokers, host:port,..."),
            Option("topic", .text, "Kafka topic (default: kafka.input_topic)"),
        ])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        let target = arguments.text("to") ?? (arguments.text("brokers") == nil ? "otlp" : "kafka")
        do throws(ProduceFailure) {
            let plan = try ProducePlan(arguments)
            if target == "kafka" {
                try Producer(plan: plan, client: try kafka(arguments)).run()
            } else {
                let client = try OTLPTraceClient(try OTLPTarget(environment: ProcessEnvironment.variables))
                defer { client.stop() }
                try Producer(plan: plan, client: client).run()
            }
            return 0
        } catch {
            Terminal.error("tss produce: \(error.message)")
            return 1
        }
    }
}

extension ProduceCommand {
    /// The brokers of the command line, with what the settings say of credentials and of the topic.
    private static func kafka(_ arguments: ParsedCommand) throws(ProduceFailure) -> KafkaTraceClient {
        var environment = ProcessEnvironment.variables.filter { $0.key.hasPrefix("TSS__KAFKA__") }
        if let brokers = arguments.text("brokers") { environment["TSS__KAFKA__BROKERS"] = brokers }
        if environment["TSS__KAFKA__BROKERS"] == nil { environment["TSS__KAFKA__BROKERS"] = "127.0.0.1:9092" }
        if let topic = arguments.text("topic") { environment["TSS__KAFKA__INPUT_TOPIC"] = topic }
        let kafka: Settings.Kafka
        do throws(SettingsError) {
            kafka = try Settings.load(
                SettingsSources(environment: environment), machine: ProcessEnvironment.machine,
                readFile: CommandSettings.readSecret
            ).settings.kafka
        } catch {
            throw ProduceFailure(message: error.description)
        }
        return try KafkaTraceClient(kafka.clientProperties, topic: kafka.inputTopic)
    }
}

/// Why nothing more is sent.
struct ProduceFailure: Error {
    /// One line: what was tried, where, and what to do.
    var message: String
}

/// What the command line asks for, as values.
struct ProducePlan {
    var traces: DemoTraceOptions
    var batchCount: Int
    var lateSpanCount: Int
    var lateAfter: Duration
    var isQuiet: Bool
    /// Nil unless the traces shall last.
    var longRunning: LongRunning?
    var isSeedGiven: Bool

    struct LongRunning {
        var duration: Duration
        var spanInterval: Duration
    }

    init(_ arguments: ParsedCommand) throws(ProduceFailure) {
        let seed = arguments.integer("seed").map { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
        var start = UInt64(WallClock.nanoseconds)
        if let text = arguments.text("start-at") {
            guard let moment = WrittenTime(rfc3339: text), moment.nanoseconds >= 0 else {
                throw ProduceFailure(message: "--start-at \(text) is no RFC 3339 time such as 2026-01-31T12:00:00Z")
            }
            start = UInt64(moment.nanoseconds)
        }
        traces = DemoTraceOptions(seed: seed, startUnixNano: start)
        traces.traceCount = arguments.integer("traces") ?? 10
        traces.spanCount = arguments.integer("spans") ?? 5
        traces.errorPercent = arguments.number("error-rate")
        traces.slowPercent = arguments.number("slow-rate") ?? 0
        traces.service = arguments.text("service")
        batchCount = arguments.integer("batch") ?? 10
        lateSpanCount = arguments.integer("late") ?? 0
        lateAfter = arguments.duration("late-after") ?? .seconds(35)
        isQuiet = arguments.flag("quiet")
        isSeedGiven = arguments.isGiven("seed")
        if arguments.flag("long-running") {
            longRunning = LongRunning(
                duration: .seconds(60 * (arguments.integer("duration-minutes") ?? 30)),
                spanInterval: .seconds(arguments.integer("span-interval") ?? 30))
        }
    }
}
