import CParquet

// Columns of fixed-width values. Flat columns know which rows are null; the values of a repeated column stand
// where its `ColumnLevels` say.

/// 32-bit integers of one row group; emptied and used again for the next.
public struct Int32Column: ~Copyable {
    var memory: ColumnMemory<Int32>
    var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        memory = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { memory.count }

    @inline(__always)
    public mutating func append(_ value: Int32) {
        memory.append(value)
        presence.append(true)
    }

    public mutating func appendNull() { presence.appendNull() }

    public mutating func append(repeating value: Int32, count: Int) {
        memory.append(repeating: value, count: count)
        presence.append(repeating: true, count: count)
    }

    public mutating func removeAll() {
        memory.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(count: Int64(memory.count), values: memory.base, ends: nil, indices: nil, dictionary_count: 0)
    }
}

/// 64-bit integers, or microseconds since 1970 of one row group; emptied and used again for the next.
public struct Int64Column: ~Copyable {
    var memory: ColumnMemory<Int64>
    var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        memory = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { memory.count }

    @inline(__always)
    public mutating func append(_ value: Int64) {
        memory.append(value)
        presence.append(true)
    }

    public mutating func appendNull() { presence.appendNull() }

    public mutating func append(repeating value: Int64, count: Int) {
        memory.append(repeating: value, count: count)
        presence.append(repeating: true, count: count)
    }

    public mutating func removeAll() {
        memory.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(count: Int64(memory.count), values: memory.base, ends: nil, indices: nil, dictionary_count: 0)
    }
}

/// Numbers of one row group; emptied and used again for the next.
public struct DoubleColumn: ~Copyable {
    var memory: ColumnMemory<Double>
    var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        memory = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { memory.count }

    @inline(__always)
    public mutating func append(_ value: Double) {
        memory.append(value)
        presence.append(true)
    }

    public mutating func appendNull() { presence.appendNull() }

    public mutating func append(repeating value: Double, count: Int) {
        memory.append(repeating: value, count: count)
        presence.append(repeating: true, count: count)
    }

    public mutating func removeAll() {
        memory.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(count: Int64(memory.count), values: memory.base, ends: nil, indices: nil, dictionary_count: 0)
    }
}

/// Truth values of one row group; emptied and used again for the next.
public struct BoolColumn: ~Copyable {
    var memory: ColumnMemory<Bool>
    var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        memory = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { memory.count }

    @inline(__always)
    public mutating func append(_ value: Bool) {
        memory.append(value)
        presence.append(true)
    }

    public mutating func appendNull() { presence.appendNull() }

    public mutating func append(repeating value: Bool, count: Int) {
        memory.append(repeating: value, count: count)
        presence.append(repeating: true, count: count)
    }

    public mutating func removeAll() {
        memory.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(count: Int64(memory.count), values: memory.base, ends: nil, indices: nil, dictionary_count: 0)
    }
}
