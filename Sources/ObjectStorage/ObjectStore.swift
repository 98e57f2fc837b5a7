/// Files under one root, by absolute URI; a local directory or a bucket.
///
/// Every call blocks. Whoever writes makes names that are unique: nothing is ever overwritten on purpose.
public protocol ObjectStore: Sendable {
    /// The whole object; `limitBytes` guards against one that is not what it should be.
    func read(_ uri: String, limitBytes: Int) throws(StorageError) -> [UInt8]
    /// Durable on return, and whole or not there at all.
    func write(_ uri: String, _ bytes: [UInt8]) throws(StorageError)
    /// Succeeds also when it was not there.
    func delete(_ uri: String) throws(StorageError)
    /// All objects whose URI begins with `prefix` and a slash, in any order.
    ///
    /// - Parameter limit: Fails when there are more.
    func list(_ prefix: String, limit: Int) throws(StorageError) -> [StoredObject]
}

/// What a listing says of an object.
public struct StoredObject: Hashable, Sendable {
    public var uri: String
    public var sizeBytes: Int64
    /// By the store's clock, since 1970.
    public var modifiedMilliseconds: Int64

    public init(uri: String, sizeBytes: Int64, modifiedMilliseconds: Int64) {
        self.uri = uri
        self.sizeBytes = sizeBytes
        self.modifiedMilliseconds = modifiedMilliseconds
    }
}

/// Why a storage call failed.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Open set: switch with a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        public static let notFound = Code(description: "not found")
        /// No space left, or the quota is spent.
        public static let full = Code(description: "full")
        /// Not allowed, or outside the root.
        public static let denied = Code(description: "denied")
        /// Longer than the caller's limit.
        public static let tooLarge = Code(description: "too large")
        /// Input or output error, a time-out: another try may succeed.
        public static let failed = Code(description: "failed")
    }

    public var code: Code
    /// Lower case, no full stop: what failed, on what, what to do.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}
