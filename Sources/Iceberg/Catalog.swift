/// Namespace and name of a table.
public struct TableIdentifier: Hashable, Sendable, CustomStringConvertible {
    /// One level; nested namespaces are not used by this product.
    public var namespace: String
    public var name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    public var description: String { "\(namespace).\(name)" }
}

/// A table as the catalog knows it now.
public struct LoadedTable: Sendable {
    /// Where the metadata file lies; what a commit compares against in catalogs that swap pointers.
    public var metadataLocation: String
    public var metadata: TableMetadata
    /// The catalog's own wall clock at the answer (HTTP `Date`), milliseconds since 1970; nil where it has none.
    public var serverMilliseconds: Int64?

    public init(metadataLocation: String, metadata: TableMetadata, serverMilliseconds: Int64? = nil) {
        self.metadataLocation = metadataLocation
        self.metadata = metadata
        self.serverMilliseconds = serverMilliseconds
    }
}

/// Whose pointer says which metadata is the table: SQLite, or a REST catalog.
///
/// Every call blocks until it has an answer or its own deadline is over.
public protocol Catalog: Sendable {
    /// Succeeds also when the namespace was there.
    func createNamespace(_ namespace: String) throws(CatalogError)
    /// `alreadyExists` when it is there.
    func createTable(
        _ identifier: TableIdentifier, schema: Schema, partitionSpec: PartitionSpec, sortOrder: SortOrder,
        properties: [String: String]
    ) throws(CatalogError) -> LoadedTable
    /// `notFound` when namespace or table is absent.
    func loadTable(_ identifier: TableIdentifier) throws(CatalogError) -> LoadedTable
    /// Applies all updates at once when every requirement holds; `conflict` when one does not.
    ///
    /// `unknown` means that it may or may not have been applied: load the table and look.
    func commit(
        _ identifier: TableIdentifier, requirements: [TableRequirement], updates: [TableUpdate]
    ) throws(CatalogError) -> LoadedTable
}

/// Why a catalog call gave no result.
public struct CatalogError: Error, Sendable, CustomStringConvertible {
    /// Open set: switch with a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// A requirement did not hold: somebody else committed. Nothing was applied.
        public static let conflict = Code(description: "conflict")
        /// The answer was lost or late: applied or not, nobody knows.
        public static let unknown = Code(description: "unknown")
        public static let notFound = Code(description: "not found")
        public static let alreadyExists = Code(description: "already exists")
        /// Surely not applied, and another try may succeed.
        public static let unavailable = Code(description: "unavailable")
        /// Surely not applied, and no other try will succeed: credentials, malformed request, corrupt metadata.
        public static let refused = Code(description: "refused")
    }

    public var code: Code
    /// Lower case, no full stop: what failed, on what, what to do.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same call may succeed later without anybody changing anything.
    public var isRetryable: Bool { code == .unavailable || code == .conflict || code == .unknown }

    public var description: String { "\(code): \(message)" }
}

/// The files of a table: metadata, manifests, data. Locations are absolute URIs (`file:///…`).
///
/// Every call blocks. Names are unique by construction, so nothing is ever overwritten.
public protocol TableFiles: Sendable {
    /// The whole file; `limitBytes` guards against a file that is not what it should be.
    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8]
    /// Durable on return: bytes, and the entry in the directory.
    func write(_ location: String, _ bytes: [UInt8]) throws(FileError)
    /// Succeeds also when it was not there.
    func delete(_ location: String) throws(FileError)
}

/// Why a file call failed.
public struct FileError: Error, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        public static let notFound = Code(description: "not found")
        /// No space left, or the budget is spent.
        public static let full = Code(description: "full")
        public static let denied = Code(description: "denied")
        /// Input or output error, a time-out: another try may succeed.
        public static let failed = Code(description: "failed")
        /// The bytes are not what they must be.
        public static let corrupt = Code(description: "corrupt")
    }

    public var code: Code
    /// Lower case, no full stop: what failed, on what, what to do.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var isRetryable: Bool { code == .failed || code == .full }

    public var description: String { "\(code): \(message)" }
}
