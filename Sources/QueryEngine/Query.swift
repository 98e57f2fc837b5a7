/// One SQL statement and how its answer shall look.
public struct QueryRequest: Sendable {
    public enum Format: String, Sendable {
        /// The elements of a JSON array, comma separated.
        case json
        /// The Arrow IPC stream format.
        case arrow
        /// RFC 4180 with a header line; nested values as JSON text.
        case csv
    }

    /// Shape of a row in JSON.
    public enum Shape: String, Sendable {
        case objects
        /// `{"columns": [[name, value], …]}`
        case legacy
    }

    public var sql: String
    public var format: Format
    public var shape: Shape
    /// 64-bit integers as text, for readers whose numbers are doubles.
    public var wideIntegersAsText: Bool
    /// Rows at most; nil is the engine's own limit, which also bounds this one.
    public var maxRows: Int?

    public init(
        sql: String, format: Format = .json, shape: Shape = .objects, wideIntegersAsText: Bool = false,
        maxRows: Int? = nil
    ) {
        self.sql = sql
        self.format = format
        self.shape = shape
        self.wideIntegersAsText = wideIntegersAsText
        self.maxRows = maxRows
    }
}

/// A column of an answer.
public struct QueryColumn: Hashable, Sendable {
    public var name: String
    /// Arrow's name of the type, such as `int64` or `timestamp[us, tz=UTC]`.
    public var type: String

    public init(name: String, type: String) {
        self.name = name
        self.type = type
    }
}

/// The whole answer to a statement.
public struct QueryAnswer: Sendable {
    public var columns: [QueryColumn]
    /// In the format that was asked for.
    public var body: [UInt8]
    public var rowCount: Int
    /// Whether rows were left out because of `maxRows`.
    public var isTruncated: Bool
    public var elapsedMilliseconds: Int64
    /// Data files of the table, and those that the statement's predicates did not rule out.
    public var fileCount: Int
    public var scannedFileCount: Int
}

/// Why a statement has no answer.
public struct QueryError: Error, Hashable, Sendable, CustomStringConvertible {
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// The statement does not parse or names what is not there.
        public static let invalid = Code(description: "invalid")
        /// It would do more than read.
        public static let forbidden = Code(description: "forbidden")
        /// It ran past the deadline; its process was killed.
        public static let timeout = Code(description: "timeout")
        /// It wanted more memory than a query may have, or the answer is too large.
        public static let resources = Code(description: "resources")
        /// It failed while it ran, such as by a division by zero.
        public static let failed = Code(description: "failed")
        /// There is no engine to run it now: no Python environment, every worker busy, the catalog away.
        public static let unavailable = Code(description: "unavailable")
    }

    public var code: Code
    /// What failed and what to do, for the person who asked.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
