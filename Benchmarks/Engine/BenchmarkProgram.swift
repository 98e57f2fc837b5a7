import CBenchmark
import Glibc
import OTLPWire
import TraceModel

/// Measures the engine; `scripts/bench` calls it once for each benchmark and makes a table of what it prints.
///
///     benchmarks scan                       floors, and the scan with three programs
///     benchmarks buffer  [--live N]         ingest, decide, gather; memory of a trace
///     benchmarks path    [--live N] [--shards N] [--short 1] [--dropping 1]     whole shards, verdicts checked
///     benchmarks turns   [--live N] [--minutes N]     how long one turn takes
///     benchmarks regex                      the scan with eight regular expressions
///     benchmarks rematch [--live N]         all of a spilled buffer matched anew
///     benchmarks requests --traces N --file PATH      the workload, for another program
///     benchmarks gates                      the rows whose instructions and allocations CI holds
///
/// Each prints one JSON object a line.
enum BenchmarkProgram {
    static func main(_ arguments: [String]) {
        do {
            let options = try Options(arguments)
            switch options.name {
            case "scan": try scan(options)
            case "buffer": try buffer(options)
            case "path": try path(options)
            case "turns": try turns(options)
            case "regex": try regex(options)
            case "rematch": try rematch(options)
            case "gates": try gates()
            case "requests": try requests(options)
            default: throw Usage(message: "no benchmark \(options.name)")
            }
        } catch {
            let line = Array("benchmarks: \(error)\n".utf8)
            _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            exit(1)
        }
    }

    struct Usage: Error, CustomStringConvertible {
        var message: String
        var description: String { message }
    }

    struct Options {
        var name = ""
        var liveTraces = 1_000_000
        var shardCount = 1
        var minutes = 0.0
        var repetitions = 5
        /// With many shards each gets a pass in turn: short ones, so that all of them have work all the time.
        var hasShortPasses = false
        var keepsNothing = false
        var traceCount = 10_000
        var file = ""

        init(_ arguments: [String]) throws {
            guard arguments.count > 1 else { throw Usage(message: "which benchmark?") }
            name = arguments[1]
            var index = 2
            while index + 1 < arguments.count {
                defer { index += 2 }
                if arguments[index] == "--file" {
                    file = arguments[index + 1]
                    continue
                }
                guard let value = Double(arguments[index + 1]), value > 0 else {
                    throw Usage(message: "\(arguments[index]) takes a number")
                }
                switch arguments[index] {
                case "--live": liveTraces = Int(value)
                case "--shards": shardCount = Int(value)
                case "--minutes": minutes = value
                case "--runs": repetitions = Int(value)
                case "--short": hasShortPasses = true
                case "--dropping": keepsNothing = true
                case "--traces": traceCount = Int(value)
                default: throw Usage(message: "unknown flag \(arguments[index])")
                }
            }
            guard index == arguments.count else { throw Usage(message: "\(arguments[index]) takes a number") }
        }
    }

    /// Traces of the workload in memory: 20 s of it, 91 MB.
    static let storeTraces = 20_000
    private static let shortStoreTraces = 2_000
    private static let spansPerRun = 2_000_000

    /// Spans until as many traces leave as come: what stays, and the passes that begin before all overlap.
    static func warmUpSpans(_ store: borrowing MessageStore, _ liveTraces: Int) -> Int {
        liveTraces * 8 + store.spanCount * max(1, liveTraces / 30_700) * 2
    }

    // MARK: Benchmarks

    private static func scan(_ options: Options) throws {
        var benchmark = ScanBenchmark(try MessageStore(traceCount: storeTraces))
        benchmark.floors(repetitions: options.repetitions)
        try benchmark.scan("scan", .empty, repetitions: options.repetitions)
        try benchmark.scan("scan_one", Policies.oneMatch(), repetitions: options.repetitions)
        try benchmark.scan("scan_twenty", Policies.twentyMatches(), repetitions: options.repetitions)
    }

    /// The first repetition builds the automata, and is never the best.
    private static func regex(_ options: Options) throws {
        var benchmark = ScanBenchmark(try MessageStore(traceCount: storeTraces))
        try benchmark.scan("regex_8", Policies.eightPatterns(), repetitions: max(2, options.repetitions))
    }

