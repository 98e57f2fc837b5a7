import OTLPWire
import Parquet
import TraceModel

/// The leaves of the table's columns for the rows of one row group, filled span by span from the wire.
///
/// Every leaf is flat memory that is emptied and used again; the order of `write` is that of `SpanTable.schema`.
struct SpanColumns: ~Copyable {
    private(set) var rowCount = 0

    private var traceID = RunColumn()
    private var spanID = BytesColumn()
    private var parentSpanID = BytesColumn(isOptional: true)
    private var timestamp = Int64Column(isOptional: true)
    private var duration = Int64Column(isOptional: true)
    private var statusCode = Int32Column(isOptional: true)
    private var spanKind = Int32Column(isOptional: true)
    private var serviceName = TextColumn(isOptional: true)
    private var operationName = TextColumn(isOptional: true)
    private var startTime = Int64Column(isOptional: true)
    private var startNano = Int64Column(isOptional: true)
    private var endNano = Int64Column(isOptional: true)
    private var statusMessage = TextColumn(isOptional: true)
    private var traceState = TextColumn(isOptional: true)
    private var flags = Int64Column(isOptional: true)
    private var attributes = AttributeColumns()
    private var droppedAttributes = Int64Column(isOptional: true)
    private var events = EventColumns()
    private var droppedEvents = Int64Column(isOptional: true)
    private var links = LinkColumns()
    private var droppedLinks = Int64Column(isOptional: true)
    private var resourceAttributes = AttributeColumns()
    private var resourceDropped = Int64Column(isOptional: true)
    private var resourceSchemaURL = TextColumn(isOptional: true)
    private var scopeName = TextColumn(isOptional: true)
    private var scopeVersion = TextColumn(isOptional: true)
    private var scopeAttributes = AttributeColumns()
    private var scopeDropped = Int64Column(isOptional: true)
    private var scopeSchemaURL = TextColumn(isOptional: true)
    private var reason = TextColumn(isOptional: true)
    private var policy = TextColumn(isOptional: true)
    private var adjustedCount = DoubleColumn(isOptional: true)
    private var decidedAt = Int64Column(isOptional: true)
    private var sourceTopic = TextColumn()
    private var sourceGeneration = Int64Column()
    private var sourcePartition = Int32Column()
    private var sourceOffset = Int64Column()
    private var sourceIndex = Int32Column()
    private var original = BytesColumn(isOptional: true, capacity: 64)
    private var originalCause = TextColumn(isOptional: true, capacity: 64)

    private var view = SpanView()
    private var resources = SharedParts<ResourcePart>()
    private var scopes = SharedParts<ScopePart>()
    private var isNewTrace = true

    /// The rows that follow are of another trace, their ranges of another arena.
    mutating func beginTrace() {
        isNewTrace = true
        resources.forgetRanges()
        scopes.forgetRanges()
    }

