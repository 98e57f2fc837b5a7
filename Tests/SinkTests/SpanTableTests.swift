import Iceberg
import IcebergSink
import Testing

struct SpanTableTests {
    private func table(_ schema: Schema, spec: PartitionSpec = .unpartitioned) -> TableMetadata {
        TableMetadata(
            tableUUID: "11111111-2222-3333-4444-555555555555", location: "file:///nowhere", schema: schema,
            partitionSpec: spec, sortOrder: .unsorted, properties: [:], nowMilliseconds: 1)
    }

    @Test func `columns known to users keep their names, types and first ids`() {
        let expected: [(String, FieldType)] = [
            ("trace_id", .string), ("span_id", .string), ("parent_span_id", .string), ("timestamp_ms", .long),
            ("duration_ms", .long), ("status_code", .int), ("span_kind", .int), ("service_name", .string),
            ("operation_name", .string),
        ]
        for (index, column) in expected.enumerated() {
            let field = SpanTable.schema.fields[index]
            #expect(field.id == Int32(index + 1))
            #expect(field.name == column.0)
            #expect(field.type == column.1)
        }
        #expect(SpanTable.schema.fields.count == 40)
    }

    @Test func `every field of the table has an id of its own`() {
        var ids: [Int32] = []
        func collect(_ type: FieldType) {
            switch type {
            case .structure(let members):
                for member in members {
                    ids.append(member.id)
                    collect(member.type)
                }
            case .list(let list):
                ids.append(list.elementID)
                collect(list.element)
            case .map(let map):
                ids += [map.keyID, map.valueID]
                collect(map.key)
                collect(map.value)
            default: break
            }
        }
        collect(.structure(SpanTable.schema.fields))
        #expect(ids.sorted() == Array(1...Int32(ids.count)))
    }

    @Test func `a table of today needs no change`() throws {
        let today = TableMetadata(
            tableUUID: "u", location: "file:///nowhere", schema: SpanTable.schema,
            partitionSpec: SpanTable.partitionSpec, sortOrder: SpanTable.sortOrder, properties: [:],
            nowMilliseconds: 1)
        #expect(try SpanTable.evolution(of: today) == nil)
    }

    @Test func `an older table gets the missing columns, the partitions and the order`() throws {
        // Ids of its own, a column of somebody else, and one of ours that may not be null there.
        var fields = SpanTable.schema.fields.prefix(9).reversed().enumerated().map { index, field in
            var field = field
            field.id = Int32(index + 20)
            field.isRequired = true
            return field
        }
        fields.append(Field(id: 99, name: "team", type: .string))
        let old = table(Schema(id: 3, fields: fields))
        let evolution = try #require(try SpanTable.evolution(of: old))
        let new = try old.applying(
            requirements: evolution.requirements, updates: evolution.updates, metadataLocation: "x",
            nowMilliseconds: 2)
        let schema = try #require(new.schema)
        #expect(schema.field(named: "team")?.id == 99)
        #expect(schema.field(named: "trace_id")?.id == 28)
        #expect(schema.field(named: "trace_id")?.isRequired == true)
        #expect(schema.field(named: "parent_span_id")?.isRequired == false)
        for field in SpanTable.schema.fields {
            let found = try #require(schema.field(named: field.name))
            #expect(field.name == "trace_id" || field.name == "span_id" || !found.isRequired)
        }
        let added = schema.fields.filter { $0.id > 99 }
        #expect(added.count == 31)
        #expect(added.allSatisfy { !$0.isRequired })
        #expect(new.lastColumnID == schema.highestFieldID)
        #expect(new.partitionSpec?.fields.first?.sourceID == schema.field(named: "start_time")?.id)
        #expect(new.partitionSpec?.fields.first?.transform == .day)
        #expect(new.sortOrder?.fields.first?.sourceID == 28)
        // Applied once, nothing is left to do, and rows can be written.
        #expect(try SpanTable.evolution(of: new) == nil)
        _ = try ParquetRowFiles(table: new)
        #expect(throws: SpanTableError.self) { try ParquetRowFiles(table: old) }
    }

    @Test func `a member that is missing inside a column is added`() throws {
        var fields = SpanTable.schema.fields
        let index = try #require(fields.firstIndex { $0.name == "links" })
        guard case .list(var list) = fields[index].type, case .structure(let members) = list.element else {
            Issue.record("links is no list of structs")
            return
        }
        list.element = .structure(members.filter { $0.name != "flags" })
        fields[index].type = .list(list)
        let old = table(Schema(fields: fields))
        let evolution = try #require(try SpanTable.evolution(of: old))
        #expect(evolution.additions.contains("column links.element.flags"))
    }

    @Test func `a column of our name with another type is refused by name`() throws {
        var fields = SpanTable.schema.fields
        fields[3].type = .string
        let error = #expect(throws: SpanTableError.self) { try SpanTable.evolution(of: table(Schema(fields: fields))) }
        #expect(error?.message.contains("timestamp_ms") == true)
    }
}
