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
    var spills = false

    init(seed: UInt64) {
        self.seed = seed
        // The seed chooses the shape of the run.
        var random = SeededRandom(seed: seed, stream: 7)
        if random.chance(0.25) { instanceCount = 2 }
        if random.chance(0.25) { bufferTraces = random.int(in: 4...12) }
        spills = random.chance(0.3)
        rollbacks = random.chance(0.15)
    }
}

/// A seeded run of the whole pipeline on one thread: clock, disks and catalog are ours, everything else ships.
///
/// Work goes on in random order, one small step at a time, with faults between any two; then the faults stop and
/// everything has to drain. Checkers look after every step that changes what they look at.
final class Simulation {
    let options: SimulationOptions
    var random: SeededRandom
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
        sampler = try Sampler(policies: [
            PolicyConfiguration(name: "health", kind: Drop([StringAttribute(key: "health", values: ["yes"])])),
            PolicyConfiguration(name: "errors", kind: StatusCode([.error]), reason: .error),
        ])
        for number in 0..<options.instanceCount {
            let disk = SimulatedDisk(seed: options.seed &+ UInt64(number) &* 1000)
            disk.liesAboutSync = options.liesAboutSync
            instances.append(
                Instance(
                    number: number, disk: disk,
                    workload: Workload(
                        seed: options.seed &+ UInt64(number) &* 77, traceCount: options.traceCount,
                        milliseconds: options.workMilliseconds)))
        }
    }

    var moment: Moment {
        Moment(wallMilliseconds: now + wallError, monotonicMilliseconds: now - start)
    }

    func note(_ text: @autoclosure () -> String) {
        trace.append("\(step) +\((now - start) / 100 / 10)s \(text())")
        if trace.count > 4000 { trace.removeFirst(2000) }
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
        for instance in instances where violations.isEmpty { instanceStep(instance) }
    }

    private func passTime() {
        if random.chance(0.01) {
            now += Int64(random.below(20_000))
        } else if random.chance(0.001), !isResting {
            count("long sleep")
            now += 3_700_000 + Int64(random.below(7_000_000))
        } else {
            now += Int64(random.below(400))
        }
        guard options.wallJumps, !isResting else { return }
        if wallError == 0 ? random.chance(0.002) : random.chance(0.02) {
            wallError = wallError == 0 ? (random.chance(0.5) ? 3_600_000 : -3_600_000) : 0
            note("wall clock off by \(wallError / 1000) s")
        }
    }

    private func instanceStep(_ instance: Instance) {
        guard let process = processes.first(where: { $0.instance === instance }) else {
            if isResting || random.chance(0.2) { startProcess(instance) }
            return
        }
        if !isResting {
            if random.chance(options.killProbability) { return kill(process, power: random.chance(0.4)) }
            if random.chance(freezeProbability(process)) { return freeze(process) }
        }
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
                let process = processes.first(where: { $0.instance === instance }), process.queue.isEmpty,
                let position = positions[id]
            else { return false }
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
