import Iceberg
import Pipeline
import Testing
import TraceModel

@Suite struct CommitMachineTests {
    private let table = FakeTable(clock: FakeClock())
    private let p0 = FakeWriter.id(0)
    private let p1 = FakeWriter.id(1)

    private func fencedWriter(_ name: String, _ partitions: [PartitionID]? = nil) -> FakeWriter {
        let writer = FakeWriter(table, name: name, partitions: partitions ?? [p0, p1])
        _ = writer.fence()
        return writer
    }

    private func expectOnce(_ offsets: [Int64]) throws {
        #expect(try table.liveRows().map(\.offset).sorted() == offsets)
    }

    @Test func `rows and positions come in one commit`() throws {
        let one = fencedWriter("one")
        let receipt = try #require(
            one.commit([
                one.part(0, [FakeWriter.trace(1, 0, offsets: [3, 9])], resume: 2, settled: 3, clock: 500),
                one.part(1, [], resume: 70),
            ]))
        #expect(receipt.rowCount == 2 && receipt.traceCount == 1 && receipt.attempts == 1 && receipt.fenced.isEmpty)
        let metadata = try #require(table.metadata)
        #expect(metadata.currentSnapshotID == receipt.snapshotID)
        #expect(
            try metadata.position(of: p0)
                == Position(
                    epoch: 1, sequence: 1, resume: 2, settled: 3, clock: StreamTick(5), floor: 2, late: 2, anchor: nil))
        let other = try metadata.position(of: p1)
        #expect(other?.resume == 70 && other?.floor == nil && other?.late == nil)
        try expectOnce([3, 9])
        #expect(metadata.currentSnapshot?.summary["tss.sequence"] == "1")
    }

    @Test func `without rows only the positions move`() throws {
        let one = fencedWriter("one")
        let main = table.metadata?.currentSnapshotID
        let receipt = try #require(one.commit([one.part(0, [], resume: 10)]))
        #expect(receipt.snapshotID == nil && receipt.files.isEmpty)
        #expect(table.metadata?.currentSnapshotID == main)
        #expect(try table.metadata?.position(of: p0)?.resume == 10)
        #expect(table.rowFileNames.isEmpty)
    }

    @Test func `a lost answer makes no second row`() throws {
        let one = fencedWriter("one")
        table.expect(.lostAnswer)
        let receipt = try #require(one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(receipt.attempts == 1 && receipt.committed.keys.contains(p0))
        try expectOnce([3])
        #expect(table.metadata?.snapshots.count == 2)
    }

    @Test func `a lost answer is resolved when its snapshot was expired or rolled back meanwhile`() throws {
        for isRollback in [false, true] {
            let table = FakeTable(clock: FakeClock())
            let one = FakeWriter(table, name: "one", partitions: [p0])
            _ = one.fence()
            let before = try #require(table.metadata?.currentSnapshotID)
            var machine = one.commitMachine([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)])
            table.expect(.lostAnswer)
            // Runs until the answer is lost, then somebody else comes.
            let stopped = one.run(&machine) { $0.attempts == 0 || $0.phase == .committing }
            #expect(stopped == nil)
            let ours = try #require(table.metadata?.currentSnapshotID)
            table.change([.setSnapshotReference(name: "main", SnapshotReference(snapshotID: before))])
            if !isRollback { table.change([.removeSnapshots([ours])]) }
            let receipt = try #require(one.finish(&machine))
            #expect(receipt.attempts == 1)
            #expect(try table.liveRows().isEmpty)
        }
    }

    @Test func `a lost request is made again with the same files`() throws {
        let one = fencedWriter("one")
        table.expect(.lostRequest, .fails(CatalogError(.unavailable, "503")))
        let receipt = try #require(one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(receipt.attempts == 3)
        #expect(table.rowFileNames.count == 1)
        try expectOnce([3])
    }

    @Test func `a request that comes late is void, or is known when it was applied first`() throws {
        let one = fencedWriter("one")
        table.expect(.late)
        _ = try #require(one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(throws: CatalogError.self) { try table.deliverLate() }
        try expectOnce([3])
        table.expect(.late)
        table.beforeNextCommit { table in
            table.beforeNextCommit { try? $0.deliverLate() }
        }
        _ = try #require(one.commit([one.part(0, [FakeWriter.trace(2, 0, offsets: [5])], resume: 6)]))
        try expectOnce([3, 5])
        #expect(table.metadata?.snapshots.count == 3)
    }

    @Test func `survives a storm of conflicts and keeps one file`() throws {
        let one = fencedWriter("one", [p0])
        let two = fencedWriter("two", [p1])
        table.expect(
            .fails(CatalogError(.conflict, "1")), .fails(CatalogError(.conflict, "2")),
            .fails(CatalogError(.alreadyExists, "3")))
        let machine = one.commitMachine([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)])
        _ = try #require(two.commit([two.part(1, [FakeWriter.trace(2, 1, offsets: [8])], resume: 9)]))
        var mine = machine
        let receipt = try #require(one.finish(&mine))
        #expect(receipt.attempts == 1)
        try expectOnce([3, 8])
        #expect(table.rowFileNames.count == 2)
    }

    @Test func `builds on what another writer committed meanwhile`() throws {
        let one = fencedWriter("one", [p0])
        let two = fencedWriter("two", [p1])
        table.beforeNextCommit { table in
            _ = two.commit([two.part(1, [FakeWriter.trace(2, 1, offsets: [8])], resume: 9)])
        }
        let receipt = try #require(
            one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(receipt.attempts == 2 && receipt.conflicts == 1)
        try expectOnce([3, 8])
        // The number that the snapshot really got, not the one that was tried first.
        #expect(try table.metadata?.position(of: p0)?.floor == nil)
        #expect(receipt.committed[p0]?.entries.map(\.sequence) == [4])
    }

    @Test func `a frozen owner cannot commit after the fence`() throws {
        for isAfterLoad in [false, true] {
            let table = FakeTable(clock: FakeClock())
            let one = FakeWriter(table, name: "one", partitions: [p0])
            _ = one.fence()
            let two = FakeWriter(table, name: "two", partitions: [p0])
            let rows = [FakeWriter.trace(1, 0, offsets: [3])]
            var machine = one.commitMachine([one.part(0, rows, resume: 4)])
            if isAfterLoad {
                // Everything is uploaded and built; the freeze ends with the POST.
                table.beforeNextCommit { table in
                    let two = FakeWriter(table, name: "two", partitions: [FakeWriter.id(0)])
                    _ = two.fence()
                    _ = two.commit([two.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)])
                }
            } else {
                _ = two.fence()
                _ = two.commit([two.part(0, rows, resume: 4)])
            }
            let receipt = try #require(one.finish(&machine))
            #expect(receipt.fenced == [p0] && receipt.committed.isEmpty)
            #expect(try table.liveRows().map(\.offset) == [3])
            #expect(try table.metadata?.position(of: p0)?.epoch == 2)
        }
    }

    @Test func `rows of a lost partition leave the batch, the others are committed`() throws {
        let one = fencedWriter("one")
        table.beforeNextCommit { table in
            let two = FakeWriter(table, name: "two", partitions: [FakeWriter.id(0)])
            _ = two.fence()
        }
        let receipt = try #require(
            one.commit([
                one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4),
                one.part(1, [FakeWriter.trace(2, 1, offsets: [8])], resume: 9),
            ]))
        #expect(receipt.fenced == [p0] && Array(receipt.committed.keys) == [p1])
        #expect(receipt.rowCount == 1)
        try expectOnce([8])
        #expect(try table.metadata?.position(of: p0) == nil)
    }

    @Test func `an answer lost before the fence is found for the partitions that are left`() throws {
        let one = fencedWriter("one")
        var machine = one.commitMachine([
            one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4),
            one.part(1, [FakeWriter.trace(2, 1, offsets: [8])], resume: 9),
        ])
        table.expect(.lostAnswer)
        _ = one.run(&machine) { $0.attempts == 0 || $0.phase == .committing }
        let two = FakeWriter(table, name: "two", partitions: [p0])
        _ = two.fence()
        let receipt = try #require(one.finish(&machine))
        #expect(receipt.fenced == [p0] && Array(receipt.committed.keys) == [p1])
        try expectOnce([3, 8])
        #expect(two.recover()?.first?.partition.resume == 4)
    }

    @Test func `files that wait for more than an hour go up anew`() throws {
        let one = fencedWriter("one")
        let unavailable = FakeTable.Fate.fails(CatalogError(.unavailable, "503"))
        table.expect(unavailable)
        table.beforeNextCommit { $0.clock.advance(milliseconds: 3_600_001) }
        let receipt = try #require(one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(receipt.attempts == 2)
        #expect(table.rowFileNames.count == 2)
        #expect(receipt.files.count == 1)
        #expect(try table.livePaths() == receipt.files.map(\.path))
    }

    @Test func `a full disk is waited for, everything decided stays`() throws {
        let one = fencedWriter("one")
        table.failRowWrites(FileError(.full, "no space"), FileError(.corrupt, "shape"))
        let before = table.clock.monotonicMilliseconds
        _ = try #require(one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)]))
        #expect(table.clock.monotonicMilliseconds - before >= 60_000)
        try expectOnce([3])
    }

    @Test func `another table under the name ends the batch`() throws {
        let one = fencedWriter("one")
        for isGone in [false, true] {
            table.drop()
            if !isGone { _ = try table.createNamespaceAndTable() }
            var machine = one.commitMachine([one.part(0, [FakeWriter.trace(1, 0, offsets: [3])], resume: 4)])
            guard case .tableReplaced? = one.run(&machine) else {
                Issue.record("the batch must not go to another table")
                return
            }
            #expect(table.rowFileNames.isEmpty)
        }
    }

    @Test func `floor follows resume, late follows the clock`() throws {
        let one = fencedWriter("one", [p0])
        func position() throws -> Position { try #require(try table.metadata?.position(of: p0)) }
        // Snapshot 1 is the fence; each commit with rows gets the next number.
        _ = one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [10], decidedAt: 1_000)], resume: 5, clock: 0)])
        #expect(try position().floor == 2 && position().late == 2)
        _ = one.commit([one.part(0, [FakeWriter.trace(2, 0, offsets: [7], decidedAt: 60_000)], resume: 8, clock: 0)])
        #expect(try position().floor == 2 && position().late == 2)
        _ = one.commit([one.part(0, [FakeWriter.trace(3, 0, offsets: [30], decidedAt: 120_000)], resume: 11, clock: 0)])
        #expect(try position().floor == 4 && position().late == 2)
        _ = one.commit([one.part(0, [], resume: 40, clock: 950_000)])
        #expect(try position().floor == nil && position().late == 3)
        _ = one.commit([one.part(0, [], resume: 40, clock: 2_000_000)])
        #expect(try position().floor == nil && position().late == nil)
    }

    @Test func `positions and owners read back as they were written`() throws {
        let position = Position(
            epoch: 3, sequence: .max, resume: 1, settled: 1 << 60, clock: StreamTick(-5), floor: nil, late: 4,
            anchor: Anchor(offset: 0, timestampMilliseconds: -1, checksum: .max))
        _ = try table.createNamespaceAndTable()
        table.change([.setProperties(TestProperties.position(position, of: p0))])
        #expect(try table.metadata?.position(of: p0) == position)
        table.change([.setProperties(["tss.position.\(p0)": "{\"epoch\":1}"])])
        #expect(throws: TableFormatError.self) { try table.metadata?.position(of: p0) }
    }
}