    /// Appends one row; what the columns cannot hold goes to `otlp_original` whole.
    ///
    /// - Parameters:
    ///   - place: Its start is that of the columns: the partition and the order of the file are made from it.
    ///   - hasStartTime: False for the null partition: `start_time` is null.
    /// - Returns: What the columns could not hold.
    mutating func append(
        _ span: KeptSpan, _ place: RowPlace, of sampled: borrowing SampledRow, hasStartTime: Bool,
        in source: borrowing Span<UInt8>
    ) -> RowDefects {
        var defects: RowDefects = []
        appendStart(place.start, hasStartTime: hasStartTime)
        let resource = resources.number(of: span.resource, in: source)
        let scope = scopes.number(of: span.scope, in: source)
        let isDecoded = view.decode(
            span, withResource: resources[resource] == nil, withScope: scopes[scope] == nil, in: source)
        if isDecoded, attributes.prepare(view.span.attributeBodies, in: source) {
            if Self.time(view.span.startTimeUnixNano, &defects) != place.start { defects.insert(.outOfRange) }
            appendSpan(from: place.start, in: source, &defects)
            appendCollections(in: source, &defects)
            appendResource(resource, span, in: source, &defects)
            appendScope(scope, span, in: source, &defects)
        } else {
            defects = .undecodable
            appendNulls()
        }
        appendTrace(sampled)
        spanID.append(hexadecimal: span.spanID.value)
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
        from start: Int64, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        let end = Self.time(view.span.endTimeUnixNano, &defects)
        // Toward zero, as the decision's own duration is.
        duration.append((end - start) / 1_000_000)
        statusCode.append(view.span.statusCode)
        spanKind.append(view.span.kind)
        endNano.append(end)
        operationName.append(view.span.name, in: source, &defects)
        statusMessage.appendUnlessEmpty(view.span.statusMessage, in: source, &defects)
        traceState.appendUnlessEmpty(view.span.traceState, in: source, &defects)
        flags.append(Int64(view.span.flags))
        droppedAttributes.append(Int64(view.span.droppedAttributesCount))
        droppedEvents.append(Int64(view.span.droppedEventsCount))
        droppedLinks.append(Int64(view.span.droppedLinksCount))
        appendParent(view.span.parentSpanID, in: source, &defects)
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

    private mutating func appendCollections(in source: borrowing Span<UInt8>, _ defects: inout RowDefects) {
        defects.formUnion(attributes.appendPrepared(view.span.attributeBodies, in: source))
        events.append(view.span.events, of: view.span.tape.nodes, in: source, &defects)
        links.append(view.span.links, of: view.span.tape.nodes, in: source, &defects)
    }

    private mutating func appendResource(
        _ number: Int, _ span: KeptSpan, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if let known = resources[number] {
            resourceAttributes.append(copyFrom: known.from, to: known.to)
            serviceName.append(number: known.serviceName)
            resourceDropped.append(known.droppedCount)
            defects.formUnion(known.defects)
        } else {
            let part = appendNewResource(in: source)
            resources[number] = part
            defects.formUnion(part.defects)
        }
        resourceSchemaURL.appendUnlessEmpty(span.resourceSchemaURL, in: source, &defects)
    }

    private mutating func appendNewResource(in source: borrowing Span<UInt8>) -> ResourcePart {
        let nodes = view.resource.tape.nodes
        let from = resourceAttributes.counts
        var defects = resourceAttributes.append(0..<nodes.count, of: nodes, in: source)
        if view.serviceName.isEmpty {
            serviceName.append(text: SpanTable.unknownService)
        } else {
            serviceName.append(view.serviceName, in: source, &defects)
        }
        let dropped = Int64(view.resource.droppedAttributesCount)
        resourceDropped.append(dropped)
        return ResourcePart(
            from: from, to: resourceAttributes.counts, serviceName: serviceName.lastNumber, droppedCount: dropped,
            defects: defects)
    }

    private mutating func appendScope(
        _ number: Int, _ span: KeptSpan, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if let known = scopes[number] {
            scopeAttributes.append(copyFrom: known.from, to: known.to)
            scopeName.append(numberOrNull: known.name)
            scopeVersion.append(numberOrNull: known.version)
            scopeDropped.append(known.droppedCount)
            defects.formUnion(known.defects)
        } else {
            let part = appendNewScope(in: source)
            scopes[number] = part
            defects.formUnion(part.defects)
        }
        scopeSchemaURL.appendUnlessEmpty(span.scopeSchemaURL, in: source, &defects)
    }

    private mutating func appendNewScope(in source: borrowing Span<UInt8>) -> ScopePart {
        let nodes = view.scope.tape.nodes
        let from = scopeAttributes.counts
        var defects = scopeAttributes.append(0..<nodes.count, of: nodes, in: source)
        scopeName.appendUnlessEmpty(view.scope.name, in: source, &defects)
        scopeVersion.appendUnlessEmpty(view.scope.version, in: source, &defects)
        let dropped = Int64(view.scope.droppedAttributesCount)
        scopeDropped.append(dropped)
        return ScopePart(
            from: from, to: scopeAttributes.counts,
            name: view.scope.name.isEmpty ? nil : scopeName.lastNumber,
            version: view.scope.version.isEmpty ? nil : scopeVersion.lastNumber, droppedCount: dropped,
            defects: defects)
    }

    /// What is the same in all rows of a trace.
    private mutating func appendTrace(_ sampled: borrowing SampledRow) {
        if isNewTrace || rowCount == 0 {
            traceID.beginRun(hexadecimal: sampled.traceID.high, sampled.traceID.low)
            reason.append(text: sampled.reason.span.bytes, from: 0, to: sampled.reason.count)
            policy.append(text: sampled.policy.span.bytes, from: 0, to: sampled.policy.count)
            isNewTrace = false
        } else {
            traceID.continueRun()
            reason.repeatLast()
            policy.repeatLast()
        }
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
        resources.removeAll()
        scopes.removeAll()
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
