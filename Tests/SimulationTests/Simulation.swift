import Iceberg
import Pipeline
import Sampling
import TraceBuffering
import TraceGenerator
import TraceModel

/// What may go wrong in a run, and how the program is set up.
struct SimulationOptions {
    var seed: UInt64
    var instanceCount = 1
    var traceCount = 60
    /// How long clients send, milliseconds.
    var workMilliseconds: Int64 = 240_000
    var faults: Set<PlantedFault> = []
    /// Of one step: a kill or a power cut of one instance.
    var killProbability = 0.012
    var freezeProbability = 0.006
    var foreignProbability = 0.03
    var rollbacks = false
    var catalogFaultProbability = 0.15
    var diskFaultProbability = 0.01
    var wallJumps = true
    var liesAboutSync = false
    /// Traces that the buffer may hold.
    var bufferTraces = 2_000_000
    /// Payload that the buffer may hold in memory.
    var bufferBytes = 256 << 20
    var spills = false
    /// Force rules are made, changed, and expire.
    var changesRules = false
    /// A policy keeps some traces as long as a limiter lets it.
    var hasLimiter = false
    /// Somebody drops the table and a new one takes its place, once.
    var recreates = false
    /// What of the faults happens.
    var schedule = FaultSchedule()

    init(seed: UInt64) {
        self.seed = seed
        // The seed chooses the shape of the run.
        var random = SeededRandom(seed: seed, stream: 7)
        if random.chance(0.25) { instanceCount = 2 }
        if random.chance(0.25) { bufferTraces = random.int(in: 4...12) }
        spills = random.chance(0.4)
        rollbacks = random.chance(0.15)
        changesRules = random.chance(0.5)
        // With reads on their way decisions are reported in another order than they are made in.
        hasLimiter = !spills && random.chance(0.4)
        recreates = random.chance(0.1)
        if spills, random.chance(0.5) { bufferBytes = 9_000 }
    }
}

/// A seeded run of the whole pipeline on one thread: clock, disks and catalog are ours, everything else ships.
///
/// Work goes on in random order, one small step at a time, with faults between any two; then the faults stop and
/// everything has to drain. Checkers look after every step that changes what they look at.
final class Simulation {
    let options: SimulationOptions
    var random: SeededRandom
    var schedule: FaultSchedule
    let book = RuleBook()
    var table = SimulatedTable()
    var instances: [Instance] = []
    var processes: [SimulatedProcess] = []
    /// Frozen processes whose data folder another one took over.
    var zombies: [SimulatedProcess] = []
    /// Commit requests that are still on their way; their sender has given up on the answer.
    var delayed: [CommitRequest] = []

    /// True time since 1970 and since the start, milliseconds; our wall clock is off by `wallError`.
    var now: Int64 = 1_780_000_000_000
    let start: Int64 = 1_780_000_000_000
    var wallError: Int64 = 0
    var step = 0
    var isResting = false
    /// Steps in which others are busy on the table: right after an answer was lost it hurts most.
    var busySteps = 0
    /// Commits that meet somebody else's in a row.
    var conflictsLeft = 0
    var trace: [String] = []
    var violations: [Violation] = []
    /// Kinds of things that happened, for tests that want to know that they did.
    var happened: [String: Int] = [:]

    // Checkers' memory.
    var positions: [PartitionID: Position] = [:]
    var owners: [PartitionID: Owner] = [:]
    var batches: [String: Int] = [:]
    var rolledBack: Set<RowIdentity> = []
    var liveRows: [SimulatedRow] = []

    let sampler: Sampler
    static let positionMilliseconds: Int64 = 20_000

    init(_ options: SimulationOptions) throws {
        self.options = options
        random = SeededRandom(seed: options.seed)
        schedule = options.schedule
        var policies = [
            PolicyConfiguration(name: "health", kind: Drop([StringAttribute(key: "health", values: ["yes"])])),
            PolicyConfiguration(name: "errors", kind: StatusCode([.error]), reason: .error),
        ]
        if options.hasLimiter {
            let rate = TokenRate(perSecond: Int64(KnownBucket.perSecond), burst: Int64(KnownBucket.burst))
            policies.append(
                PolicyConfiguration(
                    name: "limited",
                    kind: And([StringAttribute(key: "limited", values: ["yes"]), RateLimiting(rate)])))
        }
        sampler = try Sampler(policies: policies)
        for number in 0..<options.instanceCount {
            let disk = SimulatedDisk(seed: options.seed &+ UInt64(number) &* 1000)
            disk.liesAboutSync = options.liesAboutSync
            instances.append(
                Instance(
                    number: number, disk: disk,
                    workload: Workload(
                        seed: options.seed &+ UInt64(number) &* 77, traceCount: options.traceCount,
                        milliseconds: options.workMilliseconds, hasLimits: options.hasLimiter)))
        }
    }

    var moment: Moment {
        Moment(wallMilliseconds: now + wallError, monotonicMilliseconds: now - start)
    }

    func note(_ text: @autoclosure () -> String) {
        trace.append("\(step) +\((now - start) / 100 / 10)s \(text())")
        if trace.count > 4000 { trace.removeFirst(2000) }
    }

