public import JSON

/// A table's metadata file, format version 2.
///
/// Lists whose order means nothing (schemas, specs, sort orders, snapshots) may come in any order from a catalog:
/// look members up by id. What this program does not know is kept and written again.
///
/// Source: Apache Iceberg table specification, "Table Metadata Fields".
public struct TableMetadata: Hashable, Sendable {
    /// The one version that is read and written.
    public static let formatVersion: Int64 = 2

    public var tableUUID: String
    /// Base of the table's files, an absolute URI without a slash at its end.
    public var location: String
    public var lastSequenceNumber: Int64
    public var lastUpdatedMilliseconds: Int64
    public var lastColumnID: Int32
    public var schemas: [Schema]
    public var currentSchemaID: Int32
    public var partitionSpecs: [PartitionSpec]
    public var defaultSpecID: Int32
    public var lastPartitionID: Int32
    public var sortOrders: [SortOrder]
    public var defaultSortOrderID: Int32
    public var properties: [String: String]
    /// Nil when the table has no snapshot yet.
    public var currentSnapshotID: Int64?
    public var snapshots: [Snapshot]
    public var snapshotLog: [SnapshotLogEntry]
    public var metadataLog: [MetadataLogEntry]
    public var references: [String: SnapshotReference]
    /// Members that this program does not know (statistics among them), kept as they are.
    public var others: JSONObject

    /// A new table without snapshots.
    ///
    /// The ids of fields, partition fields and sort order are taken as they are.
    public init(
        tableUUID: String, location: String, schema: Schema, partitionSpec: PartitionSpec, sortOrder: SortOrder,
        properties: [String: String], nowMilliseconds: Int64
    ) {
        self.tableUUID = tableUUID
        self.location = location
        lastSequenceNumber = 0
        lastUpdatedMilliseconds = nowMilliseconds
        lastColumnID = schema.highestFieldID
        schemas = [schema]
        currentSchemaID = schema.id
        partitionSpecs = [partitionSpec]
        defaultSpecID = partitionSpec.id
        lastPartitionID = partitionSpec.highestFieldID
        sortOrders = sortOrder.fields.isEmpty ? [.unsorted] : [sortOrder]
        defaultSortOrderID = sortOrder.fields.isEmpty ? 0 : sortOrder.id
        self.properties = properties
        currentSnapshotID = nil
        snapshots = []
        snapshotLog = []
        metadataLog = []
        references = [:]
        others = JSONObject()
    }

    /// The columns of the table now.
    public var schema: Schema? { schema(id: currentSchemaID) }
    /// How new files are partitioned.
    public var partitionSpec: PartitionSpec? { partitionSpec(id: defaultSpecID) }
    /// How the rows of new files are ordered.
    public var sortOrder: SortOrder? { sortOrders.first { $0.id == defaultSortOrderID } }
    /// What readers read; nil before the first commit.
    public var currentSnapshot: Snapshot? { currentSnapshotID.flatMap { snapshot(id: $0) } }

    public func schema(id: Int32) -> Schema? { schemas.first { $0.id == id } }
    public func partitionSpec(id: Int32) -> PartitionSpec? { partitionSpecs.first { $0.id == id } }
    public func snapshot(id: Int64) -> Snapshot? { snapshots.last { $0.id == id } }

    /// Folder of metadata, manifest lists and manifests.
    public var metadataDirectory: String { location + "/metadata" }
    /// Folder of data files, unless the property `write.data.path` names another.
    public var dataDirectory: String { properties["write.data.path"] ?? location + "/data" }
}
