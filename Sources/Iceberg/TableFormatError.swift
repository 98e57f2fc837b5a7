public import Avro
public import JSON

/// A table's file that is not what the format says, or a change that the format does not allow.
public struct TableFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Lower case, no full stop: what is wrong, where.
    public var message: String

    public init(_ message: String) {
        self.message = message
    }

    public init(_ error: JSONError) {
        message = error.description
    }

    public init(_ error: AvroError) {
        message = error.description
    }

    public var description: String { message }
}
