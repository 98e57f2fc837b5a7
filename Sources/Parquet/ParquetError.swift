import CParquet

/// Why a Parquet file could not be written or read.
public struct ParquetError: Error, Sendable, CustomStringConvertible {
    /// Open set: switch with a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// Input or output error: another try may succeed.
        public static let failed = Code(description: "failed")
        /// No space left, or a quota is spent.
        public static let full = Code(description: "full")
        public static let notFound = Code(description: "not found")
        public static let denied = Code(description: "denied")
        /// The bytes are no such Parquet file, or a column is not what it must be.
        public static let corrupt = Code(description: "corrupt")
        /// The calls do not fit the schema, or the file is there already.
        public static let misused = Code(description: "misused")
        public static let noMemory = Code(description: "no memory")
    }

    public var code: Code
    /// What failed, on what.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }

    init(_ error: cpq_error) {
        let codes: [UInt32: Code] = [
            CPQ_FAILED.rawValue: .failed, CPQ_FULL.rawValue: .full, CPQ_NOT_FOUND.rawValue: .notFound,
            CPQ_DENIED.rawValue: .denied, CPQ_CORRUPT.rawValue: .corrupt, CPQ_MISUSED.rawValue: .misused,
            CPQ_NO_MEMORY.rawValue: .noMemory,
        ]
        code = codes[UInt32(error.code)] ?? .failed
        message = withUnsafeBytes(of: error.message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Makes a C call that answers 0 for success.
func call(_ body: (UnsafeMutablePointer<cpq_error>) -> Int32) throws(ParquetError) {
    var error = cpq_error()
    guard body(&error) == 0 else { throw ParquetError(error) }
}

/// Makes a C call that answers nil for failure.
func callForPointer(
    _ body: (UnsafeMutablePointer<cpq_error>) -> OpaquePointer?
) throws(ParquetError) -> OpaquePointer {
    var error = cpq_error()
    guard let pointer = body(&error) else { throw ParquetError(error) }
    return pointer
}

/// What the native library does with memory.
public enum ParquetMemory {
    /// Bytes that Arrow's pool holds now.
    public static var currentBytes: Int { Int(cpq_memory_now()) }
    /// Bytes that Arrow's pool has held at most, since the process began.
    public static var peakBytes: Int { Int(cpq_memory_peak()) }
}
