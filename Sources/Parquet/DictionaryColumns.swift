import CParquet

/// Texts of one row group, each different one stored once; emptied and used again for the next.
///
/// For columns whose texts repeat. They are written dictionary-encoded when the different ones fit into a page.
public struct TextColumn: ~Copyable {
    private var dictionary = TextDictionary()
    private var numbers: ColumnMemory<Int32>
    var presence: ColumnPresence

    /// - Parameter isOptional: Whether rows may be null; of a flat column only.
    public init(isOptional: Bool = false, capacity: Int = 8192) {
        numbers = ColumnMemory(capacity: capacity)
        presence = ColumnPresence(isOptional: isOptional, capacity: capacity)
    }

    /// Values, nulls not counted.
    public var count: Int { numbers.count }

    public mutating func appendNull() { presence.appendNull() }

    /// Appends a text, with U+FFFD for each part of it that is not UTF-8.
    ///
    /// - Returns: Whether it was UTF-8 as it is.
    @discardableResult
    public mutating func append(text source: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        let (number, wasValid) = dictionary.insert(source, from: start, to: end)
        numbers.append(number)
        presence.append(true)
        return wasValid
    }

    public mutating func append(text: String) {
        let utf8 = Array(text.utf8)
        append(text: utf8.span.bytes, from: 0, to: utf8.count)
    }

    /// Appends the value that is last once more, `count` times.
    public mutating func repeatLast(count: Int) {
        guard count > 0 else { return }
        precondition(numbers.count > 0)
        numbers.append(repeating: numbers.base[numbers.count - 1], count: count)
        presence.append(repeating: true, count: count)
    }

    public mutating func removeAll() {
        dictionary.removeAll()
        numbers.removeAll()
        presence.removeAll()
    }

    borrowing func values() -> cpq_values {
        cpq_values(
            count: Int64(numbers.count), values: dictionary.bytes.base, ends: dictionary.ends.base,
            indices: numbers.base, dictionary_count: Int64(dictionary.count))
    }
}

/// The keys of the maps of one row group, different in each map: readers want them so ("Map keys must be unique",
/// DuckDB 1.5).
public struct MapKeyColumn: ~Copyable {
    private var dictionary = TextDictionary()
    private var numbers: ColumnMemory<Int32>
    /// For each text of the dictionary the map that has it, counted from 1.
    private var lastMap: ColumnMemory<UInt32>
    private var map: UInt32 = 0

    public enum Outcome: Sendable, Hashable {
        case appended
        /// Appended with U+FFFD for each part that is not UTF-8.
        case repaired
        /// The map has it already (perhaps after repair): nothing was appended.
        case repeated
    }

    public init() {
        numbers = ColumnMemory(capacity: 1 << 16)
        lastMap = ColumnMemory(capacity: 1 << 10)
    }

    /// Keys of all maps.
    public var count: Int { numbers.count }

    /// The keys that follow are those of another map.
    public mutating func beginMap() { map += 1 }

    public mutating func append(_ source: borrowing RawSpan, from start: Int, to end: Int) -> Outcome {
        let (number, wasValid) = dictionary.insert(source, from: start, to: end)
        if Int(number) == lastMap.count { lastMap.append(0) }
        guard lastMap.base[Int(number)] != map else { return .repeated }
        lastMap.base[Int(number)] = map
        numbers.append(number)
        return wasValid ? .appended : .repaired
    }

    public mutating func removeAll() {
        dictionary.removeAll()
        numbers.removeAll()
        lastMap.removeAll()
        map = 0
    }

    borrowing func values() -> cpq_values {
        cpq_values(
            count: Int64(numbers.count), values: dictionary.bytes.base, ends: dictionary.ends.base,
            indices: numbers.base, dictionary_count: Int64(dictionary.count))
    }
}
