import Testing
import TraceGenerator
import TraceModel

@testable import TraceBuffering

@Suite struct TraceIndexTests {
    @Test func `records and slots have the sizes that are drawn`() {
        #expect(MemoryLayout<TraceSlot>.size == 64)
        #expect(MemoryLayout<TraceSlot>.stride == 64)
        #expect(MemoryLayout<TraceOpening>.stride == 16)
        #expect(MemoryLayout<FrameHeader>.stride == FrameLayout.headerBytes)
        #expect(MemoryLayout<ContextRecord>.stride == FrameLayout.recordBytes)
        #expect(MemoryLayout<PlaceRecord>.stride == FrameLayout.recordBytes)
    }

    /// Ids whose homes in an index of that many buckets are the ones given.
    private func ids(homes: [Int], bucketCount: UInt32, seed: UInt64) -> [TraceID] {
        var random = SeededRandom(seed: seed)
        return homes.map { home in
            while true {
                let id = random.traceID()
                if TraceIndex.home(TraceIndex.tag(id.high, id.low, .fixed), bucketCount) == home { return id }
            }
        }
    }

    /// Every layout that any order of insertions and removals reaches, and every step from each of them.
    @Test(arguments: [
        [3, 3, 3, 3, 3, 3], [6, 6, 6, 6, 7, 7], [7, 7, 7, 0, 0, 1], [2, 2, 3, 3, 4, 4], [5, 4, 3, 2, 1, 0],
        [7, 6, 7, 6, 7, 6], [1, 1, 1, 2, 2, 4],
    ])
    func `ids that share buckets are found after any insertions and removals`(homes: [Int]) {
        let bucketCount = 8
        let ids = ids(homes: homes, bucketCount: UInt32(bucketCount), seed: 7)
        var slots = TraceSlots(capacity: ids.count)
        for id in ids {
            let number = Int(slots.take())
            slots.slots[number].idHigh = id.high
            slots.slots[number].idLow = id.low
        }
        var index = TraceIndex(bucketCount: bucketCount, key: .fixed)
        var seen: Set<[UInt64]> = [Array(repeating: 0, count: bucketCount)]
        var waiting = Array(seen)
        while let layout = waiting.popLast() {
            for key in ids.indices {
                for place in 0..<bucketCount { index.buckets[place] = layout[place] }
                let present = Set(layout.filter { $0 != 0 }.map { Int(UInt32(truncatingIfNeeded: $0)) - 1 })
                if present.contains(key) {
                    index.remove(UInt32(key), tag: index.tag(ids[key]))
                } else {
                    index.insert(UInt32(key), tag: index.tag(ids[key]))
                }
                let expected = present.symmetricDifference([key])
                for other in ids.indices {
                    let found = index.find(ids[other], tag: index.tag(ids[other]), in: slots.slots)
                    #expect(found == (expected.contains(other) ? UInt32(other) : nil))
                }
                let next = (0..<bucketCount).map { index.buckets[$0] }
                if seen.insert(next).inserted { waiting.append(next) }
            }
        }
        #expect(seen.count >= 1 << ids.count, "\(seen.count) layouts")
    }

    /// The longest row of taken buckets.
    private func longestRun(_ ids: [TraceID], bucketCount: Int, key: HashKey) -> Int {
        var index = TraceIndex(bucketCount: bucketCount, key: key)
        for (number, id) in ids.enumerated() { index.insert(UInt32(number), tag: index.tag(id)) }
        var longest = 0
        var run = 0
        for place in 0..<bucketCount {
            run = index.buckets[place] == 0 ? 0 : run + 1
            longest = max(longest, run)
        }
        return longest
    }

    @Test func `ids that were made to collide under one key do not under another`() {
        let bucketCount = 1024
        let hostile = ids(
            homes: Array(repeating: 100, count: 200), bucketCount: UInt32(bucketCount), seed: 3)
        #expect(longestRun(hostile, bucketCount: bucketCount, key: .fixed) == 200)
        var random = SeededRandom(seed: 11)
        for _ in 0..<20 {
            let key = HashKey(random.next(), random.next())
            #expect(longestRun(hostile, bucketCount: bucketCount, key: key) < 20)
        }
    }

    struct MadeUp: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var id: @Sendable (UInt64) -> TraceID

        init(_ name: String, _ id: @escaping @Sendable (UInt64) -> TraceID) {
            testDescription = name
            self.id = id
        }
    }

    static let madeUp: [MadeUp] = [
        MadeUp("counted up") { TraceID(high: 0, low: $0 + 1) },
        MadeUp("counted up in the upper half") { TraceID(high: $0 + 1, low: 0) },
        MadeUp("halves alike") { TraceID(high: $0 + 1, low: $0 + 1) },
        MadeUp("few bits") { TraceID(high: 1 << ($0 % 64), low: 1 << ($0 / 64)) },
        MadeUp("an operand that is the key") { TraceID(high: HashKey.fixed.first, low: $0) },
    ]

    @Test(arguments: madeUp)
    func `ids with little chance in them spread`(ids: MadeUp) {
        let made = (0..<UInt64(1000)).map { ids.id($0) }
        #expect(longestRun(made, bucketCount: 2048, key: .fixed) < 40)
    }
}
