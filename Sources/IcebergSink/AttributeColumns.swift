import OTLPWire
import Parquet
import TraceModel

/// What the columns could not hold as it was sent.
struct RowDefects: OptionSet {
    var rawValue: UInt8

    static let invalidUTF8 = RowDefects(rawValue: 1)
    static let duplicateKey = RowDefects(rawValue: 2)
    static let outOfRange = RowDefects(rawValue: 4)
    static let undecodable = RowDefects(rawValue: 8)

    /// The names in the column `otlp_original_cause`.
    var text: String {
        let names: [(RowDefects, String)] = [
            (.invalidUTF8, "invalid_utf8"), (.duplicateKey, "duplicate_key"), (.outOfRange, "out_of_range"),
            (.undecodable, "undecodable"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: ",")
    }
}

/// The leaves of one column map<string, value>: the key and the six members of a value.
///
/// They share one set of levels; the kind of a value says which member is there.
struct AttributeColumns: ~Copyable {
    private var levels = ColumnLevels()
    private var key = MapKeyColumn()
    private var text = TextColumn(capacity: 1 << 16)
    private var integer = Int64Column()
    private var number = DoubleColumn()
    private var truth = BoolColumn()
    private var bytes = BytesColumn()
    private var json = BytesColumn(capacity: 64)
    private var encoder = AttributeJSON()
    /// Of the texts of the map at hand.
    private var hashes: [UInt32] = []
    private var known = KnownAttributes()
    /// Of the map that was prepared: the number of a known attribute, or the complement of an index on the tape.
    private var plan: [Int32] = []
    private var tape = AttributeTape()
    /// Definition level of a map without entries; an entry is one higher.
    private let emptyDefinition: UInt8
    /// Repetition level of the second entry and those behind it.
    private let entryRepetition: UInt8

    /// - Parameters:
    ///   - emptyDefinition: 1 for an optional column; one more for each optional or repeated field above.
    ///   - entryRepetition: 1 for a column; one more for each repeated field above.
    init(emptyDefinition: UInt8 = 1, entryRepetition: UInt8 = 1) {
        self.emptyDefinition = emptyDefinition
        self.entryRepetition = entryRepetition
    }

    private enum Member {
        static let text: UInt8 = 1
        static let integer: UInt8 = 2
        static let number: UInt8 = 3
        static let truth: UInt8 = 4
        static let bytes: UInt8 = 5
        static let json: UInt8 = 6
    }

    /// A row, or an element above the map, without a map.
    mutating func appendAbsent(definition: UInt8) {
        levels.append(definition: definition, repetition: 0)
    }

    /// Appends one map: the top nodes of the tape in `range`.
    ///
    /// - Parameter repetition: 0 when the map opens its row, else the level of what is repeated above it.
    mutating func append(
        _ range: Range<Int>, of nodes: [AttributeNode], in source: borrowing Span<UInt8>, repetition: UInt8 = 0
    ) -> RowDefects {
        guard !range.isEmpty else {
            levels.append(definition: emptyDefinition, repetition: repetition)
            return []
        }
        hashTexts(range, of: nodes, in: source)
        var nextText = 0
        var defects: RowDefects = []
        var next = range.lowerBound
        var level = repetition
        key.beginMap()
        while next < range.upperBound {
            let node = nodes[next]
            let first = next
            next = Int(node.next)
            let hash = node.kind == .string ? hashes[nextText] : 0
            if node.kind == .string { nextText += 1 }
            switch key.append(source.bytes, from: node.key.lowerBound, to: node.key.upperBound) {
            case .appended: break
            case .repaired: defects.insert(.invalidUTF8)
            case .repeated:
                defects.insert(.duplicateKey)
                continue
            }
            let choice = append(value: node, at: first, hash: hash, of: nodes, in: source, &defects)
            levels.append(definition: emptyDefinition + 1, repetition: level, choice: choice)
            level = entryRepetition
        }
        return defects
    }

    /// Looks at attributes that `appendPrepared` will append, without appending anything.
    ///
    /// - Parameter bodies: `KeyValue` messages.
    /// - Returns: Whether all of them could be read.
    mutating func prepare(_ bodies: [ByteRange], in source: borrowing Span<UInt8>) -> Bool {
        plan.removeAll(keepingCapacity: true)
        tape.removeAll()
        for body in bodies {
            if let number = known.find(body, in: source) {
                plan.append(Int32(truncatingIfNeeded: number))
                continue
            }
            plan.append(~Int32(truncatingIfNeeded: tape.nodes.count))
            do { try tape.append(keyValue: body, in: source.bytes) } catch { return false }
        }
        return true
    }

    /// Appends the map that was prepared, the only one of its row.
    ///
    /// - Parameter bodies: Those that were prepared.
    mutating func appendPrepared(_ bodies: [ByteRange], in source: borrowing Span<UInt8>) -> RowDefects {
        guard !plan.isEmpty else {
            levels.append(definition: emptyDefinition, repetition: 0)
            return []
        }
        let nodes = tape.nodes
        hashTexts(0..<nodes.count, of: nodes, in: source)
        var nextText = 0
        var defects: RowDefects = []
        var level: UInt8 = 0
        key.beginMap()
        for (index, step) in plan.enumerated() {
            var choice: UInt8?
            if step >= 0 {
                choice = append(known[Int(step)], &defects)
            } else {
                let node = nodes[Int(~step)]
                let hash = node.kind == .string ? hashes[nextText] : 0
                if node.kind == .string { nextText += 1 }
                choice = append(node, at: Int(~step), hash: hash, body: bodies[index], of: nodes, in: source, &defects)
            }
            guard let choice else { continue }
            levels.append(definition: emptyDefinition + 1, repetition: level, choice: choice)
            level = entryRepetition
        }
        return defects
    }

