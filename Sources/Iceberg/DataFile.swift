/// One Parquet file of a table with the statistics that its manifest entry carries.
///
/// Source: Apache Iceberg table specification v2, "Manifests", `data_file`.
public struct DataFile: Sendable, Hashable {
    /// Absolute URI.
    public var path: String
    /// Value of the day transform of the start time: days since 1970; nil is the null partition.
    public var day: Int32?
    public var recordCount: Int64
    public var fileSizeBytes: Int64
    /// By field id: bytes on disk, values, nulls.
    public var columnSizes: [Int32: Int64]
    public var valueCounts: [Int32: Int64]
    public var nullValueCounts: [Int32: Int64]
    /// By field id, in Iceberg's single-value binary serialization; text bounds are cut at 16 characters.
    public var lowerBounds: [Int32: [UInt8]]
    public var upperBounds: [Int32: [UInt8]]
    /// Offsets of the row groups, ascending.
    public var splitOffsets: [Int64]
    /// Id of the sort order that the rows follow; nil when unsorted.
    public var sortOrderID: Int32?
    /// From the manifest, inherited where it says so; nil before the file is committed.
    public var dataSequenceNumber: Int64?
    public var fileSequenceNumber: Int64?

    public init(path: String, day: Int32?, recordCount: Int64, fileSizeBytes: Int64) {
        self.path = path
        self.day = day
        self.recordCount = recordCount
        self.fileSizeBytes = fileSizeBytes
        columnSizes = [:]
        valueCounts = [:]
        nullValueCounts = [:]
        lowerBounds = [:]
        upperBounds = [:]
        splitOffsets = []
        sortOrderID = nil
        dataSequenceNumber = nil
        fileSequenceNumber = nil
    }
}
