/// One manifest as its list names it.
///
/// Source: Apache Iceberg table specification, "Manifest Lists", fields 500 to 519.
public struct ManifestFile: Hashable, Sendable {
    /// Field 517: 0 is data, 1 is deletes. We only ever write data.
    public enum Content: Int32, Hashable, Sendable {
        case data = 0
        case deletes = 1
    }

    public var path: String
    public var lengthBytes: Int64
    public var partitionSpecID: Int32
    public var content: Content
    /// Of the commit that added the manifest; 0 when version 1 wrote it.
    public var sequenceNumber: Int64
    /// Lowest data sequence number of a live file.
    public var minSequenceNumber: Int64
    public var addedSnapshotID: Int64
    /// Nil when the writer did not count.
    public var addedFiles: Int32?
    public var existingFiles: Int32?
    public var deletedFiles: Int32?
    public var addedRows: Int64?
    public var existingRows: Int64?
    public var deletedRows: Int64?
    /// One for each field of the partition spec; nil when the writer made none.
    public var partitions: [PartitionSummary]?
    public var keyMetadata: [UInt8]?

    public init(
        path: String, lengthBytes: Int64, partitionSpecID: Int32, content: Content = .data, sequenceNumber: Int64,
        minSequenceNumber: Int64, addedSnapshotID: Int64
    ) {
        self.path = path
        self.lengthBytes = lengthBytes
        self.partitionSpecID = partitionSpecID
        self.content = content
        self.sequenceNumber = sequenceNumber
        self.minSequenceNumber = minSequenceNumber
        self.addedSnapshotID = addedSnapshotID
        addedFiles = nil
        existingFiles = nil
        deletedFiles = nil
        addedRows = nil
        existingRows = nil
        deletedRows = nil
        partitions = nil
        keyMetadata = nil
    }

    /// Files that are not deleted; nil when the writer did not count.
    public var liveFiles: Int? {
        guard let addedFiles, let existingFiles else { return nil }
        return Int(addedFiles) + Int(existingFiles)
    }
}

/// Which values of one partition field the files of a manifest have.
public struct PartitionSummary: Hashable, Sendable {
    public var containsNull: Bool
    public var containsNaN: Bool?
    /// In single-value serialization; nil when all are null.
    public var lower: [UInt8]?
    public var upper: [UInt8]?

    public init(containsNull: Bool, containsNaN: Bool? = false, lower: [UInt8]? = nil, upper: [UInt8]? = nil) {
        self.containsNull = containsNull
        self.containsNaN = containsNaN
        self.lower = lower
        self.upper = upper
    }
}

/// One file as its manifest names it.
///
/// Source: Apache Iceberg table specification, "Manifests", `manifest_entry`.
public struct ManifestEntry: Hashable, Sendable {
    /// Field 0.
    public enum Status: Int32, Hashable, Sendable {
        case existing = 0
        case added = 1
        case deleted = 2
    }

    /// Field 134.
    public enum Content: Int32, Hashable, Sendable {
        case data = 0
        case positionDeletes = 1
        case equalityDeletes = 2
    }

    public var status: Status
    /// When the file was added or deleted; inherited from the manifest where it says so.
    public var snapshotID: Int64
    public var content: Content
    /// `PARQUET` in upper case, as the specification has it.
    public var format: String
    /// By partition field id; nulls are absent.
    public var partition: [Int32: Literal]
    public var nanValueCounts: [Int32: Int64]
    public var keyMetadata: [UInt8]?
    public var file: DataFile
    /// Whether the entry had fields that this program does not know: it must not be written anew.
    public var hasUnknownFields: Bool

    public init(status: Status, snapshotID: Int64, file: DataFile, partition: [Int32: Literal]) {
        self.status = status
        self.snapshotID = snapshotID
        self.file = file
        self.partition = partition
        content = .data
        format = "PARQUET"
        nanValueCounts = [:]
        keyMetadata = nil
        hasUnknownFields = false
    }

    public var isLive: Bool { status != .deleted }
}
