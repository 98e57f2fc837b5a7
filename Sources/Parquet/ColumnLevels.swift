import CParquet

/// Where the values of a repeated column stand: Parquet's definition and repetition levels, one pair for each
/// element and each list that is empty or absent.
///
/// All leaves of a list or map share one: they differ only in which member of a struct has a value, and that is the
/// `choice` (0 for none), one higher than the definition here for the leaf that was chosen.
///
/// Source: Apache Parquet, "Nested encoding"; Dremel (Melnik et al., 2010).
public struct ColumnLevels: ~Copyable {
    var definition: ColumnMemory<Int16>
    var repetition: ColumnMemory<Int16>
    var choice: ColumnMemory<UInt8>

    public init(capacity: Int = 1 << 14) {
        definition = ColumnMemory(capacity: capacity)
        repetition = ColumnMemory(capacity: capacity)
        choice = ColumnMemory(capacity: capacity)
    }

    public var count: Int { definition.count }

    /// - Parameters:
    ///   - definition: How many of the optional and repeated fields above are there.
    ///   - repetition: At which of the repeated fields a new element begins; 0 for a new row.
    ///   - choice: Which member has a value; 0 for none.
    @inline(__always)
    public mutating func append(definition: Int16, repetition: Int16, choice: UInt8 = 0) {
        self.definition.append(definition)
        self.repetition.append(repetition)
        self.choice.append(choice)
    }

    public mutating func removeAll() {
        definition.removeAll()
        repetition.removeAll()
        choice.removeAll()
    }

    /// - Parameter chosen: The member that the leaf is; nil when it has a value wherever its element is there.
    borrowing func levels(chosen: UInt8?) -> cpq_levels {
        cpq_levels(
            count: Int64(count), definition: definition.base, repetition: repetition.base,
            choice: choice.base, chosen: chosen.map(Int32.init) ?? -1)
    }
}

/// Whether the rows of a flat column have a value.
struct ColumnPresence: ~Copyable {
    /// Nothing is stored for a required column.
    let isOptional: Bool
    private var definition: ColumnMemory<Int16>

    init(isOptional: Bool, capacity: Int) {
        self.isOptional = isOptional
        definition = ColumnMemory(capacity: isOptional ? capacity : 0)
    }

    @inline(__always)
    mutating func append(_ isPresent: Bool) {
        if isOptional { definition.append(isPresent ? 1 : 0) }
    }

    mutating func appendNull() {
        precondition(isOptional, "a required column has no nulls")
        definition.append(0)
    }

    mutating func append(repeating isPresent: Bool, count: Int) {
        if isOptional { definition.append(repeating: isPresent ? 1 : 0, count: count) }
    }

    mutating func removeAll() { definition.removeAll() }

    borrowing func levels(valueCount: Int) -> cpq_levels {
        cpq_levels(
            count: Int64(isOptional ? definition.count : valueCount),
            definition: isOptional ? definition.base : nil, repetition: nil, choice: nil, chosen: -1)
    }
}
