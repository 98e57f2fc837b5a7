import Testing
import TraceGenerator
import TraceModel

@testable import Pipeline

@Suite struct LedgerTests {
    /// The rules word by word, offset by offset.
    struct BruteForce {
        struct Trace {
            var first: Int64
            var last: Int64
            var isDecided = false
            var isKept = false
            var isSealed = false
        }

        var traces: [Trace] = []
        var next: Int64 = 0

        func settled(countingSealed: Bool) -> Int64 {
            let owing = traces.filter { !$0.isDecided || ($0.isKept && (countingSealed || !$0.isSealed)) }
            return owing.map(\.first).min() ?? next
        }

        func resume(settled: Int64) -> Int64 {
            traces.filter { $0.isDecided && $0.last >= settled && $0.first < settled }.map(\.first).min() ?? settled
        }
    }

    @Test(arguments: 0..<60, [0, 2, 6])
    func `positions are those of the rules, lower by at most a bucket`(seed: Int, shift: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var ledger = Ledger(resume: 0, settled: 0, clock: StreamTick(0), anchor: nil, bucketShift: shift)
        var brute = BruteForce()
        var isSealed = false
        var before = (resume: Int64(0), settled: Int64(0))
        for _ in 0..<400 {
            switch random.below(10) {
            case 0...4:
                let offset = brute.next + Int64(random.chance(0.2) ? random.below(50) : 0)
                let record = LogRecord(offset: offset, timestampMilliseconds: 0, checksum: 0)
                ledger.open(record, clock: StreamTick(offset))
                for index in brute.traces.indices where !brute.traces[index].isDecided && random.chance(0.3) {
                    brute.traces[index].last = offset
                }
                let opened = random.below(3)
                ledger.claim(at: offset, count: opened)
                for _ in 0..<opened { brute.traces.append(BruteForce.Trace(first: offset, last: offset)) }
                ledger.close(record, clock: StreamTick(offset))
                brute.next = offset + 1
            case 5...6:
                let open = brute.traces.indices.filter { !brute.traces[$0].isDecided }
                guard !open.isEmpty else { continue }
                let index = random.pick(open)
                brute.traces[index].isDecided = true
                brute.traces[index].isKept = random.chance(0.5)
                ledger.decided(first: brute.traces[index].first, last: brute.traces[index].last)
                if !brute.traces[index].isKept { ledger.release(at: brute.traces[index].first) }
            case 7...8 where !isSealed:
                isSealed = true
                for index in brute.traces.indices where brute.traces[index].isDecided && brute.traces[index].isKept {
                    brute.traces[index].isSealed = true
                    ledger.embark(at: brute.traces[index].first)
                }
                let draft = ledger.sealed()
                let settled = brute.settled(countingSealed: false)
                let resume = brute.resume(settled: draft.settled.offset)
                let bucket = Int64(1) << Int64(shift)
                #expect(draft.settled.offset <= settled)
                #expect(draft.settled.offset >= before.settled)
                #expect(draft.settled.offset > settled - bucket || draft.settled.offset >= settled / bucket * bucket)
                #expect(draft.resume.offset <= resume)
                #expect(draft.resume.offset >= before.resume)
                #expect(draft.resume.offset <= draft.settled.offset)
                #expect(draft.resume.offset >= min(resume / bucket * bucket, before.resume))
                if shift == 0 { #expect(draft.settled.offset == settled) }
            default:
                guard isSealed else { continue }
                isSealed = false
                if random.chance(0.8) {
                    for trace in brute.traces where trace.isSealed { ledger.land(at: trace.first) }
                    for index in brute.traces.indices where brute.traces[index].isSealed {
                        brute.traces[index].isSealed = false
                        brute.traces[index].isKept = false
                    }
                    ledger.committed()
                    before = (ledger.durable.resume.offset, ledger.durable.settled.offset)
                } else {
                    for index in brute.traces.indices where brute.traces[index].isSealed {
                        brute.traces[index].isSealed = false
                        ledger.disembark(at: brute.traces[index].first)
                    }
                    ledger.abandoned()
                }
            }
        }
    }

    /// Committed traces still hold `resume` back while their last span is at or above `settled`.
    static func matters(_ trace: BruteForce.Trace, _ brute: BruteForce) -> Bool { trace.last >= 0 }

    @Test func `a position never passes what an earlier life decided until the clock says how far it reaches`() {
        var ledger = Ledger(resume: 10, settled: 20, clock: StreamTick(5), anchor: nil, bucketShift: 0)
        for offset in Int64(10)..<30 {
            let record = LogRecord(offset: offset, timestampMilliseconds: 0, checksum: 0)
            ledger.open(record, clock: StreamTick(offset))
            if offset < 20 { ledger.foreshadow(at: offset, until: StreamTick(offset + 100)) }
            ledger.close(record, clock: StreamTick(offset))
            ledger.moveClock(to: StreamTick(offset))
        }
        var draft = ledger.sealed()
        #expect(draft.resume.offset == 10)
        #expect(draft.settled.offset == 30)
        ledger.committed()
        ledger.moveClock(to: StreamTick(114))
        // Traces of 10 … 14 reached at most the last record read by now.
        draft = ledger.sealed()
        #expect(draft.resume.offset == 15)
        ledger.committed()
        ledger.moveClock(to: StreamTick(119))
        draft = ledger.sealed()
        #expect(draft.resume.offset == 30)
    }

    @Test func `a place to start from knows the clock and the anchor before it`() {
        var ledger = Ledger(resume: 0, settled: 0, clock: StreamTick(1), anchor: nil, bucketShift: 0)
        for offset in Int64(0)..<4 {
            let record = LogRecord(offset: offset, timestampMilliseconds: offset * 1000, checksum: UInt32(offset))
            ledger.open(record, clock: StreamTick(offset * 10))
            if offset == 2 { ledger.claim(at: offset) }
            ledger.close(record, clock: StreamTick(offset * 10 + 5))
        }
        let draft = ledger.sealed()
        #expect(draft.resume.offset == 2)
        #expect(draft.resume.clock == StreamTick(20))
        #expect(draft.resume.anchor == Anchor(offset: 1, timestampMilliseconds: 1000, checksum: 1))
    }
}