    /// Whether a fault happens now; none does at rest.
    func fault(_ kind: FaultSchedule.Kind, _ probability: Double) -> Bool {
        guard random.chance(probability), !isResting else { return false }
        return schedule.happens(kind, step: step)
    }

    func count(_ kind: String) { happened[kind, default: 0] += 1 }

    func violate(_ invariant: Invariant, _ detail: String) {
        guard violations.count < 20 else { return }
        violations.append(Violation(invariant: invariant, step: step, detail: detail))
        note("VIOLATION \(invariant.rawValue): \(detail)")
    }

    // MARK: The run

    /// Runs to rest; stops early at the first violation.
    func run() {
        while violations.isEmpty, now - start < options.workMilliseconds + 30_000, step < 20_000 { advance() }
        rest()
    }

    private func advance() {
        step += 1
        passTime()
        busySteps = max(0, busySteps - 1)
        if random.chance(busySteps > 0 ? 0.3 : options.foreignProbability) { foreignStep() }
        if !delayed.isEmpty, random.chance(0.1) { deliverDelayed() }
        if !zombies.isEmpty, random.chance(0.3) { zombieStep() }
        if options.changesRules, random.chance(0.03) { ruleStep() }
        for instance in instances where violations.isEmpty { instanceStep(instance) }
    }

    private func passTime() {
        if random.chance(0.01) {
            now += Int64(random.below(20_000))
        } else if fault(.longSleep, 0.001) {
            count("long sleep")
            now += 3_700_000 + Int64(random.below(7_000_000))
        } else {
            now += Int64(random.below(400))
        }
        guard options.wallJumps, !isResting else { return }
        if wallError == 0 ? fault(.wallJump, 0.002) : random.chance(0.02) {
            wallError = wallError == 0 ? (random.chance(0.5) ? 3_600_000 : -3_600_000) : 0
            note("wall clock off by \(wallError / 1000) s")
        }
    }

    private func instanceStep(_ instance: Instance) {
        guard let process = processes.first(where: { $0.instance === instance }) else {
            if isResting || random.chance(0.2) { startProcess(instance) }
            return
        }
        if fault(.kill, options.killProbability * 0.6) { return kill(process, power: false) }
        if fault(.powerCut, options.killProbability * 0.4) { return kill(process, power: true) }
        if fault(.freeze, freezeProbability(process)) { return freeze(process) }
        switch random.below(10) {
        case 0...1: sendRequests(process)
        case 2...3: writeGroup(process)
        case 4...6: shardTurn(process)
        default: committerStep(process)
        }
    }

    /// Frozen most readily where it hurts: between upload and commit.
    private func freezeProbability(_ process: SimulatedProcess) -> Double {
        if case .committing = process.committer, case .commit = process.action {
            return options.freezeProbability * 20
        }
        return options.freezeProbability
    }

    /// The faults stop: everything is sent, read, decided, committed.
    private func rest() {
        guard violations.isEmpty else { return }
        isResting = true
        wallError = 0
        for instance in instances { instance.disk.faultProbability = 0 }
        note("rest")
        var steps = 0
        while violations.isEmpty, !isDrained {
            steps += 1
            step += 1
            now += steps % 3 == 0 ? 1000 : 10
            if !zombies.isEmpty { zombieStep() }
            if !delayed.isEmpty { deliverDelayed() }
            for instance in instances where violations.isEmpty {
                guard let process = processes.first(where: { $0.instance === instance }) else {
                    startProcess(instance)
                    continue
                }
                sendRequests(process)
                writeGroup(process)
                shardTurn(process)
                committerStep(process)
            }
            guard steps < 3000 else {
                violate(.drains, "not drained after \(steps) quiet steps: \(instances.map { state($0) })")
                violate(.progress, "settled does not move although the catalog is up")
                return
            }
        }
        if violations.isEmpty { checkAtRest() }
    }

    private var isDrained: Bool {
        guard zombies.isEmpty, delayed.isEmpty else { return false }
        return instances.allSatisfy { instance in
            guard instance.unsent.isEmpty, let id = instance.id,
                let process = processes.first(where: { $0.instance === instance }), process.queue.isEmpty
            else { return false }
            guard let position = positions[id] else {
                // A table that came anew hears of a position with the next rows; until then everything is settled.
                guard happened["recreation"] != nil, let gauges = process.box?.shard.gauges else { return false }
                return gauges.settled == process.log.synced && gauges.next == process.log.synced
            }
            return position.settled == process.log.synced && position.resume == process.log.synced
        }
    }

    private func state(_ instance: Instance) -> String {
        guard let process = processes.first(where: { $0.instance === instance }) else { return "down" }
        return "\(instance.number): unsent \(instance.unsent.count) queue \(process.queue.count) "
            + "end \(process.log.synced) "
            + "position \(String(describing: instance.id.flatMap { positions[$0] })) "
            + "gauges \(String(describing: process.box?.shard.gauges)) action \(String(describing: process.action))"
    }
}
