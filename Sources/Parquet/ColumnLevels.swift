import CParquet
import Synchronization

/// Where the values of a repeated column stand: Parquet's definition and repetition levels, one pair for each
/// element and each list that is empty or absent.
///
/// All leaves of a list or map share one: they differ only in which member of a struct has a value, and that is the
/// `choice` (0 for none), one higher than the definition here for the leaf that was chosen.
///
///     bits  0…7 definition   8…15 repetition   16…23 choice
///
/// Source: Apache Parquet, "Nested encoding"; Dremel (Melnik et al., 2010).
public struct ColumnLevels: ~Copyable {
    @usableFromInline var places: ColumnMemory<UInt32>
    /// No other levels of this process have it: with the count it says whether levels are the same as before.
    private var version: UInt64

    private static let versions = Atomic<UInt64>(0)

    public init(capacity: Int = 1 << 14) {
        places = ColumnMemory(capacity: capacity)
        version = Self.nextVersion()
    }

    private static func nextVersion() -> UInt64 {
        versions.wrappingAdd(1, ordering: .relaxed).newValue
    }

    @inlinable
    public var count: Int { places.count }

    /// - Parameters:
    ///   - definition: How many of the optional and repeated fields above are there.
    ///   - repetition: At which of the repeated fields a new element begins; 0 for a new row.
    ///   - choice: Which member has a value; 0 for none.
    @inlinable @inline(__always)
    public mutating func append(definition: UInt8, repetition: UInt8, choice: UInt8 = 0) {
        places.append(UInt32(definition) | UInt32(repetition) << 8 | UInt32(choice) << 16)
    }

    /// Appends levels that are there already once more.
    public mutating func append(copyOf range: Range<Int>) { places.append(copyOf: range) }

    public mutating func removeAll() {
        places.removeAll()
        version = Self.nextVersion()
    }

    /// - Parameter chosen: The member that the leaf is; nil when it has a value wherever its element is there.
    borrowing func levels(chosen: UInt8?) -> cpq_levels {
        cpq_levels(
            count: Int64(count), definition: nil, places: places.base, chosen: chosen.map(Int32.init) ?? -1,
            version: version)
    }
}

/// Whether the rows of a flat column have a value.
@usableFromInline
struct ColumnPresence: ~Copyable {
    /// Nothing is stored for a required column.
    @usableFromInline let isOptional: Bool
    @usableFromInline var definition: ColumnMemory<UInt8>

    init(isOptional: Bool, capacity: Int) {
        self.isOptional = isOptional
        definition = ColumnMemory(capacity: isOptional ? capacity : 0)
    }

    @inlinable @inline(__always)
    mutating func append(_ isPresent: Bool) {
        if isOptional { definition.append(isPresent ? 1 : 0) }
    }

    @inlinable @inline(__always)
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
            definition: isOptional ? definition.base : nil, places: nil, chosen: -1, version: 0)
    }
}
