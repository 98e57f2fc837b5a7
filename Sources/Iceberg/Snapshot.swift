public import JSON

/// The state of a table after one commit.
///
/// Source: Apache Iceberg table specification, "Snapshots".
public struct Snapshot: Hashable, Sendable {
    public var id: Int64
    public var parentID: Int64?
    public var sequenceNumber: Int64
    /// Since 1970.
    public var timestampMilliseconds: Int64
    /// Location of the file that lists the manifests.
    public var manifestList: String
    /// With `operation` among them.
    public var summary: [String: String]
    public var schemaID: Int32?
    /// Members that this program does not know, kept as they are.
    public var others: JSONObject

    public init(
        id: Int64, parentID: Int64?, sequenceNumber: Int64, timestampMilliseconds: Int64, manifestList: String,
        summary: [String: String], schemaID: Int32?
    ) {
        self.id = id
        self.parentID = parentID
        self.sequenceNumber = sequenceNumber
        self.timestampMilliseconds = timestampMilliseconds
        self.manifestList = manifestList
        self.summary = summary
        self.schemaID = schemaID
        others = JSONObject()
    }
}

/// A name for a snapshot: a branch that moves, or a tag.
public struct SnapshotReference: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case branch
        case tag
    }

    /// The branch that readers read and we append to.
    public static let main = "main"

    public var snapshotID: Int64
    public var kind: Kind
    public var minSnapshotsToKeep: Int64?
    public var maxSnapshotAgeMilliseconds: Int64?
    public var maxReferenceAgeMilliseconds: Int64?

    public init(snapshotID: Int64, kind: Kind = .branch) {
        self.snapshotID = snapshotID
        self.kind = kind
        minSnapshotsToKeep = nil
        maxSnapshotAgeMilliseconds = nil
        maxReferenceAgeMilliseconds = nil
    }
}

/// When a snapshot became current.
public struct SnapshotLogEntry: Hashable, Sendable {
    public var timestampMilliseconds: Int64
    public var snapshotID: Int64

    public init(timestampMilliseconds: Int64, snapshotID: Int64) {
        self.timestampMilliseconds = timestampMilliseconds
        self.snapshotID = snapshotID
    }
}

/// An earlier metadata file, and when it was written.
public struct MetadataLogEntry: Hashable, Sendable {
    public var timestampMilliseconds: Int64
    public var metadataFile: String

    public init(timestampMilliseconds: Int64, metadataFile: String) {
        self.timestampMilliseconds = timestampMilliseconds
        self.metadataFile = metadataFile
    }
}
