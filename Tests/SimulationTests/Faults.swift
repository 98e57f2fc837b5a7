import TraceGenerator

/// What goes wrong in a run, each by its kind and the how-manieth of it; a shorter scenario leaves some out.
struct FaultSchedule {
    enum Kind: String, CaseIterable {
        case kill
        case powerCut
        case freeze
        /// A kill in the middle of recovery.
        case killInRecovery
        case noAnswer
        case refusedWrite
        case conflict
        case conflictStorm
        case unavailable
        case lateRequest
        case doubledRequest
        case lostAnswer
        case append
        case compaction
        case expiry
        case rollback
        case orphanRemoval
        case recreation
        case lostReply
        case wallJump
        case longSleep
        case segmentDiskFull
        case segmentUnreadable
        case rottenLog
    }

    /// One that happened.
    struct Occurrence: Hashable, CustomStringConvertible {
        var kind: Kind
        var number: Int
        var step: Int

        var key: String { "\(kind.rawValue) \(number)" }
        var description: String { "step \(step): \(kind.rawValue)" }
    }

    /// Kinds that do not happen.
    var without: Set<Kind> = []
    /// Occurrences that do not happen, by their keys.
    var left: Set<String> = []
    private(set) var happened: [Occurrence] = []
    private var counts: [Kind: Int] = [:]

    init() {}

    /// Whether a fault whose turn it is happens.
    mutating func happens(_ kind: Kind, step: Int) -> Bool {
        if without.contains(kind) { return false }
        counts[kind, default: 0] += 1
        let occurrence = Occurrence(kind: kind, number: counts[kind]!, step: step)
        if left.contains(occurrence.key) { return false }
        happened.append(occurrence)
        return true
    }
}

/// Looks for the shortest scenario that breaks the same invariant.
struct Shrinker {
    /// Runs at most; the shortest so far is the answer then.
    static let runLimit = 150

    private(set) var options: SimulationOptions
    private(set) var simulation: Simulation
    private let invariant: Invariant
    private var runs = 0

    /// - Parameter failed: A run that broke an invariant.
    init(_ failed: Simulation) {
        options = failed.options
        simulation = failed
        invariant = failed.violations[0].invariant
    }

    /// Whether the run with these options breaks the invariant too; then it is the shortest so far.
    private mutating func tries(_ change: (inout SimulationOptions) -> Void) -> Bool {
        guard runs < Self.runLimit else { return false }
        runs += 1
        var options = options
        change(&options)
        guard let simulation = try? Simulation(options) else { return false }
        simulation.run()
        guard simulation.violations.contains(where: { $0.invariant == invariant }) else { return false }
        self.options = options
        self.simulation = simulation
        return true
    }

    /// Fewer traces, then no kind of fault that is not needed, then no single one of them.
    mutating func shrink() {
        for count in [3, 6, 12, 24] where count < options.traceCount {
            if tries({ $0.traceCount = count }) { break }
        }
        if options.instanceCount > 1 { _ = tries { $0.instanceCount = 1 } }
        if options.changesRules { _ = tries { $0.changesRules = false } }
        if options.spills { _ = tries { $0.spills = false } }
        for kind in FaultSchedule.Kind.allCases where simulation.schedule.happened.contains(where: { $0.kind == kind })
        {
            _ = tries { $0.schedule.without.insert(kind) }
        }
        var share = 2
        while share <= 2 * max(1, simulation.schedule.happened.count), runs < Self.runLimit {
            let happened = simulation.schedule.happened
            let size = max(1, happened.count / share)
            var isShorter = false
            for start in stride(from: 0, to: happened.count, by: size) {
                let part = happened[start..<min(start + size, happened.count)].map(\.key)
                if tries({ $0.schedule.left.formUnion(part) }) {
                    isShorter = true
                    break
                }
            }
            if !isShorter { share *= 2 }
        }
    }

    /// The scenario, for the one who looks into it.
    var story: String {
        let faults = simulation.schedule.happened.map(\.description).joined(separator: "\n  ")
        let violation = simulation.violations.first { $0.invariant == invariant }
        return """
            \(options.traceCount) traces, \(options.instanceCount) instance(s), \
            buffer of \(options.bufferTraces) traces, \
            spilling \(options.spills), rules \(options.changesRules), limiter \(options.hasLimiter)
            faults:
              \(faults)
            breaks \(violation.map { "\($0)" } ?? "-")
            the last steps:
            \(simulation.trace.suffix(60).joined(separator: "\n"))
            """
    }
}
