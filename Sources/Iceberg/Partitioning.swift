/// How a partition or sort value comes from a column's value.
///
/// Source: Apache Iceberg table specification, "Partition Transforms".
public enum Transform: Hashable, Sendable {
    case identity
    case year
    case month
    case day
    case hour
    /// Always null: a partition field that was removed.
    case void
    case bucket(count: Int)
    case truncate(width: Int)
    /// One that this program does not know; it prunes nothing.
    case unknown(String)
}

public struct PartitionField: Hashable, Sendable {
    /// The column.
    public var sourceID: Int32
    /// Of this field itself, from 1000.
    public var fieldID: Int32
    public var name: String
    public var transform: Transform

    public init(sourceID: Int32, fieldID: Int32, name: String, transform: Transform) {
        self.sourceID = sourceID
        self.fieldID = fieldID
        self.name = name
        self.transform = transform
    }
}

/// How the rows of a table are spread over files.
public struct PartitionSpec: Hashable, Sendable {
    public var id: Int32
    public var fields: [PartitionField]

    public init(id: Int32 = 0, fields: [PartitionField]) {
        self.id = id
        self.fields = fields
    }

    public static let unpartitioned = PartitionSpec(fields: [])

    /// The largest id of a field; 999 when there is none, as a table without partitions has it.
    public var highestFieldID: Int32 { fields.reduce(999) { max($0, $1.fieldID) } }
}

public struct SortField: Hashable, Sendable {
    public enum Direction: String, Hashable, Sendable {
        case ascending = "asc"
        case descending = "desc"
    }

    public enum NullOrder: String, Hashable, Sendable {
        case first = "nulls-first"
        case last = "nulls-last"
    }

    public var sourceID: Int32
    public var transform: Transform
    public var direction: Direction
    public var nullOrder: NullOrder

    public init(
        sourceID: Int32, transform: Transform = .identity, direction: Direction = .ascending,
        nullOrder: NullOrder = .first
    ) {
        self.sourceID = sourceID
        self.transform = transform
        self.direction = direction
        self.nullOrder = nullOrder
    }
}

/// The order of the rows within a file.
public struct SortOrder: Hashable, Sendable {
    /// 0 is reserved for "unsorted".
    public var id: Int32
    public var fields: [SortField]

    public init(id: Int32, fields: [SortField]) {
        self.id = id
        self.fields = fields
    }

    public static let unsorted = SortOrder(id: 0, fields: [])
}
