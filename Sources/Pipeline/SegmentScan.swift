/// What one segment's bytes hold: its records from the first on, and where they end.
///
/// Records follow each other without gaps, their offsets rise by one, their stamps do not fall. Where that
/// breaks the scan ends; whether that is a torn tail or corruption is `LogRecovery`'s to say, with `isTorn`.
struct SegmentScan {
    /// A record's place and what recovery needs of it.
    struct Entry: Hashable {
        var position: Int
        var header: RecordHeader
        var checksum: UInt32
    }

    private(set) var entries: [Entry] = []
    /// Position behind the last good record.
    private(set) var endPosition = LogFormat.segmentHeaderBytes
    /// Offset behind the last good record.
    private(set) var endOffset: Int64
    /// Everything below was durable once: the highest that any good record says, behind the end too.
    private(set) var syncedThrough: Int64

    /// - Parameters:
    ///   - bytes: The whole segment.
    ///   - limit: Records at or above it are dead; the scan ends there.
    init(_ bytes: [UInt8], header: SegmentHeader, limit: Int64 = .max) {
        endOffset = header.base
        syncedThrough = header.base
        let id = header.id
        var lastStamp = Int64.min
        while endOffset < limit, let entry = Self.entry(bytes, at: endPosition, segment: id),
            entry.header.offset == endOffset, entry.header.stampMilliseconds >= lastStamp,
            entry.header.syncedThrough <= endOffset
        {
            entries.append(entry)
            lastStamp = entry.header.stampMilliseconds
            syncedThrough = max(syncedThrough, entry.header.syncedThrough)
            endPosition += entry.header.byteCount
            endOffset += 1
        }
        guard endOffset < limit, endPosition < bytes.count else { return }
        findLater(bytes, segment: id)
    }

    /// Whether the end is one that a power cut leaves: nothing that was durable lies behind it.
    ///
    /// Every record at or above `syncedThrough` may be lost; one below it was answered.
    var isTorn: Bool { endOffset >= syncedThrough }

    private static func entry(_ bytes: [UInt8], at position: Int, segment id: UInt64) -> Entry? {
        guard let checksum = RecordHeader.verifiedChecksum(bytes, at: position, segment: id),
            let header = RecordHeader(bytes, at: position)
        else { return nil }
        return Entry(position: position, header: header, checksum: checksum)
    }

    /// Looks for good records behind a bad one: they were written later and know what was durable then.
    ///
    /// A page of an unsynced group can be lost while a later one got to the disk, so a good record there is no
    /// proof of corruption by itself; what it says of `syncedThrough` is.
    private mutating func findLater(_ bytes: [UInt8], segment id: UInt64) {
        var position = endPosition + 1
        while position + LogFormat.recordHeaderBytes <= bytes.count {
            // Cheap tests first: the checksum is computed for what looks like a record only.
            let offset = Int64(bitPattern: LittleEndian.word64(bytes, position + 8))
            let synced = Int64(bitPattern: LittleEndian.word64(bytes, position + 24))
            guard offset > endOffset, synced <= offset, synced > syncedThrough,
                offset - endOffset <= Int64(bytes.count / LogFormat.recordHeaderBytes),
                let entry = Self.entry(bytes, at: position, segment: id)
            else {
                position += 1
                continue
            }
            syncedThrough = entry.header.syncedThrough
            position += entry.header.byteCount
        }
    }
}
