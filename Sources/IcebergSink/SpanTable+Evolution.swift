public import Iceberg

// What an older table needs to become the table of today: only additions, and only of metadata.
extension SpanTable {
    /// Changes of a table's metadata, with what must hold when they are applied.
    public struct Evolution: Sendable, Hashable {
        public var requirements: [TableRequirement]
        public var updates: [TableUpdate]
        /// For the log: what is added.
        public var additions: [String]
    }

    /// The changes that an existing table needs; nil when it needs none.
    ///
    /// Missing columns (and missing members of structs) are added as optional ones, a column that this program may
    /// leave null becomes optional, and new files follow the partitions and the order of today.
    ///
    /// - Throws: When a column of the table has our name and another type.
    public static func evolution(of table: TableMetadata) throws(SpanTableError) -> Evolution? {
        guard let current = table.schema else {
            throw SpanTableError(message: "table metadata has no current schema")
        }
        var changes = Evolution(requirements: [.assertTableUUID(table.tableUUID)], updates: [], additions: [])
        var numbering = FieldNumbering(next: max(table.lastColumnID, current.highestFieldID) + 1)
        var merge = SchemaMerge()
        var schema = current
        schema.fields = try merge.merge(current.fields, with: self.schema.fields, path: "", &numbering)
        if !merge.changes.isEmpty {
            schema.id = (table.schemas.map(\.id).max() ?? -1) + 1
            changes.requirements += [
                .assertCurrentSchemaID(table.currentSchemaID), .assertLastAssignedFieldID(table.lastColumnID),
            ]
            changes.updates += [.addSchema(schema), .setCurrentSchema(-1)]
            changes.additions += merge.changes
        }
        evolvePartitions(of: table, schema, &changes)
        evolveOrder(of: table, schema, &changes)
        return changes.updates.isEmpty ? nil : changes
    }

    private static func evolvePartitions(of table: TableMetadata, _ schema: Schema, _ changes: inout Evolution) {
        let wanted = partitionSpec(id: 0, for: schema)
        func fits(_ spec: PartitionSpec) -> Bool {
            spec.fields.map(\.sourceID) == wanted.fields.map(\.sourceID)
                && spec.fields.map(\.transform) == wanted.fields.map(\.transform)
        }
        if let current = table.partitionSpec, fits(current) { return }
        changes.requirements += [
            .assertDefaultSpecID(table.defaultSpecID), .assertLastAssignedPartitionID(table.lastPartitionID),
        ]
        changes.additions.append("partition day(start_time)")
        if let known = table.partitionSpecs.first(where: fits) {
            changes.updates.append(.setDefaultPartitionSpec(known.id))
            return
        }
        let id = (table.partitionSpecs.map(\.id).max() ?? -1) + 1
        changes.updates += [
            .addPartitionSpec(partitionSpec(id: id, for: schema, lastFieldID: table.lastPartitionID)),
            .setDefaultPartitionSpec(-1),
        ]
    }

    private static func evolveOrder(of table: TableMetadata, _ schema: Schema, _ changes: inout Evolution) {
        let wanted = sortOrder(id: 0, for: schema)
        if table.sortOrder?.fields == wanted.fields { return }
        changes.requirements.append(.assertDefaultSortOrderID(table.defaultSortOrderID))
        changes.additions.append("sort order")
        if let known = table.sortOrders.first(where: { $0.fields == wanted.fields }) {
            changes.updates.append(.setDefaultSortOrder(known.id))
            return
        }
        let id = max(0, table.sortOrders.map(\.id).max() ?? 0) + 1
        changes.updates += [.addSortOrder(sortOrder(id: id, for: schema)), .setDefaultSortOrder(-1)]
    }
}

/// Adds to a table's fields what ours have and they have not; what is there keeps its ids, names and order.
struct SchemaMerge {
    var changes: [String] = []

    mutating func merge(
        _ table: [Field], with ours: [Field], path: String, _ numbering: inout FieldNumbering
    ) throws(SpanTableError) -> [Field] {
        var merged = table
        var missing: [Field] = []
        for field in ours {
            let name = path + field.name
            guard let index = merged.firstIndex(where: { $0.name == field.name }) else {
                var added = field
                // A required column would have no value in the rows that are there.
                added.isRequired = false
                missing.append(added)
                changes.append("column \(name)")
                continue
            }
            merged[index].type = try merge(merged[index].type, with: field.type, path: name, &numbering)
            if merged[index].isRequired, !field.isRequired {
                merged[index].isRequired = false
                changes.append("column \(name) may be null")
            }
        }
        return merged + numbering.number(missing)
    }

    private mutating func merge(
        _ table: FieldType, with ours: FieldType, path: String, _ numbering: inout FieldNumbering
    ) throws(SpanTableError) -> FieldType {
        switch (table, ours) {
        case (.structure(let theirs), .structure(let members)):
            return .structure(try merge(theirs, with: members, path: path + ".", &numbering))
        case (.list(var list), .list(let wanted)):
            list.element = try merge(list.element, with: wanted.element, path: path + ".element", &numbering)
            return .list(list)
        case (.map(var map), .map(let wanted)) where map.key == wanted.key:
            map.value = try merge(map.value, with: wanted.value, path: path + ".value", &numbering)
            return .map(map)
        case _ where table == ours:
            return table
        default:
            throw SpanTableError(
                message: "column \(path) of the table is \(table), this program writes \(ours): use another table")
        }
    }
}
