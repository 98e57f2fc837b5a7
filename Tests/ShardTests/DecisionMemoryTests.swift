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
        var memory = DecisionMemory(limit: 1 << 20, timeToLive: 100)
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
        var memory = DecisionMemory(limit: 1000, timeToLive: 1_000_000)
        for index in 1...10_000 {
            memory.remember(
                TraceID(high: 1, low: UInt64(index)), Self.kept, at: StreamTick(0), now: StreamTick(0))
            #expect(memory.count <= 1000)
        }
        #expect(memory.forgottenCount + memory.count == 10_000)
        #expect(memory.recall(TraceID(high: 1, low: 10_000), at: StreamTick(0)) != nil)
    }

    @Test func `kept goes before dropped, whatever the order`() {
        var memory = DecisionMemory(limit: 100, timeToLive: 10)
        let traceID = TraceID(high: 1, low: 1)
        memory.remember(traceID, Self.kept, at: StreamTick(0), now: StreamTick(0))
        memory.remember(traceID, Self.dropped, at: StreamTick(1), now: StreamTick(1))
        #expect(memory.recall(traceID, at: StreamTick(1))?.decision == Self.kept)
    }

    @Test func `a verdict is 24 bytes, and half of the slots or more are used`() {
        var memory = DecisionMemory(limit: 10_000_000, timeToLive: 10)
        let count = 200_000
        for index in 1...count {
            memory.remember(
                TraceID(high: 1, low: UInt64(index)), Self.kept, at: StreamTick(0), now: StreamTick(0))
        }
        #expect(VerdictTable.slotBytes == 24)
        #expect(memory.count == count)
        #expect(memory.bytes < 50 * count)
    }

    @Test func `what is too old makes room before anything grows`() {
        var memory = DecisionMemory(limit: 1 << 20, timeToLive: 10)
        var bytes = 0
        for tick in 0..<400 {
            for index in 0..<100 {
                memory.remember(
                    TraceID(high: UInt64(tick + 1), low: UInt64(index + 1)), Self.dropped, at: StreamTick(Int64(tick)),
                    now: StreamTick(Int64(tick)))
            }
            if tick == 100 { bytes = memory.bytes }
        }
        #expect(memory.forgottenCount == 0)
        #expect(memory.bytes <= 2 * bytes)
    }
}
