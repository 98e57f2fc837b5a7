/// Why bytes were not decompressed or compressed.
public struct CompressionError: Error, Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// The compressed bytes end too early.
        case truncated
        /// The compressed bytes are not of the format, or a checksum does not hold.
        case corrupt
        /// The output would be larger than the limit given.
        case tooLarge
        /// The library could not get memory.
        case outOfMemory
    }

    public var code: Code
    /// What failed, with the library's own text where it has one.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func tooLarge(limitBytes: Int) -> CompressionError {
        CompressionError(.tooLarge, "decompressed size exceeds \(limitBytes) bytes")
    }
}
