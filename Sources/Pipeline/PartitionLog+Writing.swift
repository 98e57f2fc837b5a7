public import Iceberg

extension PartitionLog {
    // MARK: Groups

    /// Writes one group of requests as records and makes them durable.
    ///
    /// All or nothing: when this fails, every body that is not a repetition of a durable one is unavailable. A
    /// repetition within the group shares the first one's fate.
    ///
    /// - Returns: One answer for each body, in order.
    public mutating func append(_ bodies: [[UInt8]], at moment: Moment) -> [IngestAnswer] {
        let stamp = clock.advance(to: moment)
        var answers = [IngestAnswer?](repeating: nil, count: bodies.count)
        var fresh: [(hash: BodyHash, body: Int)] = []
        var inGroup: [BodyHash: Int] = [:]
        for (index, body) in bodies.enumerated() {
            let hash = SipHash128.hash(body.span.bytes, key: superblock.key)
            if repeats.contains(hash, at: stamp) {
                answers[index] = .durable(isRepeat: true)
            } else if inGroup.updateValue(index, forKey: hash) == nil {
                fresh.append((hash, index))
            }
        }
        let failure = fresh.isEmpty ? nil : write(fresh.map { ($0.hash, bodies[$0.body]) }, stamp: stamp)
        let first = Set(fresh.map(\.body))
        return answers.enumerated().map { index, answer in
            if let answer { return answer }
            if let failure {
                return .unavailable(retryAfterSeconds: options.diskRetrySeconds, cause: failure)
            }
            return .durable(isRepeat: !first.contains(index))
        }
    }

    private mutating func write(_ group: [(hash: BodyHash, body: [UInt8])], stamp: Int64) -> BusyCause? {
        do throws(FileError) {
            if !isWritable || segments[segments.count - 1].byteCount >= options.segmentBytes {
                try startSegment(base: next)
            }
        } catch {
            return cause(error)
        }
        let active = segments[segments.count - 1]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(group.reduce(0) { $0 + $1.body.count + LogFormat.recordHeaderBytes })
        for (index, item) in group.enumerated() {
            RecordHeader(
                bodyBytes: item.body.count, offset: next + Int64(index), stampMilliseconds: stamp,
                syncedThrough: synced, hash: item.hash
            ).append(item.body, segment: active.id, to: &bytes)
        }
        if let failure = store(bytes, count: group.count, in: active) { return failure }
        for item in group { repeats.insert(item.hash, stamp: stamp) }
        next += Int64(group.count)
        synced = next
        segments[segments.count - 1].end = next
        segments[segments.count - 1].byteCount += bytes.count
        segments[segments.count - 1].lastStampMilliseconds = stamp
        return nil
    }

    private mutating func store(_ bytes: [UInt8], count: Int, in active: Segment) -> BusyCause? {
        do throws(FileError) {
            try files.write(active.name, at: active.byteCount, bytes)
        } catch {
            // Nothing that was synced is in doubt. What is left of the group goes, or the segment is done with.
            isWritable = (try? files.truncate(active.name, to: active.byteCount)) != nil
            return cause(error)
        }
        do throws(FileError) {
            try files.sync(active.name)
        } catch {
            // Nobody knows what the disk holds now, and asking again would be answered wrongly: the kernel has
            // forgotten the pages it could not write. Closed for ever; the group's offsets are burnt.
            isWritable = false
            next += Int64(count)
            return cause(error)
        }
        return nil
    }

    private func cause(_ error: FileError) -> BusyCause { error.code == .full ? .diskFull : .diskFailed }

    // MARK: Segments

    /// Makes the segment that takes new records; its header and its name are durable before the first of them.
    private mutating func startSegment(base: Int64) throws(FileError) {
        isWritable = false
        guard base - synced <= Int64(UInt32.max) else {
            throw FileError(.failed, "\(base - synced) records are missing before offset \(base)")
        }
        highestNumber += 1
        let header = SegmentHeader(
            uuid: superblock.uuid, partition: superblock.partition, number: highestNumber,
            previousNumber: previousNumber ?? highestNumber, previousEnd: synced, base: base)
        let name = LogFormat.segmentName(highestNumber)
        do throws(FileError) {
            try files.create(name)
            try files.write(name, at: 0, header.bytes)
            try files.sync(name)
            try files.syncDirectory()
        } catch {
            if (try? files.remove(name)) == nil { doomed.append(name) }
            throw error
        }
        segments.append(
            Segment(
                name: name, base: base, end: base, byteCount: LogFormat.segmentHeaderBytes,
                lastStampMilliseconds: clock.lastStamp, number: highestNumber, id: header.id))
        previousNumber = highestNumber
        next = base
        isWritable = true
    }

    /// The next record gets at least this offset.
    ///
    /// For a log that is older than the table's position, an old copy that came back: the offsets between name
    /// records that are lost. Records of this process that got one of them are appended again, for nobody would
    /// read them there.
    ///
    /// - Returns: The first of them, at or above `offset`: it may have grown past it meanwhile.
    public mutating func skip(to offset: Int64, at moment: Moment) throws(FileError) -> Int64 {
        let offset = max(offset, next)
        var bodies: [[UInt8]] = []
        var reader = LogReader()
        var at = openedAt
        while at < synced {
            let batch = try reader.read(from: at, limitBytes: options.groupBytes, segments: segments, files: files)
            bodies += batch.entries.map { Array(batch.bytes[$0.body]) }
            at = batch.entries.last.map { $0.record.offset + 1 } ?? synced
        }
        try startSegment(base: offset)
        synced = offset
        openedAt = offset
        guard !bodies.isEmpty else { return offset }
        let stamp = clock.advance(to: moment)
        let group = bodies.map { (SipHash128.hash($0.span.bytes, key: superblock.key), $0) }
        if let cause = write(group, stamp: stamp) {
            throw FileError(.failed, "the log's newest records were not moved to offset \(offset): \(cause.rawValue)")
        }
        return offset
    }

    /// Removes segments that nobody starts in again, oldest first.
    ///
    /// A segment stays while its requests may be repeated, unless the log holds more than half of its budget.
    ///
    /// - Parameter offset: Everything below is settled, committed and durable elsewhere.
    /// - Returns: How many segments went.
    @discardableResult
    public mutating func release(below offset: Int64, at moment: Moment) -> Int {
        doomed = doomed.filter { (try? files.remove($0)) == nil }
        let remembered = clock.stamp(at: moment) - options.repeatMilliseconds
        var count = 0
        // The last one stays: it says where the log goes on.
        while segments.count > 1, segments[0].end <= offset,
            segments[0].lastStampMilliseconds < remembered
                || byteCount > (options.diskBytes - options.reserveBytes) / 2
        {
            do throws(FileError) {
                try files.remove(segments[0].name)
                // One by one: a gap in the middle would be corruption to the next start.
                try files.syncDirectory()
            } catch {
                break
            }
            segments.removeFirst()
            count += 1
        }
        return count
    }
}
