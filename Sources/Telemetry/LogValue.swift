/// A value beside a log message.
public enum LogValue: Sendable, Hashable {
    case text(String)
    case integer(Int64)
    case real(Double)
    case boolean(Bool)

    /// Any integer; beyond `Int64` as text.
    public static func count(_ value: some BinaryInteger) -> LogValue {
        if let exact = Int64(exactly: value) { return .integer(exact) }
        return .text("\(value)")
    }
}

/// Names and values in the order they are shown.
public typealias LogMetadata = KeyValuePairs<String, LogValue>

extension LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

extension LogValue: CustomStringConvertible {
    public var description: String {
        switch self {
        case .text(let text): text
        case .integer(let integer): "\(integer)"
        case .real(let real): "\(real)"
        case .boolean(let boolean): "\(boolean)"
        }
    }
}
