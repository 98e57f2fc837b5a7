import OTLPWire
import Parquet
import TraceModel

/// The leaves of the table's columns for the rows of one row group, filled span by span from the wire.
///
/// Every leaf is flat memory that is emptied and used again; the order of `write` is that of `SpanTable.schema`.
struct SpanColumns: ~Copyable {
    private(set) var rowCount = 0

    private var traceID = BytesColumn()
    private var spanID = BytesColumn()
    private var parentSpanID = BytesColumn(isOptional: true)
    private var timestamp = Int64Column(isOptional: true)
    private var duration = Int64Column(isOptional: true)
    private var statusCode = Int32Column(isOptional: true)
    private var spanKind = Int32Column(isOptional: true)
    private var serviceName = BytesColumn(isOptional: true)
    private var operationName = BytesColumn(isOptional: true)
    private var startTime = Int64Column(isOptional: true)
    private var startNano = Int64Column(isOptional: true)
    private var endNano = Int64Column(isOptional: true)
    private var statusMessage = BytesColumn(isOptional: true)
    private var traceState = BytesColumn(isOptional: true)
    private var flags = Int64Column(isOptional: true)
    private var attributes = AttributeColumns()
    private var droppedAttributes = Int64Column(isOptional: true)
    private var events = EventColumns()
    private var droppedEvents = Int64Column(isOptional: true)
    private var links = LinkColumns()
    private var droppedLinks = Int64Column(isOptional: true)
    private var resourceAttributes = AttributeColumns()
    private var resourceDropped = Int64Column(isOptional: true)
    private var resourceSchemaURL = BytesColumn(isOptional: true)
    private var scopeName = BytesColumn(isOptional: true)
    private var scopeVersion = BytesColumn(isOptional: true)
    private var scopeAttributes = AttributeColumns()
    private var scopeDropped = Int64Column(isOptional: true)
    private var scopeSchemaURL = BytesColumn(isOptional: true)
    private var reason = BytesColumn(isOptional: true)
    private var policy = BytesColumn(isOptional: true)
    private var adjustedCount = DoubleColumn(isOptional: true)
    private var decidedAt = Int64Column(isOptional: true)
    private var sourceTopic = BytesColumn()
    private var sourceGeneration = Int64Column()
    private var sourcePartition = Int32Column()
    private var sourceOffset = Int64Column()
    private var sourceIndex = Int32Column()
    private var original = BytesColumn(isOptional: true, capacity: 64)
    private var originalCause = BytesColumn(isOptional: true, capacity: 64)

    /// Appends one row; what the columns cannot hold goes to `otlp_original` whole.
    ///
    /// - Parameters:
    ///   - place: Its start is that of the columns: the partition and the order of the file are made from it.
    ///   - hasStartTime: False for the null partition: `start_time` is null.
    ///   - view: The span, its resource and its scope, decoded.
    /// - Returns: What the columns could not hold.
    mutating func append(
        _ span: KeptSpan, _ place: RowPlace, of sampled: borrowing SampledRow, view: borrowing SpanView,
        hasStartTime: Bool, in source: borrowing Span<UInt8>
    ) -> RowDefects {
        var defects = view.defects
        appendStart(place.start, hasStartTime: hasStartTime)
        if defects.contains(.undecodable) {
            appendNulls()
        } else {
            if Self.time(view.span.startTimeUnixNano, &defects) != place.start { defects.insert(.outOfRange) }
            appendSpan(view.span, from: place.start, in: source, &defects)
            appendCollections(view.span, in: source, &defects)
            appendResource(view, span, in: source, &defects)
            appendScope(view.scope, span, in: source, &defects)
        }
        traceID.append(hexadecimal: sampled.traceID.high, sampled.traceID.low)
        spanID.append(hexadecimal: span.spanID.value)
        appendDecision(sampled)
        sourcePartition.append(sampled.partition)
        sourceOffset.append(span.offset)
        sourceIndex.append(Int32(truncatingIfNeeded: span.index))
        appendOriginal(span, in: source, defects)
        rowCount += 1
        return defects
    }

    /// - Parameter start: Nanoseconds since 1970; negative when it cannot be read.
    private mutating func appendStart(_ start: Int64, hasStartTime: Bool) {
        if hasStartTime { startTime.append(start / 1000) } else { startTime.appendNull() }
        guard start >= 0 else {
            timestamp.appendNull()
            startNano.appendNull()
            return
        }
        timestamp.append(start / 1_000_000)
        startNano.append(start)
    }