    /// - Returns: Nil when the map has the key already.
    private mutating func append(_ attribute: KnownAttribute, _ defects: inout RowDefects) -> UInt8? {
        guard key.append(number: attribute.key) else {
            defects.insert(.duplicateKey)
            return nil
        }
        switch attribute.member {
        case Member.text: text.append(number: Int32(truncatingIfNeeded: attribute.value))
        case Member.integer: integer.append(attribute.value)
        default: truth.append(attribute.value != 0)
        }
        return attribute.member
    }

    /// Appends an attribute, and remembers it when it is likely to come again.
    ///
    /// - Returns: Nil when the map has the key already.
    private mutating func append(
        _ node: AttributeNode, at index: Int, hash: UInt32, body: ByteRange, of nodes: [AttributeNode],
        in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) -> UInt8? {
        let outcome = key.append(source.bytes, from: node.key.lowerBound, to: node.key.upperBound)
        guard outcome != .repeated else {
            defects.insert(.duplicateKey)
            return nil
        }
        let differentTexts = text.differentCount
        var ofValue: RowDefects = outcome == .repaired ? .invalidUTF8 : []
        let member = append(value: node, at: index, hash: hash, of: nodes, in: source, &ofValue)
        defects.formUnion(ofValue)
        guard ofValue.isEmpty else { return member }
        switch member {
        case Member.text where text.differentCount == differentTexts:
            known.add(
                body, in: source,
                KnownAttribute(key: key.lastNumber, member: member, value: Int64(text.lastNumber)))
        case Member.integer where KnownAttributes.usual.contains(node.intValue), Member.truth:
            known.add(
                body, in: source, KnownAttribute(key: key.lastNumber, member: member, value: node.intValue))
        default: break
        }
        return member
    }

    /// The dictionary of texts is larger than the nearest cache: its memory is asked for before it is needed.
    private mutating func hashTexts(
        _ range: Range<Int>, of nodes: [AttributeNode], in source: borrowing Span<UInt8>
    ) {
        hashes.removeAll(keepingCapacity: true)
        var next = range.lowerBound
        while next < range.upperBound {
            let node = nodes[next]
            next = Int(node.next)
            guard node.kind == .string else { continue }
            hashes.append(
                text.hash(ofText: source.bytes, from: node.content.lowerBound, to: node.content.upperBound))
        }
    }

    private mutating func append(
        value node: AttributeNode, at index: Int, hash: UInt32, of nodes: [AttributeNode],
        in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) -> UInt8 {
        switch node.kind {
        case .empty:
            return 0
        case .string:
            let isValid = text.append(
                text: source.bytes, from: node.content.lowerBound, to: node.content.upperBound, hash: hash)
            if !isValid { defects.insert(.invalidUTF8) }
            return Member.text
        case .int:
            integer.append(node.intValue)
            return Member.integer
        case .double:
            number.append(node.doubleValue)
            return Member.number
        case .bool:
            truth.append(node.boolValue)
            return Member.truth
        case .bytes:
            bytes.append(bytes: source.bytes, from: node.content.lowerBound, to: node.content.upperBound)
            return Member.bytes
        case .array, .keyValueList:
            if !encoder.encode(index, of: nodes, in: source) { defects.insert(.invalidUTF8) }
            json.append(bytes: encoder.text)
            return Member.json
        }
    }

    /// Values of each leaf; of the levels their number.
    struct Counts {
        var levels = 0
        var key = 0
        var text = 0
        var integer = 0
        var number = 0
        var truth = 0
        var bytes = 0
        var json = 0
    }

    var counts: Counts {
        Counts(
            levels: levels.count, key: key.count, text: text.count, integer: integer.count, number: number.count,
            truth: truth.count, bytes: bytes.count, json: json.count)
    }

    /// Appends once more what was appended between two counts: whole maps, each the only one of its row.
    mutating func append(copyFrom start: Counts, to end: Counts) {
        levels.append(copyOf: start.levels..<end.levels)
        key.append(copyOf: start.key..<end.key)
        text.append(copyOf: start.text..<end.text)
        if start.integer < end.integer { integer.append(copyOf: start.integer..<end.integer) }
        if start.number < end.number { number.append(copyOf: start.number..<end.number) }
        if start.truth < end.truth { truth.append(copyOf: start.truth..<end.truth) }
        if start.bytes < end.bytes { bytes.append(copyOf: start.bytes..<end.bytes) }
        if start.json < end.json { json.append(copyOf: start.json..<end.json) }
    }

    mutating func removeAll() {
        levels.removeAll()
        key.removeAll()
        known.removeAll()
        text.removeAll()
        integer.removeAll()
        number.removeAll()
        truth.removeAll()
        bytes.removeAll()
        json.removeAll()
    }

    /// Writes the seven leaves in the order of the schema.
    borrowing func write(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.write(key, at: levels)
        try writer.write(text, at: levels, member: Member.text)
        try writer.write(integer, at: levels, member: Member.integer)
        try writer.write(number, at: levels, member: Member.number)
        try writer.write(truth, at: levels, member: Member.truth)
        try writer.write(bytes, at: levels, member: Member.bytes)
        try writer.write(json, at: levels, member: Member.json)
    }
}
