import Iceberg
import Pipeline
import Testing

@testable import Pipeline

/// Helpers of the tests of one partition's log.
struct LogBench {
    var disk = FakeDisk()
    let clock = FakeClock()
    var options = LogOptions()
    var seed: UInt64 = 1

    init() {
        options.segmentBytes = 2048
        options.diskBytes = 1 << 30
        options.reserveBytes = 1 << 20
    }

    func open() throws(FileError) -> PartitionLog {
        try PartitionLog(
            opening: disk,
            proposal: LogSuperblock(
                partition: 0, uuid: LogUUID(random: [seed, seed &* 7 &+ 3]), key: LogKey(low: 11, high: 12),
                createdMilliseconds: 1), options: options, at: clock.moment)
    }

    func readAll(
        _ log: PartitionLog, from offset: Int64 = 0
    ) throws(FileError) -> [(offset: Int64, stamp: Int64, body: [UInt8])] {
        var reader = LogReader()
        var records: [(Int64, Int64, [UInt8])] = []
        var next = offset
        while true {
            let batch = try reader.read(from: next, limitBytes: 100, segments: log.segments, files: disk)
            guard let last = batch.entries.last else { return records }
            for entry in batch.entries {
                records.append(
                    (entry.record.offset, entry.record.timestampMilliseconds, Array(batch.bytes[entry.body])))
            }
            next = last.record.offset + 1
        }
    }

