import Foundation
import Testing

@testable import Pipeline

/// Seeds of one run: `TSS_SIMULATION_SEEDS=from..<to`, else two hundred.
private let seeds: [UInt64] = {
    let text = ProcessInfo.processInfo.environment["TSS_SIMULATION_SEEDS"] ?? "0..<200"
    let ends = text.split(separator: "..<").compactMap { UInt64($0) }
    return ends.count == 2 && ends[0] < ends[1] ? Array(ends[0]..<ends[1]) : Array(0..<200)
}()

@Suite struct SimulationTests {
    @Test func `every invariant holds through every fault, and everything drains`() throws {
        var happened: [String: Int] = [:]
        for seed in seeds {
            let simulation = try Simulation(SimulationOptions(seed: seed))
            simulation.run()
            happened.merge(simulation.happened, uniquingKeysWith: +)
            guard simulation.violations.isEmpty else {
                var shrinker = Shrinker(simulation)
                shrinker.shrink()
                Issue.record("seed \(seed): \(simulation.violations)\nthe shortest scenario: \(shrinker.story)")
                return
            }
        }
        print("simulation of seeds \(seeds.first!)…\(seeds.last!): \(happened.sorted { $0.key < $1.key })")
        for kind in [
            "kill", "power cut", "freeze before commit", "fenced", "append", "compaction", "expiry", "rollback",
            "late request", "lost commit answer", "lost answer", "unavailable", "early", "long sleep", "recreation",
            "conflict storm", "rot found", "segment written", "segment disk full", "segment unreadable",
            "segment matched anew", "segment matched anew from disk", "rule created:", "rule expired", "rule enabled",
            "rule deleted", "decided, bytes never came",
        ] {
            #expect(happened[kind, default: 0] > 0, "\(kind) never happened")
        }
    }
}

/// A rule that a debug build can switch off, and what its loss breaks.
struct PlantedRule: CustomTestStringConvertible {
    var fault: PlantedFault
    /// Any of these.
    var breaks: Set<Invariant>
    var shape: @Sendable (inout SimulationOptions) -> Void = { _ in }

    var testDescription: String { fault.rawValue }

    /// Documentation/Positions.md, "Why": the rules that one source can break.
    static let all: [PlantedRule] = [
        PlantedRule(fault: .noFence, breaks: [.fenced, .identity]),
        PlantedRule(fault: .processingClock, breaks: [.noCut, .sameClock]),
        PlantedRule(fault: .noEarlyDecision, breaks: [.progress, .drains]) { $0.bufferTraces = 6 },
        PlantedRule(fault: .splitsTraces, breaks: [.whole, .kept]),
        PlantedRule(fault: .resumeIsSettled, breaks: [.sameClock, .oneVerdict, .kept]),
        PlantedRule(fault: .ignoresSourceIndex, breaks: [.noLoss, .whole, .kept]),
        PlantedRule(fault: .floorIsNewest, breaks: [.floor, .identity]),
        PlantedRule(fault: .looksForSnapshot, breaks: [.once, .identity]) {
            $0.catalogFaultProbability = 0.5
            $0.killProbability = 0.002
            $0.freezeProbability = 0.001
            $0.schedule.without = [.noAnswer, .refusedWrite, .conflict, .conflictStorm]
        },
        PlantedRule(fault: .sharedLogName, breaks: [.noLoss, .whole, .identity]) { $0.instanceCount = 2 },
        PlantedRule(fault: .forgetsPresentRows, breaks: [.identity]),
        PlantedRule(fault: .skipsRematch, breaks: [.rules]) { $0.changesRules = true },
        PlantedRule(fault: .forgetsBoundary, breaks: [.rules]) { $0.changesRules = true },
        PlantedRule(fault: .deletedRuleActs, breaks: [.rules]) { $0.changesRules = true },
        PlantedRule(fault: .limitersOnWallTime, breaks: [.limits]) {
            $0.hasLimiter = true; $0.spills = false
        },
    ]
}

@Suite struct PlantedFaultTests {
    static let seedLimit: UInt64 = 100

    @Test(arguments: PlantedRule.all)
    func `a rule that is switched off breaks its invariant`(rule: PlantedRule) throws {
        var others: [Violation] = []
        for seed in 0..<Self.seedLimit {
            var options = SimulationOptions(seed: seed)
            options.faults = [rule.fault]
            rule.shape(&options)
            let simulation = try Simulation(options)
            simulation.run()
            if let found = simulation.violations.first(where: { rule.breaks.contains($0.invariant) }) {
                print("without \(rule.fault): seed \(seed): \(found)")
                return
            }
            others += simulation.violations
        }
        Issue.record("nothing breaks without \(rule.fault) in \(Self.seedLimit) seeds; \(others)")
    }

    @Test func `a disk that forgets what it synced breaks Acked`() throws {
        for seed in 0..<Self.seedLimit {
            var options = SimulationOptions(seed: seed)
            options.liesAboutSync = true
            let simulation = try Simulation(options)
            simulation.run()
            if let found = simulation.violations.first(where: { $0.invariant == .acked }) {
                return print("with a lying disk: seed \(seed): \(found)")
            }
        }
        Issue.record("nobody notices a disk that forgets")
    }

    @Test func `the rules of one source are all of the list`() {
        #expect(Set(PlantedRule.all.map(\.fault)) == Set(PlantedFault.allCases))
    }
}