    private mutating func appendSpan(
        _ span: borrowing SpanContents, from start: Int64, in source: borrowing Span<UInt8>,
        _ defects: inout RowDefects
    ) {
        let end = Self.time(span.endTimeUnixNano, &defects)
        // Toward zero, as the decision's own duration is.
        duration.append((end - start) / 1_000_000)
        statusCode.append(span.statusCode)
        spanKind.append(span.kind)
        endNano.append(end)
        operationName.append(span.name, in: source, &defects)
        statusMessage.appendUnlessEmpty(span.statusMessage, in: source, &defects)
        traceState.appendUnlessEmpty(span.traceState, in: source, &defects)
        flags.append(Int64(span.flags))
        droppedAttributes.append(Int64(span.droppedAttributesCount))
        droppedEvents.append(Int64(span.droppedEventsCount))
        droppedLinks.append(Int64(span.droppedLinksCount))
        appendParent(span.parentSpanID, in: source, &defects)
    }

    /// Eight bytes that are not all zero are a parent; none, and all zero, are a root.
    private mutating func appendParent(
        _ range: ByteRange, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        var word: UInt64 = 0
        if range.count == 8 {
            for offset in range.lowerBound..<range.upperBound { word = word << 8 | UInt64(source[offset]) }
        } else if !range.isEmpty {
            defects.insert(.outOfRange)
        }
        if word == 0 { parentSpanID.appendNull() } else { parentSpanID.append(hexadecimal: word) }
    }

    private mutating func appendCollections(
        _ span: borrowing SpanContents, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        let nodes = span.tape.nodes
        defects.formUnion(attributes.append(span.attributes, of: nodes, in: source))
        events.append(span.events, of: nodes, in: source, &defects)
        links.append(span.links, of: nodes, in: source, &defects)
    }

    private mutating func appendResource(
        _ view: borrowing SpanView, _ span: KeptSpan, in source: borrowing Span<UInt8>,
        _ defects: inout RowDefects
    ) {
        let nodes = view.resource.tape.nodes
        defects.formUnion(resourceAttributes.append(0..<nodes.count, of: nodes, in: source))
        resourceDropped.append(Int64(view.resource.droppedAttributesCount))
        resourceSchemaURL.appendUnlessEmpty(span.resourceSchemaURL, in: source, &defects)
        if view.serviceName.isEmpty {
            serviceName.append(text: SpanTable.unknownService)
        } else {
            serviceName.append(view.serviceName, in: source, &defects)
        }
    }

    private mutating func appendScope(
        _ scope: borrowing ScopeContents, _ span: KeptSpan, in source: borrowing Span<UInt8>,
        _ defects: inout RowDefects
    ) {
        scopeName.appendUnlessEmpty(scope.name, in: source, &defects)
        scopeVersion.appendUnlessEmpty(scope.version, in: source, &defects)
        let nodes = scope.tape.nodes
        defects.formUnion(scopeAttributes.append(0..<nodes.count, of: nodes, in: source))
        scopeDropped.append(Int64(scope.droppedAttributesCount))
        scopeSchemaURL.appendUnlessEmpty(span.scopeSchemaURL, in: source, &defects)
    }

    private mutating func appendDecision(_ sampled: borrowing SampledRow) {
        reason.append(bytes: sampled.reason)
        policy.append(text: sampled.policy.span.bytes, from: 0, to: sampled.policy.count)
        adjustedCount.append(sampled.adjustedCount)
        decidedAt.append(sampled.decidedAtMicroseconds)
    }

    private mutating func appendOriginal(
        _ span: KeptSpan, in source: borrowing Span<UInt8>, _ defects: RowDefects
    ) {
        guard !defects.isEmpty else {
            original.appendNull()
            originalCause.appendNull()
            return
        }
        original.append(bytes: OriginalMessage.bytes(of: span, in: source))
        originalCause.append(text: defects.text)
    }

    /// A row of a span whose bytes cannot be read: everything that comes from them is null, but its start perhaps.
    private mutating func appendNulls() {
        parentSpanID.appendNull()
        duration.appendNull()
        statusCode.appendNull()
        spanKind.appendNull()
        serviceName.appendNull()
        operationName.appendNull()
        endNano.appendNull()
        statusMessage.appendNull()
        traceState.appendNull()
        flags.appendNull()
        attributes.appendAbsent(definition: 0)
        droppedAttributes.appendNull()
        events.appendAbsent()
        droppedEvents.appendNull()
        links.appendAbsent()
        droppedLinks.appendNull()
        resourceAttributes.appendAbsent(definition: 0)
        resourceDropped.appendNull()
        resourceSchemaURL.appendNull()
        scopeName.appendNull()
        scopeVersion.appendNull()
        scopeAttributes.appendAbsent(definition: 0)
        scopeDropped.appendNull()
        scopeSchemaURL.appendNull()
    }

