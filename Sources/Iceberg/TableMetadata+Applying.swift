/// What a catalog that owns the metadata does with a commit.
///
/// The results are those of pyiceberg 0.12's `update_table_metadata`, so that both may write the same table.
extension TableMetadata {
    /// Metadata files that the log remembers unless the table's property says otherwise.
    public static let metadataLogLimit = 100
    static let metadataLogLimitProperty = "write.metadata.previous-versions-max"

    /// Throws `conflict` at the first requirement that this table does not meet.
    public func check(_ requirements: [TableRequirement]) throws(CatalogError) {
        for requirement in requirements where !holds(requirement) {
            throw CatalogError(.conflict, "requirement failed: \(requirement)")
        }
    }

    private func holds(_ requirement: TableRequirement) -> Bool {
        switch requirement {
        case .assertCreate: false
        case .assertTableUUID(let uuid): uuid.lowercased() == tableUUID.lowercased()
        case .assertRefSnapshotID(let reference, let snapshotID): references[reference]?.snapshotID == snapshotID
        case .assertLastAssignedFieldID(let id): id == lastColumnID
        case .assertCurrentSchemaID(let id): id == currentSchemaID
        case .assertLastAssignedPartitionID(let id): id == lastPartitionID
        case .assertDefaultSpecID(let id): id == defaultSpecID
        case .assertDefaultSortOrderID(let id): id == defaultSortOrderID
        }
    }

    /// The metadata after all updates, or this when they change nothing.
    ///
    /// - Parameters:
    ///   - metadataLocation: Where this metadata lies: the result's log remembers it.
    ///   - nowMilliseconds: Since 1970; becomes the time of a change that brings none of its own.
    /// - Throws: `conflict` when a requirement does not hold, `refused` when an update is not possible.
    public func applying(
        requirements: [TableRequirement], updates: [TableUpdate], metadataLocation: String, nowMilliseconds: Int64
    ) throws(CatalogError) -> TableMetadata {
        try check(requirements)
        var changed = self
        var added = AddedByCommit()
        for update in updates {
            try changed.apply(update, &added, nowMilliseconds: nowMilliseconds)
        }
        guard changed != self || updates.contains(where: Self.isAlwaysChange) else { return self }
        changed.remember(
            MetadataLogEntry(timestampMilliseconds: lastUpdatedMilliseconds, metadataFile: metadataLocation))
        if changed.lastUpdatedMilliseconds == lastUpdatedMilliseconds {
            changed.lastUpdatedMilliseconds = nowMilliseconds
        }
        return changed
    }

    /// Setting a property to what it is makes new metadata all the same, there as here.
    private static func isAlwaysChange(_ update: TableUpdate) -> Bool {
        switch update {
        case .setProperties(let changes): !changes.isEmpty
        case .removeProperties(let keys): !keys.isEmpty
        default: false
        }
    }

    /// What -1 refers to, and which snapshots bring a time of their own.
    private struct AddedByCommit {
        var schemaID: Int32?
        var specID: Int32?
        var sortOrderID: Int32?
        var snapshotIDs: Set<Int64> = []
    }

    private mutating func remember(_ entry: MetadataLogEntry) {
        let limit = max(1, properties[Self.metadataLogLimitProperty].flatMap { Int($0) } ?? Self.metadataLogLimit)
        metadataLog.append(entry)
        if metadataLog.count > limit { metadataLog.removeFirst(metadataLog.count - limit) }
    }

    private mutating func apply(
        _ update: TableUpdate, _ added: inout AddedByCommit, nowMilliseconds: Int64
    ) throws(CatalogError) {
        switch update {
        case .assignUUID(let uuid):
            guard uuid.lowercased() == tableUUID.lowercased() else { throw refusal("the table has another uuid") }
        case .upgradeFormatVersion(let version):
            guard version == Self.formatVersion else { throw refusal("format version \(version) is not supported") }
        case .addSchema, .setCurrentSchema: try applySchema(update, &added)
        case .addPartitionSpec, .setDefaultPartitionSpec: try applySpec(update, &added)
        case .addSortOrder, .setDefaultSortOrder: try applySortOrder(update, &added)
        case .addSnapshot(let snapshot):
            try add(snapshot)
            added.snapshotIDs.insert(snapshot.id)
        case .setSnapshotReference(let name, let reference):
            let isNew = added.snapshotIDs.contains(reference.snapshotID)
            try set(name, to: reference, isNew: isNew, nowMilliseconds: nowMilliseconds)
        case .removeSnapshots(let ids): try removeSnapshots(Set(ids))
        case .removeSnapshotReference(let name): removeReference(name)
        case .setLocation(let location): self.location = location
        case .setProperties(let changes): properties.merge(changes) { _, new in new }
        case .removeProperties(let keys): for key in keys { properties[key] = nil }
        }
    }

