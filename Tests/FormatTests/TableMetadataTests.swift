import Compression
import Iceberg
import JSON
import Testing

@Suite struct TableMetadataTests {
    @Test func `what pyiceberg wrote is read and written again without loss`() throws {
        let node = try Fixture.json("table.metadata.json")
        let metadata = try TableMetadata(node)
        #expect(metadata.snapshots.count == 2)
        #expect(metadata.currentSnapshot?.sequenceNumber == 2)
        #expect(metadata.schema?.fields.count == 7)
        #expect(metadata.schemas.count == 2)
        #expect(metadata.partitionSpec?.fields.first?.transform == .day)
        #expect(metadata.references["first"]?.kind == .tag)
        #expect(try TableMetadata(parsing: metadata.bytes()) == metadata)
        try expectSame(metadata.json, node.value)
    }

    @Test func `a gzip-compressed metadata file is read`() throws {
        let plain = try Fixture.bytes("table.metadata.json")
        let compressed = try Deflater.deflate(plain, .gzip)
        let expected = try TableMetadata(parsing: plain)
        #expect(try TableMetadata(parsing: compressed) == expected)
    }

    @Test func `members that are not known survive at every place that keeps them`() throws {
        var value = try #require(Fixture.json("table.metadata.json").value.object)
        value["statistics"] = [["snapshot-id": 1, "statistics-path": "x"]]
        value["com.example"] = ["a": [1, 2.5, nil]]
        var snapshots = try #require(value["snapshots"]?.array)
        var first = try #require(snapshots[0].object)
        first["first-row-id"] = 7
        snapshots[0] = .object(first)
        value["snapshots"] = .array(snapshots)
        let metadata = try TableMetadata(parsing: JSONValue.object(value).bytes())
        try expectSame(metadata.json, .object(value))
    }

    @Test(arguments: [
        ("format-version", JSONValue.integer(1)), ("format-version", .integer(3)), ("table-uuid", .null),
        ("schemas", .array([])), ("current-schema-id", .integer(99)), ("default-spec-id", .integer(99)),
        ("default-sort-order-id", .integer(99)), ("current-snapshot-id", .integer(5)),
        ("last-sequence-number", .string("1")), ("properties", .object(["a": 1])), ("refs", .array([])),
        ("location", .double(1.5)),
    ])
    func `metadata that contradict themselves are refused`(key: String, value: JSONValue) throws {
        var object = try #require(Fixture.json("table.metadata.json").value.object)
        object[key] = value == .null ? Optional<JSONValue>.none : value
        #expect(throws: TableFormatError.self) { try TableMetadata(parsing: JSONValue.object(object).bytes()) }
    }

    @Test func `optional lists may be absent, and no snapshot may be spelled -1`() throws {
        var object = try #require(Fixture.json("table.metadata.json").value.object)
        for key in ["snapshots", "snapshot-log", "metadata-log", "refs", "properties"] { object[key] = nil }
        object["current-snapshot-id"] = -1
        let metadata = try TableMetadata(parsing: JSONValue.object(object).bytes())
        #expect(metadata.currentSnapshot == nil)
        #expect(metadata.references.isEmpty)
    }

    @Test func `updates applied one after another give what pyiceberg makes of them`() throws {
        let cases = try Fixture.json("commits.json").array()
        #expect(cases.count == 15)
        for (number, node) in cases.enumerated() {
            let before = try TableMetadata(node.member("before"))
            let after = try TableMetadata(node.member("after"))
            let updates = try node.member("updates").array().map { try TableUpdate($0) }
            let result = try before.applying(
                requirements: [.assertTableUUID(before.tableUUID)], updates: updates,
                metadataLocation: node.member("location").string(), nowMilliseconds: node.member("now").int64())
            #expect(result == after, "case \(number): \(updates)")
        }
    }