    private static func buffer(_ options: Options) throws {
        let store = try MessageStore(traceCount: storeTraces)
        let warmUp = warmUpSpans(store, options.liveTraces)
        let before = residentBytes()
        var benchmark = BufferBenchmark(store, liveTraces: options.liveTraces, sampler: try Policies.five())
        try benchmark.run(spans: warmUp)
        var (ingest, decide, gather) = (Runs(), Runs(), Runs())
        for _ in 0..<options.repetitions {
            try benchmark.run(spans: spansPerRun)
            ingest.add(benchmark.ingesting, units: benchmark.spanCount)
            decide.add(benchmark.deciding, units: benchmark.droppedCount)
            gather.add(benchmark.gathering, units: benchmark.keptCount)
        }
        let live = benchmark.liveCount
        let index = residentBytes() - before - benchmark.payloadBytes
        let isRight = benchmark.wrongCount == 0
        func show(_ row: Row) {
            row.with("live_traces", .number(Double(live))).with("wrong", .number(Double(benchmark.wrongCount)))
                .with("is_right", .flag(isRight)).print()
        }
        let label = liveLabel(options.liveTraces)
        show(ingest.row("ingest_\(label)", per: "span"))
        show(decide.row("decide_\(label)", per: "dropped trace"))
        show(gather.row("gather_\(label)", per: "kept trace"))
        show(Row("memory_\(label)", ["per": .text("live trace"), "bytes": .number(Double(index) / Double(live))]))
    }

    private static func path(_ options: Options) throws {
        let store = try MessageStore(traceCount: options.hasShortPasses ? shortStoreTraces : storeTraces)
        let warmUp = warmUpSpans(store, options.liveTraces)
        let benchmark = ShardBenchmark(
            store, shardCount: options.shardCount, liveTraces: options.liveTraces,
            sampler: try options.keepsNothing ? Policies.none() : Policies.five(), keepsNothing: options.keepsNothing)
        benchmark.run(spans: warmUp)
        var runs = Runs()
        var (rows, spans) = (0, 0)
        for _ in 0..<options.repetitions {
            benchmark.run(spans: spansPerRun)
            runs.add(benchmark.cost, units: benchmark.spanCount)
            rows += benchmark.keptRows
            spans += benchmark.spanCount
        }
        let kind = (options.hasShortPasses ? "_short" : "") + (options.keepsNothing ? "_dropping" : "")
        runs.row("path_\(liveLabel(options.liveTraces))_\(options.shardCount)\(kind)", per: "span")
            .with("live_traces", .number(Double(benchmark.liveCount)))
            .with("kept_share", .number(Double(rows) / Double(spans)))
            .with("wrong", .number(Double(benchmark.wrongCount)))
            .with("is_right", .flag(benchmark.wrongCount == 0)).print()
    }

    private static func turns(_ options: Options) throws {
        let store = try MessageStore(traceCount: storeTraces)
        let warmUp = warmUpSpans(store, options.liveTraces)
        let benchmark = ShardBenchmark(
            store, shardCount: options.shardCount, liveTraces: options.liveTraces, sampler: try Policies.five())
        benchmark.run(spans: warmUp)
        var turns = Histogram()
        let end = tss_benchmark_wall_nanoseconds() + UInt64(options.minutes * 60e9)
        repeat {
            benchmark.run(spans: spansPerRun * 5)
            turns.add(benchmark.turns)
        } while tss_benchmark_wall_nanoseconds() < end
        Row(
            "turn_\(liveLabel(options.liveTraces))",
            [
                "per": .text("turn"), "units": .number(Double(turns.count)),
                "p50_ns": .number(Double(turns.quantile(0.5))), "p99_ns": .number(Double(turns.quantile(0.99))),
                "p9999_ns": .number(Double(turns.quantile(0.9999))), "highest_ns": .number(Double(turns.highest)),
                "live_traces": .number(Double(benchmark.liveCount)),
                "wrong": .number(Double(benchmark.wrongCount)), "is_right": .flag(benchmark.wrongCount == 0),
            ]
        ).print()
    }

    static func liveLabel(_ count: Int) -> String {
        if count >= 1_000_000, count % 1_000_000 == 0 { return "\(count / 1_000_000)m" }
        return count % 1000 == 0 ? "\(count / 1000)k" : "\(count)"
    }

    private static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