    private mutating func applySchema(_ update: TableUpdate, _ added: inout AddedByCommit) throws(CatalogError) {
        switch update {
        case .addSchema(let schema):
            added.schemaID = schema.id
            if let known = self.schema(id: schema.id) {
                guard known == schema else { throw refusal("schema \(schema.id) exists with other columns") }
                return
            }
            schemas.append(schema)
            lastColumnID = max(lastColumnID, schema.highestFieldID)
        case .setCurrentSchema(let id):
            guard let resolved = id == -1 ? added.schemaID : id, schema(id: resolved) != nil else {
                throw refusal("there is no schema \(id)")
            }
            currentSchemaID = resolved
        default: break
        }
    }

    private mutating func applySpec(_ update: TableUpdate, _ added: inout AddedByCommit) throws(CatalogError) {
        switch update {
        case .addPartitionSpec(let spec):
            added.specID = spec.id
            if let known = partitionSpec(id: spec.id) {
                guard known == spec else { throw refusal("partition spec \(spec.id) exists with other fields") }
                return
            }
            partitionSpecs.append(spec)
            lastPartitionID = max(lastPartitionID, spec.highestFieldID)
        case .setDefaultPartitionSpec(let id):
            guard let resolved = id == -1 ? added.specID : id, partitionSpec(id: resolved) != nil else {
                throw refusal("there is no partition spec \(id)")
            }
            defaultSpecID = resolved
        default: break
        }
    }

    private mutating func applySortOrder(_ update: TableUpdate, _ added: inout AddedByCommit) throws(CatalogError) {
        switch update {
        case .addSortOrder(let order):
            added.sortOrderID = order.id
            if let known = sortOrders.first(where: { $0.id == order.id }) {
                guard known == order else { throw refusal("sort order \(order.id) exists with other fields") }
                return
            }
            sortOrders.append(order)
        case .setDefaultSortOrder(let id):
            guard let resolved = id == -1 ? added.sortOrderID : id, sortOrders.contains(where: { $0.id == resolved })
            else { throw refusal("there is no sort order \(id)") }
            defaultSortOrderID = resolved
        default: break
        }
    }

    private mutating func add(_ snapshot: Snapshot) throws(CatalogError) {
        guard self.snapshot(id: snapshot.id) == nil else { throw refusal("snapshot \(snapshot.id) already exists") }
        guard snapshot.sequenceNumber > lastSequenceNumber || snapshot.parentID == nil else {
            throw refusal(
                "sequence number \(snapshot.sequenceNumber) is not above the last one, \(lastSequenceNumber)")
        }
        snapshots.append(snapshot)
        lastSequenceNumber = max(lastSequenceNumber, snapshot.sequenceNumber)
        lastUpdatedMilliseconds = snapshot.timestampMilliseconds
    }

    private mutating func set(
        _ name: String, to reference: SnapshotReference, isNew: Bool, nowMilliseconds: Int64
    ) throws(CatalogError) {
        guard references[name] != reference else { return }
        guard let snapshot = snapshot(id: reference.snapshotID) else {
            throw refusal("\(name) cannot point to unknown snapshot \(reference.snapshotID)")
        }
        references[name] = reference
        if isNew { lastUpdatedMilliseconds = snapshot.timestampMilliseconds }
        guard name == SnapshotReference.main else { return }
        currentSnapshotID = reference.snapshotID
        if !isNew { lastUpdatedMilliseconds = nowMilliseconds }
        snapshotLog.append(
            SnapshotLogEntry(timestampMilliseconds: lastUpdatedMilliseconds, snapshotID: reference.snapshotID))
    }

    private mutating func removeSnapshots(_ ids: Set<Int64>) throws(CatalogError) {
        for id in ids where snapshot(id: id) == nil { throw refusal("there is no snapshot \(id)") }
        for (name, reference) in references where ids.contains(reference.snapshotID) { removeReference(name) }
        snapshots.removeAll { ids.contains($0.id) }
        for index in snapshots.indices {
            if let parent = snapshots[index].parentID, ids.contains(parent) { snapshots[index].parentID = nil }
        }
        snapshotLog.removeAll { ids.contains($0.snapshotID) }
    }

    private mutating func removeReference(_ name: String) {
        guard references.removeValue(forKey: name) != nil, name == SnapshotReference.main else { return }
        currentSnapshotID = nil
    }

    private func refusal(_ message: String) -> CatalogError {
        CatalogError(.refused, "table \(tableUUID): \(message)")
    }
}
