import OTLPWire
import Parquet
import TraceModel

/// The leaves of the column `events`.
///
/// Definition levels: 0 no list (undecodable), 1 an empty list, 2 an event; the maps inside add to it.
struct EventColumns: ~Copyable {
    private var levels = ColumnLevels(capacity: 8192)
    private var time = Int64Column()
    private var name = TextColumn()
    private var attributes = AttributeColumns(emptyDefinition: 2, entryRepetition: 2)
    private var dropped = Int64Column()

    mutating func appendAbsent() { appendNone(definition: 0) }

    private mutating func appendNone(definition: UInt8) {
        levels.append(definition: definition, repetition: 0)
        attributes.appendAbsent(definition: definition)
    }

    mutating func append(
        _ events: [EventContents], of nodes: [AttributeNode], in source: borrowing Span<UInt8>,
        _ defects: inout RowDefects
    ) {
        if events.isEmpty { appendNone(definition: 1) }
        var repetition: UInt8 = 0
        for event in events {
            levels.append(definition: 2, repetition: repetition)
            time.append(SpanColumns.time(event.timeUnixNano, &defects))
            name.append(event.name, in: source, &defects)
            defects.formUnion(
                attributes.append(event.attributes, of: nodes, in: source, repetition: repetition))
            dropped.append(Int64(event.droppedAttributesCount))
            repetition = 1
        }
    }

    mutating func removeAll() {
        levels.removeAll()
        time.removeAll()
        name.removeAll()
        attributes.removeAll()
        dropped.removeAll()
    }

    borrowing func write(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.write(time, at: levels)
        try writer.write(name, at: levels)
        try attributes.write(to: &writer)
        try writer.write(dropped, at: levels)
    }
}

/// The leaves of the column `links`; levels as in `EventColumns`, choice 1 for a trace state.
struct LinkColumns: ~Copyable {
    private var levels = ColumnLevels(capacity: 8192)
    private var traceID = BytesColumn()
    private var spanID = BytesColumn()
    private var traceState = TextColumn(capacity: 64)
    private var attributes = AttributeColumns(emptyDefinition: 2, entryRepetition: 2)
    private var dropped = Int64Column()
    private var flags = Int64Column()

    mutating func appendAbsent() { appendNone(definition: 0) }

    private mutating func appendNone(definition: UInt8) {
        levels.append(definition: definition, repetition: 0)
        attributes.appendAbsent(definition: definition)
    }

    mutating func append(
        _ links: [LinkContents], of nodes: [AttributeNode], in source: borrowing Span<UInt8>,
        _ defects: inout RowDefects
    ) {
        if links.isEmpty { appendNone(definition: 1) }
        var repetition: UInt8 = 0
        for link in links {
            levels.append(
                definition: 2, repetition: repetition, choice: link.traceState.isEmpty ? 0 : 1)
            traceID.append(
                hexadecimal: source.bytes, from: link.traceID.lowerBound, to: link.traceID.upperBound)
            spanID.append(
                hexadecimal: source.bytes, from: link.spanID.lowerBound, to: link.spanID.upperBound)
            if !link.traceState.isEmpty { traceState.append(link.traceState, in: source, &defects) }
            defects.formUnion(
                attributes.append(link.attributes, of: nodes, in: source, repetition: repetition))
            dropped.append(Int64(link.droppedAttributesCount))
            flags.append(Int64(link.flags))
            repetition = 1
        }
    }

    mutating func removeAll() {
        levels.removeAll()
        traceID.removeAll()
        spanID.removeAll()
        traceState.removeAll()
        attributes.removeAll()
        dropped.removeAll()
        flags.removeAll()
    }

    borrowing func write(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.write(traceID, at: levels)
        try writer.write(spanID, at: levels)
        try writer.write(traceState, at: levels, member: 1)
        try attributes.write(to: &writer)
        try writer.write(dropped, at: levels)
        try writer.write(flags, at: levels)
    }
}
