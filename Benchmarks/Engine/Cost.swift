import CBenchmark

/// What a stretch of work cost its thread.
struct Cost {
    var cpuNanoseconds: UInt64 = 0
    var wallNanoseconds: UInt64 = 0
    /// Blocks asked of the C library.
    var allocations: UInt64 = 0

    /// Adds what passed since a stamp.
    mutating func add(since stamp: Stamp) {
        let now = Stamp()
        cpuNanoseconds += now.cpu - stamp.cpu
        wallNanoseconds += now.wall - stamp.wall
        allocations += now.allocations - stamp.allocations
    }

    static func + (one: Cost, other: Cost) -> Cost {
        Cost(
            cpuNanoseconds: one.cpuNanoseconds + other.cpuNanoseconds,
            wallNanoseconds: one.wallNanoseconds + other.wallNanoseconds,
            allocations: one.allocations + other.allocations)
    }
}

/// The counters at one moment. Taking one costs some 0.3 µs: not for single spans.
struct Stamp {
    let cpu = tss_benchmark_cpu_nanoseconds()
    let wall = tss_benchmark_wall_nanoseconds()
    let allocations = tss_benchmark_allocations()
}

/// A benchmark's repetitions: how much was done in each, and its cost.
struct Runs {
    private(set) var runs: [(cost: Cost, units: Int)] = []

    mutating func add(_ cost: Cost, units: Int) { runs.append((cost, units)) }

    /// The run with the least processor time for a unit: what the machine's other work took least from.
    var best: (cost: Cost, units: Int) {
        runs.min { one, other in
            Double(one.cost.cpuNanoseconds) / Double(max(1, one.units))
                < Double(other.cost.cpuNanoseconds) / Double(max(1, other.units))
        } ?? (Cost(), 0)
    }

    /// The row of the report: nanoseconds and allocations of a unit.
    func row(_ name: String, per unit: String) -> Row {
        let (cost, units) = best
        let count = Double(max(1, units))
        return Row(
            name,
            [
                "per": .text(unit), "units": .number(Double(units)), "runs": .number(Double(runs.count)),
                "cpu_ns": .number(Double(cost.cpuNanoseconds) / count),
                "wall_ns": .number(Double(cost.wallNanoseconds) / count),
                "allocations": .number(Double(cost.allocations) / count),
            ])
    }
}

/// One line of the output: a JSON object on standard output, which `scripts/bench` reads.
struct Row {
    enum Value {
        case number(Double)
        case text(String)
        case flag(Bool)
    }

    var name: String
    var values: [String: Value]

    init(_ name: String, _ values: [String: Value]) {
        self.name = name
        self.values = values
    }

    func with(_ key: String, _ value: Value) -> Row {
        var row = self
        row.values[key] = value
        return row
    }

    /// Keys and texts are words of this program: nothing in them needs escaping.
    var json: String {
        let members = values.sorted { $0.key < $1.key }.map { key, value in
            switch value {
            case .number(let number): "\"\(key)\": \(number)"
            case .text(let text): "\"\(key)\": \"\(text)\""
            case .flag(let flag): "\"\(key)\": \(flag)"
            }
        }
        return "{\"row\": \"\(name)\", \(members.joined(separator: ", "))}"
    }

    func print() { Swift.print(json) }
}
