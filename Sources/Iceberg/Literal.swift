/// One value of a primitive type: a partition value, a column bound, or the right side of a comparison.
public enum Literal: Hashable, Sendable {
    case boolean(Bool)
    /// int, date.
    case int(Int32)
    /// long, time, timestamps.
    case long(Int64)
    case float(Float)
    case double(Double)
    case string(String)
    /// binary, fixed, uuid (16 bytes), decimal (two's complement, big endian).
    case bytes([UInt8])
}