    /// Nanoseconds since 1970 as a long; later than 2262 is the largest.
    static func time(_ nanoseconds: UInt64, _ defects: inout RowDefects) -> Int64 {
        guard let time = Int64(exactly: nanoseconds) else {
            defects.insert(.outOfRange)
            return .max
        }
        return time
    }

    /// Fills in the columns that are the same in every row.
    mutating func finish(source: SourceID) {
        guard rowCount > 0 else { return }
        sourceTopic.append(text: source.topic)
        sourceTopic.repeatLast(count: rowCount - 1)
        sourceGeneration.append(repeating: source.generation, count: rowCount)
    }

    mutating func removeAll() {
        rowCount = 0
        traceID.removeAll()
        spanID.removeAll()
        parentSpanID.removeAll()
        timestamp.removeAll()
        duration.removeAll()
        statusCode.removeAll()
        spanKind.removeAll()
        serviceName.removeAll()
        operationName.removeAll()
        startTime.removeAll()
        startNano.removeAll()
        endNano.removeAll()
        statusMessage.removeAll()
        traceState.removeAll()
        flags.removeAll()
        attributes.removeAll()
        droppedAttributes.removeAll()
        events.removeAll()
        droppedEvents.removeAll()
        links.removeAll()
        droppedLinks.removeAll()
        resourceAttributes.removeAll()
        resourceDropped.removeAll()
        resourceSchemaURL.removeAll()
        scopeName.removeAll()
        scopeVersion.removeAll()
        scopeAttributes.removeAll()
        scopeDropped.removeAll()
        scopeSchemaURL.removeAll()
        reason.removeAll()
        policy.removeAll()
        adjustedCount.removeAll()
        decidedAt.removeAll()
        sourceTopic.removeAll()
        sourceGeneration.removeAll()
        sourcePartition.removeAll()
        sourceOffset.removeAll()
        sourceIndex.removeAll()
        original.removeAll()
        originalCause.removeAll()
    }

    /// Writes the rows as one row group.
    borrowing func write(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.beginRowGroup()
        try writeKnown(to: &writer)
        try writer.write(statusMessage)
        try writer.write(traceState)
        try writer.write(flags)
        try attributes.write(to: &writer)
        try writer.write(droppedAttributes)
        try events.write(to: &writer)
        try writer.write(droppedEvents)
        try links.write(to: &writer)
        try writer.write(droppedLinks)
        try resourceAttributes.write(to: &writer)
        try writer.write(resourceDropped)
        try writer.write(resourceSchemaURL)
        try writer.write(scopeName)
        try writer.write(scopeVersion)
        try scopeAttributes.write(to: &writer)
        try writer.write(scopeDropped)
        try writer.write(scopeSchemaURL)
        try writeOrigin(to: &writer)
        try writer.endRowGroup()
    }

    private borrowing func writeKnown(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.write(traceID)
        try writer.write(spanID)
        try writer.write(parentSpanID)
        try writer.write(timestamp)
        try writer.write(duration)
        try writer.write(statusCode)
        try writer.write(spanKind)
        try writer.write(serviceName)
        try writer.write(operationName)
        try writer.write(startTime)
        try writer.write(startNano)
        try writer.write(endNano)
    }

    private borrowing func writeOrigin(to writer: inout ParquetWriter) throws(ParquetError) {
        try writer.write(reason)
        try writer.write(policy)
        try writer.write(adjustedCount)
        try writer.write(decidedAt)
        try writer.write(sourceTopic)
        try writer.write(sourceGeneration)
        try writer.write(sourcePartition)
        try writer.write(sourceOffset)
        try writer.write(sourceIndex)
        try writer.write(original)
        try writer.write(originalCause)
    }
}

extension BytesColumn {
    mutating func append(
        _ range: ByteRange, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if !append(text: source.bytes, from: range.lowerBound, to: range.upperBound) {
            defects.insert(.invalidUTF8)
        }
    }

    /// In OTLP an absent and an empty text are the same: null.
    mutating func appendUnlessEmpty(
        _ range: ByteRange, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if range.isEmpty { appendNull() } else { append(range, in: source, &defects) }
    }
}
