/// Why a database call failed.
public struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Open set: switch with a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// Another connection holds the lock, for longer than the busy timeout.
        public static let busy = Code(description: "busy")
        /// A uniqueness or other constraint does not hold.
        public static let constraint = Code(description: "constraint")
        /// No space left.
        public static let full = Code(description: "full")
        /// The file is no database, or its pages are damaged.
        public static let corrupt = Code(description: "corrupt")
        /// The file cannot be opened, or may not be written.
        public static let denied = Code(description: "denied")
        /// Input or output error and everything else.
        public static let failed = Code(description: "failed")
    }

    public var code: Code
    /// SQLite's extended result code.
    public var resultCode: Int32
    /// Lower case, no full stop: what failed, with SQLite's own text.
    public var message: String

    public init(_ code: Code, resultCode: Int32, _ message: String) {
        self.code = code
        self.resultCode = resultCode
        self.message = message
    }

    public var description: String { "\(code): \(message) (sqlite \(resultCode))" }
}
