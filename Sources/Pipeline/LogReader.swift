public import Iceberg

/// Reads durable records in order, a piece of a segment at a time.
///
/// It remembers where it stood, so that going on costs no search. Every record's checksum is checked again:
/// what rots between recovery and reading must not pass.
public struct LogReader: Sendable {
    /// Bytes read at once when a batch needs less (256 KiB).
    public static let leastReadBytes = 256 << 10

    private struct Place: Hashable {
        var number: UInt64
        var position: Int
        var offset: Int64
    }

    private var place: Place?

    public init() {}

    /// Whole records from the first at or above `offset`, at least one if there is one; of one segment only.
    ///
    /// - Parameters:
    ///   - segments: As the log had them after a group.
    ///   - limitBytes: About how much; the first record is given whole, however large.
    public mutating func read(
        from offset: Int64, limitBytes: Int, segments: [PartitionLog.Segment], files: any SegmentFiles
    ) throws(FileError) -> SourceBatch {
        guard let segment = segments.first(where: { $0.end > offset && $0.end > $0.base }) else {
            return SourceBatch()
        }
        let start = max(offset, segment.base)
        var at = try seek(start, in: segment, files: files)
        var batch = SourceBatch()
        let available = segment.byteCount - at.position
        batch.bytes = try files.read(
            segment.name, at: at.position, count: min(available, max(limitBytes, Self.leastReadBytes)))
        // A first record that is larger than the piece: now its length is known.
        if let first = RecordHeader(batch.bytes, at: 0), first.byteCount > batch.bytes.count,
            first.byteCount <= available
        {
            batch.bytes = try files.read(segment.name, at: at.position, count: first.byteCount)
        }
        var position = 0
        while at.offset < segment.end, position == 0 || position < limitBytes,
            let header = RecordHeader(batch.bytes, at: position),
            position == 0 || position + header.byteCount <= batch.bytes.count
        {
            let entry = try entry(batch.bytes, position, header, at: at, in: segment)
            batch.entries.append(entry)
            position += header.byteCount
            at = Place(number: segment.number, position: at.position + header.byteCount, offset: at.offset + 1)
        }
        guard !batch.entries.isEmpty else { throw damage(segment, at) }
        place = at
        return batch
    }

    private func entry(
        _ bytes: [UInt8], _ position: Int, _ header: RecordHeader, at place: Place, in segment: PartitionLog.Segment
    ) throws(FileError) -> SourceBatch.Entry {
        guard header.offset == place.offset,
            let checksum = RecordHeader.verifiedChecksum(bytes, at: position, segment: segment.id)
        else { throw damage(segment, place) }
        let body = position + LogFormat.recordHeaderBytes
        return SourceBatch.Entry(
            record: LogRecord(
                offset: header.offset, timestampMilliseconds: header.stampMilliseconds, checksum: checksum),
            body: body..<body + header.bodyBytes)
    }

    /// Finds a record by walking over the headers before it, from where the reader stands if that is nearer.
    private func seek(
        _ offset: Int64, in segment: PartitionLog.Segment, files: any SegmentFiles
    ) throws(FileError) -> Place {
        var at = Place(number: segment.number, position: LogFormat.segmentHeaderBytes, offset: segment.base)
        if let place, place.number == segment.number, place.offset <= offset { at = place }
        var bytes: [UInt8] = []
        var start = at.position
        while at.offset < offset {
            if RecordHeader(bytes, at: at.position - start) == nil {
                start = at.position
                bytes = try files.read(
                    segment.name, at: start, count: min(Self.leastReadBytes, segment.byteCount - start))
            }
            guard let header = RecordHeader(bytes, at: at.position - start), header.offset == at.offset,
                at.position + header.byteCount <= segment.byteCount
            else { throw damage(segment, at) }
            at.position += header.byteCount
            at.offset += 1
        }
        return at
    }

    private func damage(_ segment: PartitionLog.Segment, _ place: Place) -> FileError {
        FileError(
            .corrupt, "\(segment.name) is damaged at byte \(place.position): record \(place.offset), which was durable")
    }
}
