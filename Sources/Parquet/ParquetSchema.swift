import CParquet

/// One column, or a field inside of one.
public struct ParquetField: Sendable, Hashable {
    public var name: String
    /// Iceberg's field id; nil for none.
    public var fieldID: Int32?
    public var isRequired: Bool
    public var type: ParquetType
    /// How it is stored; of leaves only.
    public var storage: ParquetStorage

    public init(
        _ name: String, _ type: ParquetType, fieldID: Int32?, isRequired: Bool = false,
        storage: ParquetStorage = []
    ) {
        self.name = name
        self.type = type
        self.fieldID = fieldID
        self.isRequired = isRequired
        self.storage = storage
    }
}

/// The types this module writes.
public indirect enum ParquetType: Sendable, Hashable {
    case bool
    case int32
    case int64
    case double
    /// UTF-8.
    case text
    case bytes
    /// Microseconds since 1970, UTC.
    case timestamp
    case structure([ParquetField])
    case list(element: ParquetField)
    case map(key: ParquetField, value: ParquetField)
}

/// How a leaf is stored.
public struct ParquetStorage: OptionSet, Sendable, Hashable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Values that repeat: each is stored once in a row group, as long as they are not too many. Texts do so when they
    /// come in a `TextColumn`, `MapKeyColumn` or `RunColumn`.
    public static let dictionary = ParquetStorage(rawValue: UInt32(CPQ_DICTIONARY))
    /// Integers that repeat, or lie near the one before.
    public static let delta = ParquetStorage(rawValue: UInt32(CPQ_DELTA))
    /// Smallest and largest value of each row group.
    public static let statistics = ParquetStorage(rawValue: UInt32(CPQ_STATISTICS))
    /// A filter that says for most absent texts that a row group does not have them.
    public static let bloom = ParquetStorage(rawValue: UInt32(CPQ_BLOOM))
}

/// How a file is written; the defaults are those of the table (Documentation/Formats.md).
public struct ParquetOptions: Sendable, Hashable {
    /// 1 is the fastest; 3 saves 3 % of the bytes for a fifth more time.
    public var zstdLevel: Int32 = 1
    /// Also the most rows that a row group takes. 8,192: a lookup of one trace reads few rows beside its own.
    public var rowGroupRows = 8192
    /// Uncompressed bytes of a page.
    public var pageBytes = 1 << 20
    /// Bytes of a column's dictionary in one row group; above it plain encoding follows.
    public var dictionaryBytes = 1 << 20
    /// Distinct values of a row group that a bloom filter is made for.
    public var bloomDistinctValues = 8192
    /// How often a bloom filter answers "perhaps" for a value that is not there.
    public var bloomFalsePositives = 0.01
    /// Who wrote the file, for its footer.
    public var createdBy = "tail-sampling-selector"

    public init() {}
}

// The tree as an array in pre-order, with the groups that Parquet puts between a list and its elements.
extension ParquetField {
    func appendNodes(to nodes: inout [Node]) {
        switch type {
        case .bool: appendLeaf(CPQ_BOOL, to: &nodes)
        case .int32: appendLeaf(CPQ_INT32, to: &nodes)
        case .int64: appendLeaf(CPQ_INT64, to: &nodes)
        case .double: appendLeaf(CPQ_DOUBLE, to: &nodes)
        case .bytes: appendLeaf(CPQ_BYTES, to: &nodes)
        case .text: appendLeaf(CPQ_BYTES, CPQ_STRING, to: &nodes)
        case .timestamp: appendLeaf(CPQ_INT64, CPQ_TIMESTAMP_US, to: &nodes)
        case .structure(let fields):
            appendGroup(children: fields, to: &nodes)
        case .list(let element):
            appendGroup(CPQ_LIST, children: [.repeated("list", [element])], to: &nodes)
        case .map(let key, let value):
            appendGroup(CPQ_MAP, children: [.repeated("key_value", [key, value])], to: &nodes)
        }
    }

    private static func repeated(_ name: String, _ fields: [ParquetField]) -> ParquetField {
        ParquetField(name, .structure(fields), fieldID: Node.repeatedMark)
    }

    private func appendLeaf(
        _ type: cpq_type, _ annotation: cpq_annotation = CPQ_PLAIN, to nodes: inout [Node]
    ) {
        nodes.append(
            Node(
                name: name, type: type, repetition: isRequired ? CPQ_REQUIRED : CPQ_OPTIONAL,
                annotation: annotation, fieldID: fieldID ?? -1, childCount: 0, flags: storage.rawValue))
    }

    private func appendGroup(
        _ annotation: cpq_annotation = CPQ_PLAIN, children: [ParquetField], to nodes: inout [Node]
    ) {
        let isRepeated = fieldID == Node.repeatedMark
        nodes.append(
            Node(
                name: name, type: CPQ_GROUP,
                repetition: isRepeated ? CPQ_REPEATED : isRequired ? CPQ_REQUIRED : CPQ_OPTIONAL,
                annotation: annotation, fieldID: isRepeated ? -1 : fieldID ?? -1,
                childCount: Int32(children.count), flags: 0))
        for child in children { child.appendNodes(to: &nodes) }
    }

    /// A `cpq_node` that owns its name.
    struct Node {
        /// Stands in `fieldID` for the repeated group of a list or map, which has no field of its own.
        static let repeatedMark = Int32.min

        var name: String
        var type: cpq_type
        var repetition: cpq_repetition
        var annotation: cpq_annotation
        var fieldID: Int32
        var childCount: Int32
        var flags: UInt32
    }
}
