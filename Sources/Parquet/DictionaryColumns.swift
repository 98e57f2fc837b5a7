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

    /// What `append(text:from:to:hash:)` wants to know of a text; asks for the memory that it will look at. For texts
    /// that come together: all hashes first, then all texts.
    public func hash(ofText source: borrowing RawSpan, from start: Int, to end: Int) -> UInt32 {
        let hash = dictionary.hash(of: source, from: start, to: end)
        dictionary.prefetch(hash)
        return hash
    }

    /// As `append(text:from:to:)`.
    public mutating func append(
        text source: borrowing RawSpan, from start: Int, to end: Int, hash: UInt32
    ) -> Bool {
        let (number, wasValid) = dictionary.insert(source, from: start, to: end, hash: hash)
        numbers.append(number)
        presence.append(true)
        return wasValid
    }

    public mutating func append(text: String) {
        let utf8 = Array(text.utf8)
        append(text: utf8.span.bytes, from: 0, to: utf8.count)
    }

    /// The number of the text that was appended last: it stands for the text until `removeAll`.
    public var lastNumber: Int32 {
        precondition(numbers.count > 0)
        return numbers.base[numbers.count - 1]
    }

    /// Texts of the dictionary.
    public var differentCount: Int { dictionary.count }

    /// Appends a text that was appended before.
    public mutating func append(number: Int32) {
        precondition(number >= 0 && number < dictionary.count)
        numbers.append(number)
        presence.append(true)
    }

    /// Appends the value that is last once more, `count` times.
    public mutating func repeatLast(count: Int = 1) {
        guard count > 0 else { return }
        numbers.append(repeating: lastNumber, count: count)
        presence.append(repeating: true, count: count)
    }

    /// Appends values that are there already once more.
    public mutating func append(copyOf range: Range<Int>) {
        numbers.append(copyOf: range)
        presence.append(repeating: true, count: range.count)
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

/// Texts that come in runs, as those of the column that a file is sorted by do; emptied and used again for the next.
///
/// Each run is stored once, and not looked for: a text that comes back later is stored again.
public struct RunColumn: ~Copyable {
    private var texts: BytesColumn
    private var numbers: ColumnMemory<Int32>

    public init(capacity: Int = 8192) {
        texts = BytesColumn(capacity: capacity)
        numbers = ColumnMemory(capacity: capacity)
    }

    public var count: Int { numbers.count }

    /// Appends 32 lower-case hexadecimal digits, the first of a run.
    public mutating func beginRun(hexadecimal high: UInt64, _ low: UInt64) {
        numbers.append(Int32(texts.count))
        texts.append(hexadecimal: high, low)
    }

    /// Appends the text of the run that began last.
    public mutating func continueRun() {
        precondition(texts.count > 0)
        numbers.append(Int32(truncatingIfNeeded: texts.count &- 1))
    }

    public mutating func removeAll() {
        texts.removeAll()
        numbers.removeAll()
    }

    borrowing func levels() -> cpq_levels {
        cpq_levels(count: Int64(numbers.count), definition: nil, places: nil, chosen: -1, version: 0)
    }

    borrowing func values() -> cpq_values {
        var values = texts.values()
        values.count = Int64(numbers.count)
        values.dictionary_count = Int64(texts.count)
        values.indices = UnsafePointer(numbers.base)
        return values
    }
}

/// The keys of the maps of one row group, different in each map: readers want them so ("Map keys must be unique",
/// DuckDB 1.5).
public struct MapKeyColumn: ~Copyable {
    private var dictionary = TextDictionary()
    private var numbers: ColumnMemory<Int32>
    /// For each text of the dictionary the map that has it, counted from 1.
    private var lastMap: ColumnMemory<UInt32>
    /// For each text of the dictionary the one that followed it last: maps of one kind have their keys in one order,
    /// and to compare with one text costs a third of looking for it.
    private var successor: ColumnMemory<Int32>
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
        successor = ColumnMemory(capacity: 1 << 10)
    }

    /// Keys of all maps.
    public var count: Int { numbers.count }

    /// The keys that follow are those of another map.
    public mutating func beginMap() { map += 1 }

    public mutating func append(_ source: borrowing RawSpan, from start: Int, to end: Int) -> Outcome {
        let last = numbers.count == 0 ? 0 : Int(numbers.base[numbers.count &- 1])
        if last < successor.count {
            let guess = successor.base[last]
            if dictionary.has(source, from: start, to: end, as: guess), lastMap.base[Int(guess)] != map {
                lastMap.base[Int(guess)] = map
                numbers.append(guess)
                return .appended
            }
        }
        let (number, wasValid) = dictionary.insert(source, from: start, to: end)
        if Int(number) == lastMap.count {
            lastMap.append(0)
            successor.append(number)
        }
        guard lastMap.base[Int(number)] != map else { return .repeated }
        lastMap.base[Int(number)] = map
        successor.base[last] = number
        numbers.append(number)
        return wasValid ? .appended : .repaired
    }

    /// The number of the key that was appended last: it stands for the key until `removeAll`.
    public var lastNumber: Int32 {
        precondition(numbers.count > 0)
        return numbers.base[numbers.count - 1]
    }

    /// Appends a key that was appended before.
    ///
    /// - Returns: False when the map has it already: nothing was appended.
    public mutating func append(number: Int32) -> Bool {
        precondition(number >= 0 && number < lastMap.count)
        guard lastMap.base[Int(number)] != map else { return false }
        lastMap.base[Int(number)] = map
        numbers.append(number)
        return true
    }

    /// Appends the keys of maps that are there already once more.
    public mutating func append(copyOf range: Range<Int>) { numbers.append(copyOf: range) }

    public mutating func removeAll() {
        dictionary.removeAll()
        numbers.removeAll()
        lastMap.removeAll()
        successor.removeAll()
        map = 0
    }

    borrowing func values() -> cpq_values {
        cpq_values(
            count: Int64(numbers.count), values: dictionary.bytes.base, ends: dictionary.ends.base,
            indices: numbers.base, dictionary_count: Int64(dictionary.count))
    }
}

/// A number for each different string of bytes, from 0 in the order they come.
public struct BytesIndex: ~Copyable {
    private var dictionary = TextDictionary()

    public init() {}

    public var count: Int { dictionary.count }

    /// The number of `source[start..<end]`; the count until now when it is new.
    public mutating func number(of source: borrowing RawSpan, from start: Int, to end: Int) -> Int {
        Int(dictionary.insert(bytes: source, from: start, to: end))
    }

    /// The number of `source[start..<end]`; nil when it has none.
    public func find(_ source: borrowing RawSpan, from start: Int, to end: Int) -> Int? {
        dictionary.find(bytes: source, from: start, to: end).map(Int.init)
    }

    public mutating func removeAll() { dictionary.removeAll() }
}
