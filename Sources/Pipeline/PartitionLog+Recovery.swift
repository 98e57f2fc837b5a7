public import Iceberg

extension PartitionLog {
    /// Opens the folder of a partition, makes it when it is empty.
    ///
    /// A torn tail of the last segment is cut off: nobody was answered for it. Everything else that is not as
    /// it was written is corruption.
    ///
    /// - Parameters:
    ///   - proposal: The superblock of a new log; an old one keeps its own.
    ///   - moment: The log's clock begins at the later of this and its last stamp.
    /// - Throws: `corrupt` naming file and place; nothing was changed then. Else whatever the files threw.
    public init(
        opening files: any SegmentFiles, proposal: LogSuperblock, options: LogOptions, at moment: Moment
    ) throws(FileError) {
        let found = try Self.segmentNumbers(files)
        let (superblock, isNew) = try Self.superblock(files, proposal: proposal, hasSegments: !found.isEmpty)
        self.files = files
        self.options = options
        self.superblock = superblock
        segments = []
        next = 0
        synced = 0
        recovery = Recovery()
        recovery.isNew = isNew
        repeats = RepeatTable(horizonMilliseconds: options.repeatMilliseconds, limit: options.repeatEntries)
        highestNumber = found.last ?? 0
        clock = LogClock(lastStamp: nil, moment: moment)
        try recover(found, at: moment)
    }

    private static func segmentNumbers(_ files: any SegmentFiles) throws(FileError) -> [UInt64] {
        try files.list().compactMap { LogFormat.segmentNumber($0.name) }.sorted()
    }

    private static func superblock(
        _ files: any SegmentFiles, proposal: LogSuperblock, hasSegments: Bool
    ) throws(FileError) -> (LogSuperblock, isNew: Bool) {
        let name = LogFormat.superblockName
        if try files.list().contains(where: { $0.name == name }) {
            let bytes = try files.read(name, at: 0, count: LogFormat.superblockBytes)
            if let superblock = LogSuperblock(bytes) {
                guard superblock.partition == proposal.partition else {
                    throw FileError(
                        .corrupt, "\(name) is of partition \(superblock.partition), not \(proposal.partition)")
                }
                // A process that was killed while it made the log may have left it in the page cache only.
                try files.sync(name)
                try files.syncDirectory()
                return (superblock, false)
            }
            guard !hasSegments else { throw FileError(.corrupt, "\(name) is damaged, and there are segments") }
            // Its making was cut off: nothing was ever written under it.
            try files.remove(name)
        } else if hasSegments {
            throw FileError(.corrupt, "\(name) is missing, and there are segments")
        }
        try files.create(name)
        try files.write(name, at: 0, proposal.bytes)
        try files.sync(name)
        try files.syncDirectory()
        return (proposal, true)
    }

    /// A segment file with its header, or without a whole one.
    private struct Found {
        var number: UInt64
        var name: String
        var header: SegmentHeader?
        var fileBytes: Int
    }

    private mutating func recover(_ numbers: [UInt64], at moment: Moment) throws(FileError) {
        let chain = try chain(numbers)
        var lastStamp: Int64?
        for (index, found) in chain.enumerated() {
            guard let header = found.header else { continue }
            let isLast = index == chain.count - 1
            let limit = isLast ? Int64.max : chain[index + 1].header?.previousEnd ?? .max
            let bytes = try files.read(found.name, at: 0, count: found.fileBytes)
            let scan = SegmentScan(bytes, header: header, limit: limit)
            if isLast {
                try cut(found, scan)
            } else if scan.endOffset != max(limit, header.base) {
                // (The limit lies below the base where the segments before were closed by failed syncs: none of
                // this one's records was durable either.)
                throw corruption(found.name, scan.endPosition, "the log before the next segment")
            }
            for entry in scan.entries {
                lastStamp = max(lastStamp ?? .min, entry.header.stampMilliseconds)
                repeats.insert(entry.header.hash, stamp: entry.header.stampMilliseconds)
            }
            recovery.records += scan.entries.count
            segments.append(
                Segment(
                    name: found.name, base: header.base, end: scan.endOffset, byteCount: scan.endPosition,
                    lastStampMilliseconds: lastStamp ?? .min, number: header.number, id: header.id))
            next = scan.endOffset
        }
        synced = next
        openedAt = next
        previousNumber = segments.last?.number
        clock = LogClock(lastStamp: lastStamp, moment: moment)
    }

    /// The segments that hold the log, each following the one before; unfinished ones are removed.
    private mutating func chain(_ numbers: [UInt64]) throws(FileError) -> [Found] {
        var chain: [Found] = []
        var unfinished: [String] = []
        let sizes = Dictionary(
            try files.list().map { ($0.name, $0.byteCount) }, uniquingKeysWith: { first, _ in first })
        for number in numbers {
            let name = LogFormat.segmentName(number)
            let size = sizes[name] ?? 0
            let bytes = try files.read(name, at: 0, count: LogFormat.segmentHeaderBytes)
            guard let header = SegmentHeader(bytes) else {
                // The header is durable before the first record is written.
                guard size <= LogFormat.segmentHeaderBytes else {
                    throw corruption(name, 0, "the segment's header")
                }
                unfinished.append(name)
                continue
            }
            guard header.uuid == superblock.uuid, header.partition == superblock.partition,
                header.number == number
            else { throw corruption(name, 0, "the header of another log's segment") }
            // A segment that its successor passes over failed while it was made: it never held a record.
            while let last = chain.last, header.previousNumber < last.number {
                unfinished.append(last.name)
                chain.removeLast()
            }
            if let last = chain.last, header.previousNumber != last.number {
                throw FileError(.corrupt, "a segment between \(last.name) and \(name) is missing")
            }
            chain.append(Found(number: number, name: name, header: header, fileBytes: size))
        }
        for name in unfinished { try files.remove(name) }
        recovery.unfinishedSegments = unfinished.count
        return chain
    }

    /// Cuts the last segment behind its last good record, and makes durable what is left.
    private mutating func cut(_ found: Found, _ scan: SegmentScan) throws(FileError) {
        guard scan.isTorn else {
            throw corruption(
                found.name, scan.endPosition,
                "record \(scan.endOffset), which was durable (everything below \(scan.syncedThrough) was)")
        }
        if scan.endPosition < found.fileBytes {
            recovery.tornBytes = found.fileBytes - scan.endPosition
            try files.truncate(found.name, to: scan.endPosition)
        }
        // A kill leaves records in the page cache that no sync has seen: they are about to be called durable.
        try files.sync(found.name)
        try files.syncDirectory()
    }

    private func corruption(_ name: String, _ position: Int, _ what: String) -> FileError {
        FileError(.corrupt, "\(name) is damaged at byte \(position): \(what)")
    }
}