    @Test func `updates and requirements survive their JSON`() throws {
        for node in try Fixture.json("commits.json").array() {
            for update in try node.member("updates").array() {
                let read = try TableUpdate(update)
                #expect(try TableUpdate(JSONNode(parsing: read.json.bytes())) == read)
                // pyiceberg spells out what we leave to its default, and the other way round.
                for (key, value) in update.value.object?.members ?? [] where key != "last-column-id" {
                    #expect(read.json[key] == value || key == "schema" || key == "snapshot", "\(key)")
                }
            }
        }
        let requirements: [TableRequirement] = [
            .assertCreate, .assertTableUUID("u"), .assertRefSnapshotID(reference: "main", snapshotID: nil),
            .assertRefSnapshotID(reference: "main", snapshotID: .max), .assertLastAssignedFieldID(1),
            .assertCurrentSchemaID(2), .assertLastAssignedPartitionID(3), .assertDefaultSpecID(4),
            .assertDefaultSortOrderID(5),
        ]
        for requirement in requirements {
            #expect(try TableRequirement(JSONNode(parsing: requirement.json.bytes())) == requirement)
        }
        let text = try requirements[2].json.serialized()
        #expect(text == #"{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null}"#)
    }

    @Test func `a requirement that does not hold is a conflict`() throws {
        let metadata = try TableMetadata(Fixture.json("table.metadata.json"))
        let current = try #require(metadata.currentSnapshotID)
        let failing: [TableRequirement] = [
            .assertCreate, .assertTableUUID("00000000-0000-0000-0000-000000000000"),
            .assertRefSnapshotID(reference: "main", snapshotID: nil),
            .assertRefSnapshotID(reference: "main", snapshotID: current + 1),
            .assertRefSnapshotID(reference: "none", snapshotID: current), .assertLastAssignedFieldID(0),
            .assertCurrentSchemaID(7), .assertLastAssignedPartitionID(7), .assertDefaultSpecID(7),
            .assertDefaultSortOrderID(7),
        ]
        for requirement in failing {
            let error = #expect(throws: CatalogError.self) { try metadata.check([requirement]) }
            #expect(error?.code == .conflict)
        }
        try metadata.check([
            .assertTableUUID(metadata.tableUUID.uppercased()), .assertRefSnapshotID(reference: "none", snapshotID: nil),
            .assertRefSnapshotID(reference: "main", snapshotID: current), .assertLastAssignedFieldID(12),
        ])
    }

    @Test func `updates that are not possible are refused and change nothing`() throws {
        let metadata = try TableMetadata(Fixture.json("table.metadata.json"))
        var old = try #require(metadata.currentSnapshot)
        let known = old
        old.id = 1
        let updates: [TableUpdate] = [
            .addSnapshot(known), .addSnapshot(old), .setCurrentSchema(9), .setCurrentSchema(-1),
            .setDefaultPartitionSpec(9), .setDefaultSortOrder(9), .removeSnapshots([1]),
            .setSnapshotReference(name: "main", SnapshotReference(snapshotID: 1)), .upgradeFormatVersion(3),
            .assignUUID("00000000-0000-0000-0000-000000000000"), .addSchema(Schema(id: 0, fields: [])),
            .addPartitionSpec(PartitionSpec(id: 0, fields: [])),
        ]
        for update in updates {
            let error = #expect(throws: CatalogError.self, "\(update)") {
                try metadata.applying(
                    requirements: [], updates: [.setProperties(["x": "y"]), update], metadataLocation: "m",
                    nowMilliseconds: 1)
            }
            #expect(error?.code == .refused)
        }
    }

    @Test func `random changes of metadata never trap`() throws {
        var random = SeededRandom(seed: 3)
        let text = try Fixture.bytes("table.metadata.json")
        for _ in 0..<2_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(contentsOf: Array("-9223372036854775808".utf8), at: index)
                }
            }
            guard let metadata = try? TableMetadata(parsing: bytes) else { continue }
            #expect(try TableMetadata(parsing: metadata.bytes()) == metadata)
        }
    }

    /// The same but for members that are null or empty in one and absent in the other.
    private func expectSame(_ one: JSONValue, _ other: JSONValue) throws {
        #expect(Self.withoutEmpty(one) == Self.withoutEmpty(other))
    }

    private static func withoutEmpty(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            var kept = JSONObject()
            for (key, member) in object.members {
                let inner = withoutEmpty(member)
                if inner != .null, inner != [], inner != [:] { kept[key] = inner }
            }
            return .object(kept)
        case .array(let elements): return .array(elements.map(withoutEmpty))
        default: return value
        }
    }
}
