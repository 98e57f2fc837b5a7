import Iceberg
import Pipeline
import Testing
import TraceModel

@Suite struct RecoverTests {
    private let table = FakeTable(clock: FakeClock())
    private let p0 = FakeWriter.id(0)
    private let p1 = FakeWriter.id(1)

    private func fencedWriter(_ name: String, _ partitions: [PartitionID]) -> FakeWriter {
        let writer = FakeWriter(table, name: name, partitions: partitions)
        _ = writer.fence()
        return writer
    }

    @Test func `a new partition starts where its log does`() throws {
        let one = fencedWriter("one", [p0])
        let recovered = try #require(one.recover(SourceBounds(start: 17, end: 20))).first
        #expect(recovered?.partition.resume == 17 && recovered?.partition.settled == 17)
        #expect(recovered?.partition.epoch == 1 && recovered?.remarks == [])
    }

    @Test func `finds the rows above resume and the verdicts of late traces`() throws {
        let one = fencedWriter("one", [p0, p1])
        _ = one.commit([
            one.part(0, [FakeWriter.trace(1, 0, offsets: [1, 2], decidedAt: 100)], resume: 0, clock: 0),
            one.part(1, [FakeWriter.trace(9, 1, offsets: [500], decidedAt: 100)], resume: 501, clock: 0),
        ])
        _ = one.commit([
            one.part(
                0, [FakeWriter.trace(2, 0, offsets: [4, 9], decidedAt: 2_000_000)], resume: 2, settled: 6,
                clock: 1_500_000)
        ])
        let two = fencedWriter("two", [p0])
        let recovered = try #require(two.recover()?.first)
        #expect(recovered.partition.resume == 2 && recovered.partition.settled == 6)
        #expect(recovered.partition.present.map(\.offset) == [2, 4, 9])
        #expect(recovered.partition.kept.map(\.traceID.low) == [1, 2])
        #expect(recovered.partition.kept.map(\.decision.policy) == ["errors", "errors"])
        #expect(recovered.partition.clock == StreamTick(milliseconds: 1_500_000))
        // The history goes on: nothing is forgotten by the next commit.
        _ = two.commit([two.part(0, [], resume: 3, settled: 6, clock: 1_500_000)])
        #expect(try table.metadata?.position(of: p0)?.floor == 3)
        _ = two.commit([two.part(0, [], resume: 10, clock: 3_000_000)])
        #expect(try table.metadata?.position(of: p0)?.floor == nil)
        #expect(try table.metadata?.position(of: p0)?.late == nil)
    }

    @Test func `reads no file below floor and late`() throws {
        let one = fencedWriter("one", [p0])
        for number in 0..<10 as Range<Int64> {
            _ = one.commit([
                one.part(
                    0, [FakeWriter.trace(UInt64(number), 0, offsets: [number], decidedAt: number * 600_000)],
                    resume: number, clock: number * 600_000)
            ])
        }
        // Only the files of the last 15 minutes and those with rows at or above 9 are still there.
        for path in try table.livePaths() where try table.liveRows().contains(where: { $0.offset < 8 }) {
            let rows = try table.present(
                in: DataFile(path: path, day: 0, recordCount: 1, fileSizeBytes: 1), of: p0, from: 0)
            if rows.allSatisfy({ $0.offset < 8 }) { try table.delete(path) }
        }
        let two = fencedWriter("two", [p0])
        let recovered = try #require(two.recover()?.first)
        #expect(recovered.partition.present.map(\.offset) == [9])
        #expect(recovered.partition.kept.map(\.traceID.low) == [8, 9])
    }

    @Test func `a file that vanished sends it back to main, a fence meanwhile ends it`() throws {
        let one = fencedWriter("one", [p0])
        _ = one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [5])], resume: 3)])
        let old = try #require(one.fence())
        // Somebody compacts: the same row in a new file, the old one is gone.
        let paths = try table.livePaths()
        _ = one.commit([one.part(0, [FakeWriter.trace(2, 0, offsets: [6])], resume: 3)])
        one.fenced = old
        try table.delete(old.metadata.currentSnapshot?.manifestList ?? "")
        let recovered = try #require(one.recover()?.first)
        #expect(recovered.partition.present.map(\.offset) == [5, 6])
        #expect(!paths.isEmpty)
        let two = fencedWriter("two", [p0])
        _ = two.commit([two.part(0, [], resume: 3)])
        try table.delete(old.metadata.currentSnapshot?.manifestList ?? "")
        one.fenced = old
        #expect(one.recover() == nil)
    }

    @Test func `retention that overtook is a gap, an old log goes on behind the table`() throws {
        let one = fencedWriter("one", [p0])
        _ = one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [12, 25])], resume: 10, settled: 20)])
        _ = one.fence()
        let gap = try #require(one.recover(SourceBounds(start: 15, end: 30))?.first)
        #expect(gap.partition.resume == 15 && gap.partition.settled == 20)
        #expect(gap.remarks == [.gap(from: 10, to: 15)])
        let older = try #require(one.recover(SourceBounds(start: 0, end: 7))?.first)
        #expect(older.partition.resume == 26 && older.partition.settled == 26)
        #expect(older.partition.present.isEmpty)
        #expect(older.remarks == [.logIsOlder(end: 7, next: 26)])
    }

    @Test func `compares the anchor`() throws {
        let anchor = Anchor(offset: 9, timestampMilliseconds: 1_000, checksum: 7)
        let one = fencedWriter("one", [p0])
        var part = one.part(0, [], resume: 10)
        part.draft.anchor = anchor
        _ = one.commit([part])
        let fenced = try #require(one.fence())
        for (checksum, remarks) in [
            (7 as UInt32, [RecoveryRemark]()),
            (
                8,
                [
                    .anchorDiffers(anchor, found: Anchor(offset: 9, timestampMilliseconds: 1_000, checksum: 8)),
                    // An old copy that took records since it came back: they move behind everything.
                    .logIsOlder(end: 50, next: 50),
                ]
            ),
        ] {
            var machine = RecoverMachine(
                identifier: FakeTable.identifier, fenced: fenced, sources: [p0: SourceBounds(start: 0, end: 50)],
                writer: "one", seed: 1)
            guard case .perform(.readRecord(p0, offset: 9)) = machine.step(.start, at: table.clock.moment) else {
                Issue.record("the anchor was not asked for")
                return
            }
            let record = LogRecord(offset: 9, timestampMilliseconds: 1_000, checksum: checksum)
            guard
                case .done(.recovered(let recovered)) = machine.step(.record(.success(record)), at: table.clock.moment)
            else {
                Issue.record("nothing else is to do")
                return
            }
            #expect(recovered.first?.remarks == remarks)
        }
    }
}