    static func body(_ number: Int, bytes: Int = 40) -> [UInt8] {
        var random = SeededRandom(seed: UInt64(number) &+ 1)
        return (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
}

@Suite struct PartitionLogTests {
    @Test func `hashes as another implementation of SipHash-2-4-128 does`() {
        // openssl mac -macopt size:16 -macopt hexkey:000102030405060708090a0b0c0d0e0f SIPHASH, input 00 01 02 …
        let expected: [Int: String] = [
            0: "A3817F04BA25A8E66DF67214C7550293", 1: "DA87C1D86B99AF44347659119B22FC45",
            8: "3B62A9BA6258F5610F83E264F31497B4", 15: "5493E99933B0A8117E08EC0F97CFC3D9",
            64: "1EAF077DC0D4CD3F8CAD4D383658A74B",
        ]
        let key = LogKey(low: 0x0706_0504_0302_0100, high: 0x0f0e_0d0c_0b0a_0908)
        for (count, text) in expected {
            let input = (0..<count).map { UInt8($0) }
            let hash = SipHash128.hash(input.span.bytes, key: key)
            let bytes = LittleEndian.bytes(hash.low) + LittleEndian.bytes(hash.high)
            let digits = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            #expect(digits.uppercased() == text)
        }
    }

    @Test func `gives back what it answered, over a restart and over segments`() throws {
        let bench = LogBench()
        var log = try bench.open()
        var bodies: [[UInt8]] = []
        for number in 0..<100 {
            let body = LogBench.body(number, bytes: number * 3)
            bodies.append(body)
            #expect(log.append([body], at: bench.clock.moment) == [.durable(isRepeat: false)])
            bench.clock.advance(milliseconds: 7)
        }
        #expect(log.segments.count > 3)
        let again = try bench.open()
        for reopened in [log, again] {
            let records = try bench.readAll(reopened)
            #expect(records.map(\.offset) == Array(0..<100))
            #expect(records.map(\.body) == bodies)
            #expect(records.map(\.stamp) == records.map(\.stamp).sorted())
        }
        let reopened = try bench.open()
        #expect(reopened.superblock == log.superblock)
        #expect(reopened.next == 100 && reopened.synced == 100)
        #expect(try bench.readAll(reopened, from: 37).map(\.offset) == Array(37..<100))
    }

    @Test func `knows a repeated body for ten minutes, over a restart too`() throws {
        let bench = LogBench()
        var log = try bench.open()
        let one = LogBench.body(1)
        let two = LogBench.body(2)
        #expect(
            log.append([one, two, one], at: bench.clock.moment) == [
                .durable(isRepeat: false), .durable(isRepeat: false), .durable(isRepeat: true),
            ])
        bench.clock.advance(milliseconds: 599_000)
        #expect(log.append([two], at: bench.clock.moment) == [.durable(isRepeat: true)])
        log = try bench.open()
        #expect(log.append([one], at: bench.clock.moment) == [.durable(isRepeat: true)])
        bench.clock.advance(milliseconds: 2_000)
        #expect(log.append([one], at: bench.clock.moment) == [.durable(isRepeat: false)])
        #expect(try bench.readAll(log).map(\.offset) == [0, 1, 2])
    }

    @Test func `its clock follows elapsed time and never goes back`() throws {
        let bench = LogBench()
        var log = try bench.open()
        _ = log.append([LogBench.body(1)], at: bench.clock.moment)
        let first = log.clock.lastStamp
        bench.clock.jumpWall(milliseconds: -3_600_000)
        bench.clock.advance(milliseconds: 250)
        _ = log.append([LogBench.body(2)], at: bench.clock.moment)
        #expect(log.clock.lastStamp == first + 250)
        log = try bench.open()
        #expect(log.clock.lastStamp == first + 250)
        bench.clock.jumpWall(milliseconds: 7_200_000)
        log = try bench.open()
        #expect(log.clock.lastStamp == bench.clock.wallMilliseconds)
    }

    @Test func `cuts a torn tail at every byte, and never a durable record`() throws {
        var bench = LogBench()
        bench.options.segmentBytes = 1 << 20
        var log = try bench.open()
        for group in 0..<4 {
            _ = log.append((0..<3).map { LogBench.body(group * 3 + $0, bytes: 20 + $0) }, at: bench.clock.moment)
        }
        let name = LogFormat.segmentName(1)
        let whole = try #require(bench.disk[name])
        // The last group says that everything before it was durable, and nothing says it of the last group.
        let durableBytes = LogFormat.segmentHeaderBytes + 3 * (3 * LogFormat.recordHeaderBytes + 63)
        for length in LogFormat.segmentHeaderBytes...whole.count {
            bench.disk[name] = Array(whole[..<length])
            let reopened = try bench.open()
            let records = try bench.readAll(reopened).map(\.body)
            #expect(records == (0..<records.count).map { LogBench.body($0, bytes: 20 + $0 % 3) })
            let end = records.reduce(LogFormat.segmentHeaderBytes) { $0 + LogFormat.recordHeaderBytes + $1.count }
            #expect(end <= length && length - end < LogFormat.recordHeaderBytes + 22)
            #expect(bench.disk[name]?.count == end)
        }
        // A flipped byte: in the last group torn, before it corruption, at every position.
        for position in LogFormat.segmentHeaderBytes..<whole.count {
            var damaged = whole
            damaged[position] ^= 0x40
            bench.disk[name] = damaged
            if position < durableBytes {
                let error = #expect(throws: FileError.self) { _ = try bench.open() }
                #expect(error?.code == .corrupt)
                #expect(bench.disk[name] == damaged)
            } else {
                let records = try bench.readAll(try bench.open())
                #expect(9 <= records.count && records.count < 12)
            }
        }
    }

    @Test func `refuses damage outside the last segment, in headers, and missing segments`() throws {
        let bench = LogBench()
        var log = try bench.open()
        for number in 0..<60 { _ = log.append([LogBench.body(number, bytes: 100)], at: bench.clock.moment) }
        #expect(log.segments.count == 5)
        func expectCorrupt(_ name: String, _ bytes: [UInt8]?) throws {
            let before = bench.disk[name]
            bench.disk[name] = bytes
            let error = #expect(throws: FileError.self) { _ = try bench.open() }
            #expect(error?.code == .corrupt)
            #expect(bench.disk[name] == bytes)
            bench.disk[name] = before
        }
        for number in 1...4 as ClosedRange<UInt64> {
            let name = LogFormat.segmentName(number)
            let whole = try #require(bench.disk[name])
            for position in [0, 40, 63, 64, 70, 200, whole.count - 1] {
                var damaged = whole
                damaged[position] ^= 1
                try expectCorrupt(name, damaged)
            }
            try expectCorrupt(name, Array(whole.dropLast()))
            if number > 1 { try expectCorrupt(name, nil) }
        }
        try expectCorrupt(LogFormat.superblockName, nil)
        var superblock = try #require(bench.disk[LogFormat.superblockName])
        superblock[20] ^= 1
        try expectCorrupt(LogFormat.superblockName, superblock)
        #expect(try bench.readAll(try bench.open()).count == 60)
    }

    @Test func `a failed sync closes the segment for ever and burns the offsets`() throws {
        let bench = LogBench()
        var log = try bench.open()
        _ = log.append([LogBench.body(1)], at: bench.clock.moment)
        bench.disk.fail("sync", with: FileError(.failed, "input/output error"))
        let refused = log.append([LogBench.body(2), LogBench.body(3)], at: bench.clock.moment)
        let unavailable = IngestAnswer.unavailable(retryAfterSeconds: 15, cause: .diskFailed)
        #expect(refused == [unavailable, unavailable])
        #expect(log.append([LogBench.body(4)], at: bench.clock.moment) == [unavailable])
        bench.disk.fail("sync", with: nil)
        #expect(log.append([LogBench.body(2)], at: bench.clock.moment) == [.durable(isRepeat: false)])
        #expect(log.segments.map(\.name).count == 2)
        let again = try bench.open()
        for reopened in [log, again] {
            let records = try bench.readAll(reopened)
            #expect(records.map(\.offset) == [0, 3])
            #expect(records.map(\.body) == [LogBench.body(1), LogBench.body(2)])
        }
    }

    @Test func `a full disk refuses and goes on in the same segment`() throws {
        let bench = LogBench()
        var log = try bench.open()
        _ = log.append([LogBench.body(1)], at: bench.clock.moment)
        bench.disk.fail("write", with: FileError(.full, "no space left on device"))
        #expect(
            log.append([LogBench.body(2)], at: bench.clock.moment) == [
                .unavailable(retryAfterSeconds: 15, cause: .diskFull)
            ])
        bench.disk.fail("write", with: nil)
        #expect(log.append([LogBench.body(2)], at: bench.clock.moment) == [.durable(isRepeat: false)])
        #expect(log.segments.count == 1)
        #expect(try bench.readAll(try bench.open()).map(\.offset) == [0, 1])
    }

