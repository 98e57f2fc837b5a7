import CParquet

/// Values of fixed width of one row group; emptied and used again for the next.
///
/// A flat column knows which rows are null; the values of a repeated column stand where its `ColumnLevels` say.
public struct FixedColumn<Value: FixedColumnValue>: ~Copyable {
    @usableFromInline var memory: ColumnMemory<Value>
    @usableFromInline var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        memory = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    @inlinable
    public var count: Int { memory.count }

    @inlinable @inline(__always)
    public mutating func append(_ value: Value) {
        memory.append(value)
        presence.append(true)
    }

    @inlinable @inline(__always)
    public mutating func appendNull() { presence.appendNull() }

    public mutating func append(repeating value: Value, count: Int) {
        memory.append(repeating: value, count: count)
        presence.append(repeating: true, count: count)
    }

    /// Appends values that are there already once more.
    public mutating func append(copyOf range: Range<Int>) {
        memory.append(copyOf: range)
        presence.append(repeating: true, count: range.count)
    }

    public mutating func removeAll() {
        memory.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(count: Int64(memory.count), values: memory.base, ends: nil, indices: nil, dictionary_count: 0)
    }
}

/// 32-bit integers.
public typealias Int32Column = FixedColumn<Int32>
/// 64-bit integers, or microseconds since 1970.
public typealias Int64Column = FixedColumn<Int64>
public typealias DoubleColumn = FixedColumn<Double>
/// Truth values.
public typealias BoolColumn = FixedColumn<Bool>

/// What a `FixedColumn` can hold.
public protocol FixedColumnValue: BitwiseCopyable {
    /// The `cpq_type` of the leaf.
    static var leafType: UInt32 { get }
}

extension Int32: FixedColumnValue {
    public static var leafType: UInt32 { CPQ_INT32.rawValue }
}
extension Int64: FixedColumnValue {
    public static var leafType: UInt32 { CPQ_INT64.rawValue }
}
extension Double: FixedColumnValue {
    public static var leafType: UInt32 { CPQ_DOUBLE.rawValue }
}
extension Bool: FixedColumnValue {
    public static var leafType: UInt32 { CPQ_BOOL.rawValue }
}
