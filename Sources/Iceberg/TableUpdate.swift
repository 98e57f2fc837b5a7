/// What must hold for a commit to be applied.
///
/// Source: Apache Iceberg REST catalog specification, `TableRequirement`.
public enum TableRequirement: Hashable, Sendable {
    /// The table does not exist yet.
    case assertCreate
    case assertTableUUID(String)
    /// The branch or tag points there; nil: it does not exist.
    case assertRefSnapshotID(reference: String, snapshotID: Int64?)
    case assertLastAssignedFieldID(Int32)
    case assertCurrentSchemaID(Int32)
    case assertLastAssignedPartitionID(Int32)
    case assertDefaultSpecID(Int32)
    case assertDefaultSortOrderID(Int32)
}

/// One change of a table's metadata.
///
/// Source: Apache Iceberg REST catalog specification, `TableUpdate`.
public enum TableUpdate: Hashable, Sendable {
    case assignUUID(String)
    case upgradeFormatVersion(Int64)
    case addSchema(Schema)
    /// -1: the one added last by the same commit.
    case setCurrentSchema(Int32)
    case addPartitionSpec(PartitionSpec)
    case setDefaultPartitionSpec(Int32)
    case addSortOrder(SortOrder)
    case setDefaultSortOrder(Int32)
    case addSnapshot(Snapshot)
    case setSnapshotReference(name: String, SnapshotReference)
    case removeSnapshots([Int64])
    case removeSnapshotReference(String)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
}
