import Testing
import TraceGenerator
import TraceModel

@testable import Pipeline

@Suite struct DecisionMemoryTests {
    static let kept = Decision(verdict: .sampled, reason: .error, policy: "errors", adjustedCount: 1)
    static let dropped = Decision(verdict: .notSampled, reason: .notSampled, policy: "", adjustedCount: 0)

    @Test(arguments: 0..<10)
    func `it answers as a dictionary with a time to live`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var memory = DecisionMemory(limit: 1 << 20, timeToLive: 100, at: StreamTick(0))
        var model: [TraceID: (Decision, Int64)] = [:]
        var now: Int64 = 0
        for _ in 0..<5000 {
            now += Int64(random.below(3))
            let traceID = TraceID(high: 0, low: UInt64(random.below(400) + 1))
            let remembered = memory.recall(traceID, at: StreamTick(now))
            let expected = model[traceID].flatMap { now <= $0.1 + 100 ? $0 : nil }
            #expect(remembered?.decision == expected?.0)
            #expect(remembered?.tick.value == expected?.1)
            if let remembered, random.chance(0.3) {
                memory.refresh(traceID, remembered, at: StreamTick(now))
                model[traceID]!.1 = now
            } else if expected == nil {
                let decision = random.chance(0.5) ? Self.kept : Self.dropped
                memory.remember(traceID, decision, at: StreamTick(now), now: StreamTick(now))
                model[traceID] = (decision, now)
            }
        }
        #expect(memory.forgottenCount == 0)
    }

    @Test func `it is bounded, and says what it forgot`() {
        var memory = DecisionMemory(limit: 1000, timeToLive: 1_000_000, at: StreamTick(0))
        for index in 1...10_000 {
            memory.remember(
                TraceID(high: 1, low: UInt64(index)), Self.kept, at: StreamTick(0), now: StreamTick(0))
            #expect(memory.count <= 1000)
        }
        #expect(memory.forgottenCount + memory.count == 10_000)
        #expect(memory.recall(TraceID(high: 1, low: 10_000), at: StreamTick(0)) != nil)
    }

    @Test func `kept goes before dropped, whatever the order`() {
        var memory = DecisionMemory(limit: 100, timeToLive: 10, at: StreamTick(0))
        let traceID = TraceID(high: 1, low: 1)
        memory.remember(traceID, Self.kept, at: StreamTick(0), now: StreamTick(0))
        memory.remember(traceID, Self.dropped, at: StreamTick(1), now: StreamTick(1))
        #expect(memory.recall(traceID, at: StreamTick(1))?.decision == Self.kept)
    }

    @Test func `a verdict is 24 bytes`() {
        var memory = DecisionMemory(limit: 1 << 20, timeToLive: 10, at: StreamTick(0))
        for index in 1...49_152 {
            memory.remember(
                TraceID(high: 1, low: UInt64(index)), Self.kept, at: StreamTick(0), now: StreamTick(0))
        }
        #expect(memory.bytes == 65_536 * 24)
    }
}
