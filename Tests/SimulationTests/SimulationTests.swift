import Foundation
import Testing

@testable import Pipeline

/// Seeds of one run: `TSS_SIMULATION_SEEDS=from..<to`, else fifty.
private let seeds: [UInt64] = {
    let text = ProcessInfo.processInfo.environment["TSS_SIMULATION_SEEDS"] ?? "0..<50"
    let ends = text.split(separator: "..<").compactMap { UInt64($0) }
    return ends.count == 2 && ends[0] < ends[1] ? Array(ends[0]..<ends[1]) : Array(0..<50)
}()

@Suite struct SimulationTests {
    @Test func `every invariant holds through every fault, and everything drains`() throws {
        var happened: [String: Int] = [:]
        for seed in seeds {
            let simulation = try Simulation(SimulationOptions(seed: seed))
            simulation.run()
            happened.merge(simulation.happened, uniquingKeysWith: +)
            guard simulation.violations.isEmpty else {
                let steps = simulation.trace.suffix(150).joined(separator: "\n")
                Issue.record("seed \(seed): \(simulation.violations)\n\(steps)")
                return
            }
        }
        print("simulation of seeds \(seeds.first!)…\(seeds.last!): \(happened.sorted { $0.key < $1.key })")
        for kind in [
            "kill", "power cut", "freeze before commit", "fenced", "append", "compaction", "expiry", "rollback",
            "late request", "lost commit answer", "lost answer", "unavailable", "early", "long sleep",
        ] {
            #expect(happened[kind, default: 0] > 0, "\(kind) never happened")
        }
    }
}