    @Test func `a segment that failed while it was made does not count`() throws {
        for operation in ["create", "write", "sync", "syncDirectory"] {
            let bench = LogBench()
            var log = try bench.open()
            while log.segments.last.map({ $0.byteCount < bench.options.segmentBytes }) ?? true {
                _ = log.append([LogBench.body(Int(log.next), bytes: 100)], at: bench.clock.moment)
            }
            let count = log.next
            bench.disk.fail(operation, with: FileError(.failed, "broken"))
            bench.disk.fail("remove", with: FileError(.failed, "broken"))
            #expect(log.append([LogBench.body(1000)], at: bench.clock.moment) != [.durable(isRepeat: false)])
            bench.disk.fail(operation, with: nil)
            #expect(try bench.readAll(try PartitionLogTests.reopened(bench)).count == Int(count))
            #expect(log.append([LogBench.body(1000)], at: bench.clock.moment) == [.durable(isRepeat: false)])
            bench.disk.fail("remove", with: nil)
            #expect(try bench.readAll(try bench.open()).count == Int(count) + 1, "\(operation)")
            #expect(log.release(below: 0, at: bench.clock.moment) == 0)
        }
    }

    /// Opens a copy, so that the log under test keeps its files.
    private static func reopened(_ bench: LogBench) throws -> PartitionLog {
        var copy = bench
        var random = SeededRandom(seed: 1)
        copy.disk = bench.disk.afterPowerCut(.nothing, &random)
        return try copy.open()
    }

    @Test func `releases whole segments below resume once they cannot be repeated, and never the last`() throws {
        let bench = LogBench()
        var log = try bench.open()
        for number in 0..<60 {
            _ = log.append([LogBench.body(number, bytes: 100)], at: bench.clock.moment)
            bench.clock.advance(milliseconds: 1000)
        }
        let bases = log.segments.map(\.base)
        #expect(log.release(below: 60, at: bench.clock.moment) == 0)
        bench.clock.advance(milliseconds: 600_000)
        #expect(log.release(below: bases[2] - 1, at: bench.clock.moment) == 1)
        #expect(log.release(below: bases[2], at: bench.clock.moment) == 1)
        #expect(log.bounds == SourceBounds(start: bases[2], end: 60))
        #expect(log.release(below: 60, at: bench.clock.moment) == bases.count - 3)
        #expect(log.segments.count == 1)
        let reopened = try bench.open()
        #expect(reopened.next == 60)
        #expect(reopened.bounds.start == bases[bases.count - 1])
    }

    @Test func `lets go of released segments early when the disk budget is half spent`() throws {
        var bench = LogBench()
        bench.options.diskBytes = 12_000
        bench.options.reserveBytes = 2_000
        var log = try bench.open()
        for number in 0..<60 { _ = log.append([LogBench.body(number, bytes: 100)], at: bench.clock.moment) }
        #expect(log.byteCount > 5_000)
        #expect(log.release(below: 60, at: bench.clock.moment) > 0)
        #expect(log.byteCount <= 5_000)
    }

    @Test func `an old copy goes on behind the table's position with what it took meanwhile`() throws {
        let bench = LogBench()
        var log = try bench.open()
        for number in 0..<5 { _ = log.append([LogBench.body(number)], at: bench.clock.moment) }
        log = try bench.open()
        for number in 5..<8 { _ = log.append([LogBench.body(number)], at: bench.clock.moment) }
        #expect(try log.skip(to: 1000, at: bench.clock.moment) == 1000)
        _ = log.append([LogBench.body(8)], at: bench.clock.moment)
        let again = try bench.open()
        for reopened in [log, again] {
            let records = try bench.readAll(reopened, from: 1000)
            #expect(records.map(\.offset) == [1000, 1001, 1002, 1003])
            #expect(records.map(\.body) == (5..<9).map { LogBench.body($0) })
        }
    }

    @Test func `admits by budget, reserve and the free share of the file system`() {
        var options = LogOptions()
        options.diskBytes = 10_000
        options.reserveBytes = 4_000
        options.freePercent = 5
        let roomy = DiskSpace(totalBytes: 1_000_000, availableBytes: 900_000)
        #expect(options.admits(bodyBytes: 5_952, logBytes: 0, space: roomy))
        #expect(!options.admits(bodyBytes: 5_953, logBytes: 0, space: roomy))
        #expect(!options.admits(bodyBytes: 1, logBytes: 6_000, space: roomy))
        let tight = DiskSpace(totalBytes: 1_000_000, availableBytes: 54_148)
        #expect(options.admits(bodyBytes: 100, logBytes: 0, space: tight))
        #expect(!options.admits(bodyBytes: 101, logBytes: 0, space: tight))
        #expect(options.admits(bodyBytes: 100, logBytes: 0, space: nil))
    }
}
