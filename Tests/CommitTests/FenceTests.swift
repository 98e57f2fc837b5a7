import Iceberg
import Pipeline
import Testing

@Suite struct FenceTests {
    private let table = FakeTable(clock: FakeClock())
    private let p0 = FakeWriter.id(0)
    private let p1 = FakeWriter.id(1)

    private func writer(_ name: String, _ partitions: [PartitionID]? = nil) -> FakeWriter {
        FakeWriter(table, name: name, partitions: partitions ?? [p0, p1])
    }

    @Test func `makes namespace and table and an empty snapshot that names the owner`() throws {
        let one = writer("one")
        let fenced = try #require(one.fence())
        #expect(fenced.isNew && fenced.epochs == [p0: 1, p1: 1] && fenced.positions.isEmpty)
        let metadata = try #require(table.metadata)
        #expect(metadata.properties["made.by"] == "test")
        #expect(metadata.snapshots.count == 1 && metadata.currentSnapshotID != nil)
        #expect(try metadata.owner(of: p0) == Owner(epoch: 1, writer: "one", group: ""))
        #expect(try table.livePaths().isEmpty)
    }

    @Test func `raises the epoch and moves main every time`() throws {
        let one = writer("one")
        let two = writer("two")
        _ = one.fence()
        let main = table.metadata?.currentSnapshotID
        let fenced = try #require(two.fence())
        #expect(fenced.epochs == [p0: 2, p1: 2] && !fenced.isNew)
        #expect(table.metadata?.currentSnapshotID != main)
        #expect(table.metadata?.currentSnapshot?.parentID == main)
    }

    @Test func `a lost answer is known by its epoch, a lost request is made again`() throws {
        let one = writer("one")
        table.expect(.lostAnswer)
        #expect(one.fence()?.epochs == [p0: 1, p1: 1])
        #expect(table.commitCount == 1)
        table.expect(.lostRequest, .lostRequest)
        #expect(one.fence()?.epochs == [p0: 2, p1: 2])
        #expect(table.metadata?.snapshots.count == 2)
    }

    @Test func `an earlier fence of the same process is not taken for this one`() throws {
        let one = writer("one")
        _ = one.fence()
        // The request of this fence never arrives; the table still names us by the epoch of the fence before.
        table.expect(.lostRequest)
        let fenced = try #require(one.fence())
        #expect(fenced.epochs == [p0: 2, p1: 2] && fenced.attempts == 2)
    }

    @Test func `a fence that comes late is void once another one moved main`() throws {
        let one = writer("one")
        let two = writer("two")
        _ = one.fence()
        table.expect(.late)
        let fenced = try #require(two.fence())
        #expect(fenced.epochs == [p0: 2, p1: 2])
        let error = #expect(throws: CatalogError.self) { try table.deliverLate() }
        #expect(error?.code == .conflict)
        #expect(try table.metadata?.owner(of: p0)?.epoch == 2)
    }

    @Test func `gets through a storm of conflicts with growing jitter`() throws {
        let one = writer("one")
        _ = one.fence()
        let conflict = FakeTable.Fate.fails(CatalogError(.conflict, "main moved"))
        table.expect(conflict, conflict, conflict, conflict, conflict, conflict)
        let before = table.clock.monotonicMilliseconds
        #expect(one.fence()?.attempts == 7)
        #expect(table.clock.monotonicMilliseconds - before <= 200 + 400 + 800 + 1600 + 3200 + 6400)
    }

    @Test func `waits for a catalog that is away and says so`() throws {
        let one = writer("one")
        table.expect(.fails(CatalogError(.unavailable, "connection refused")))
        var machine = one.fenceMachine()
        var obstacles: [String] = []
        let outcome = one.run(&machine) { machine in
            if let obstacle = machine.obstacle { obstacles.append(obstacle.description) }
            return true
        }
        #expect(outcome != nil)
        #expect(Set(obstacles) == ["catalog: connection refused"])
        #expect(machine.obstacle == nil)
    }

    @Test func `a refusal is tried again once a minute`() throws {
        let one = writer("one")
        table.expect(.fails(CatalogError(.refused, "forbidden")), .fails(CatalogError(.refused, "forbidden")))
        let before = table.clock.monotonicMilliseconds
        #expect(one.fence() != nil)
        #expect(table.clock.monotonicMilliseconds - before == 120_000)
    }

    @Test func `does nothing while our clock is off the catalog's`() throws {
        table.setServerSkew(milliseconds: 31_000)
        let one = writer("one")
        _ = try table.createNamespaceAndTable()
        var machine = one.fenceMachine()
        #expect(one.run(&machine, actions: 20) == nil)
        #expect(machine.obstacle == .clockSkew(milliseconds: 31_000))
        #expect(table.commitCount == 0)
        table.setServerSkew(milliseconds: -30_000)
        #expect(one.fence() != nil)
    }

    @Test func `adds missing columns before it fences`() throws {
        var definition = FakeWriter.definition
        definition.evolution = { metadata in
            guard metadata.schema?.field(named: "new") == nil, var schema = metadata.schema else { return nil }
            schema.id += 1
            schema.fields.append(Field(id: 3, name: "new", type: .long))
            return TableChange(
                requirements: [.assertLastAssignedFieldID(metadata.lastColumnID)],
                updates: [.addSchema(schema), .setCurrentSchema(-1)])
        }
        let one = writer("one")
        _ = one.fence()
        #expect(one.fence(definition)?.metadata.schema?.field(named: "new") != nil)
        #expect(table.metadata?.currentSnapshot?.schemaID == 1)
    }

    @Test func `takes positions from the metadata that names it`() throws {
        let one = writer("one")
        _ = one.fence()
        _ = one.commit([one.part(0, [FakeWriter.trace(1, 0, offsets: [5])], resume: 6)])
        let two = writer("two", [p0])
        let fenced = try #require(two.fence())
        let position = try #require(fenced.positions[p0])
        #expect(position.resume == 6 && position.epoch == 1 && position.sequence == 1)
    }
}

extension FakeTable {
    func createNamespaceAndTable() throws(CatalogError) -> LoadedTable {
        try createNamespace("default")
        let definition = FakeWriter.definition
        return try createTable(
            FakeTable.identifier, schema: definition.schema, partitionSpec: definition.partitionSpec,
            sortOrder: definition.sortOrder, properties: definition.properties)
    }
}
