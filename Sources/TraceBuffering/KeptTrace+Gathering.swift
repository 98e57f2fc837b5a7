public import TraceModel

extension KeptTrace {
    /// Late spans of one message that belong to one kept trace, copied out of it.
    ///
    /// - Parameters:
    ///   - records: Records of `traceID` in the scanned message; their ranges point into it and `merged`.
    ///   - offset: Of the message.
    public init(
        late records: [SpanRecord], of traceID: TraceID, in message: borrowing RawSpan, merged: [UInt8],
        offset: Int64, partition: Int32
    ) {
        self.init(traceID: traceID, partition: partition)
        var places: [ByteRange: ByteRange] = [:]
        for record in records {
            spans.append(
                KeptSpan(
                    spanID: record.spanID, offset: offset, index: record.index,
                    span: copy(record.span, message, merged, &places),
                    resource: copy(record.resource, message, merged, &places),
                    scope: copy(record.scope, message, merged, &places),
                    resourceSchemaURL: copy(record.resourceSchemaURL, message, merged, &places),
                    scopeSchemaURL: copy(record.scopeSchemaURL, message, merged, &places)))
        }
    }

    /// Copies a range into the arena, each range once.
    private mutating func copy(
        _ range: ByteRange, _ message: borrowing RawSpan, _ merged: [UInt8],
        _ places: inout [ByteRange: ByteRange]
    ) -> ByteRange {
        guard !range.isEmpty else { return .none }
        if let place = places[range] { return place }
        let place = ByteRange(offset: UInt32(arena.count), count: range.count)
        if range.lowerBound >= message.byteCount {
            let start = range.lowerBound - message.byteCount
            arena.append(contentsOf: merged[start..<start + Int(range.count)])
        } else {
            arena.append(copying: message.extracting(range.lowerBound..<range.upperBound))
        }
        places[range] = place
        return place
    }
}
