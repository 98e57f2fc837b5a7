/// Bytes that are not what the Avro specification or the file's schema says, or a value that does not fit its schema.
public struct AvroError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Lower case, no full stop: what is wrong, where.
    public var message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
