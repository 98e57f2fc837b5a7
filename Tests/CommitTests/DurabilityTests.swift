import Glibc
import Iceberg
import Pipeline
import SpanLog
import Testing
import Threads
import TraceModel

@testable import Pipeline

/// Rows as text in files that forget what was not synced.
private struct DiskRows: RowFiles {
    let disk: FakeDisk

    func write(
        _ traces: [SampledTrace], source: SourceID, directory: String, name: String
    ) throws(FileError) -> [DataFile] {
        let path = "\(directory)/\(name).rows"
        let lines = traces.flatMap { trace in trace.trace.spans.map { "\(trace.trace.traceID.low) \($0.offset)" } }
        try disk.write(path, Array(lines.joined(separator: "\n").utf8))
        return [DataFile(path: path, day: 20_000, recordCount: Int64(lines.count), fileSizeBytes: 1)]
    }

    func present(in file: DataFile, of id: PartitionID, from offset: Int64) throws(FileError) -> [PresentRow] {
        try Self.rows(disk.read(file.path, limitBytes: 1 << 20)).filter { $0.offset >= offset }
    }

    func verdicts(in file: DataFile, since milliseconds: Int64) throws(FileError) -> [KeptVerdict] { [] }

    static func rows(_ bytes: [UInt8]) -> [PresentRow] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return PresentRow(
                traceID: TraceID(high: 7, low: UInt64(words[0]) ?? 0), offset: Int64(words[1]) ?? -1, index: 0)
        }
    }
}

/// The world just before one operation on the disk.
private struct Remembered {
    var image: FakeDisk.Image
    var metadata: TableMetadata?
    var answered: Int
}

/// What was answered 200 is there, wherever the power is cut.
///
/// The real log with its thread, the real commit machine and driver; a request is one trace of one span, kept.
/// Before every write, sync, create, truncate and remove of a run of 1,000 requests the disk is remembered, and
/// each of those moments is then started from: with all unsynced bytes lost, with none, and with some pages.
@Suite struct DurabilityTests {
    private static let requestCount = 1000
    private static let groupCount = 20

    @Test(arguments: [1] as [UInt64])
    func `everything answered is in the log or in the table after a power cut at any moment`(seed: UInt64) throws {
        let run = try Run(seed: seed)
        try run.play()
        #expect(run.moments.count > 2 * Self.requestCount / Self.groupCount)
        #expect(run.releasedSegments > 0, "nothing was unlinked: the order of commit and unlink is not tested")
        var random = SeededRandom(seed: seed)
        for (number, moment) in run.moments.enumerated() {
            for loss in FakeDisk.Loss.allCases {
                let found = try run.restart(moment, loss, &random)
                let missing = Set(0..<moment.answered).subtracting(found.numbers)
                #expect(missing.isEmpty, "seed \(seed), cut \(number), \(loss): \(missing.sorted().prefix(5)) lost")
                #expect(found.doubled == 0, "seed \(seed), cut \(number), \(loss)")
            }
        }
    }

    // Sendable: what the log's thread touches is behind locks; the rest belongs to the test's thread.
    private final class Run: @unchecked Sendable {
        let disk = FakeDisk()
        let clock = FakeClock()
        let table: FakeTable
        let seed: UInt64
        var options = LogOptions()
        var releasedSegments = 0
        private let answered = Lock(0)
        private let remembered = Lock<[Remembered]>([])

        var moments: [Remembered] { remembered.withLock { $0 } }

        init(seed: UInt64) throws {
            self.seed = seed
            table = FakeTable(clock: clock)
            options.segmentBytes = 6_000
            options.repeatMilliseconds = 0
        }

        private func remember() {
            // The order matters: what was answered, and what the table knew, came before the image.
            while true {
                let count = answered.withLock { $0 }
                let metadata = table.metadata
                let image = disk.image
                guard table.metadata?.lastSequenceNumber == metadata?.lastSequenceNumber else { continue }
                remembered.withLock { [metadata] in
                    $0.append(Remembered(image: image, metadata: metadata, answered: count))
                }
                return
            }
        }

        static func body(_ number: Int) -> [UInt8] {
            LittleEndian.bytes(UInt64(number)) + [UInt8](repeating: UInt8(number & 255), count: number % 90)
        }

        static func number(_ body: ArraySlice<UInt8>) -> Int { Int(LittleEndian.word64(Array(body), 0)) }

        func play() throws {
            var random = SeededRandom(seed: seed)
            disk.observe { [unowned self] in remember() }
            let log = try SpanLog(files: [disk], routedCount: 1, options: options, clock: clock)
            defer { log.stop() }
            let source = log.sources[0]
            let writer = FakeWriter(table, name: "w", partitions: [source.id])
            writer.files = disk
            writer.rows = DiskRows(disk: disk)
            _ = try #require(writer.fence())
            var next = 0
            var read: Int64 = 0
            while next < DurabilityTests.requestCount {
                let count = min(
                    Int.random(in: 1...DurabilityTests.groupCount, using: &random), DurabilityTests.requestCount - next)
                offer(next..<next + count, to: log)
                next += count
                clock.advance(milliseconds: 20)
                guard Int.random(in: 0..<4, using: &random) == 0 else { continue }
                read = try commit(from: read, source, writer)
            }
        }

        private func offer(_ numbers: Range<Int>, to log: SpanLog) {
            let replies = numbers.map { number in
                let reply = ReplySlot<IngestAnswer>()
                let admission = log.offer(Self.body(number)) { [answered] answer in
                    // In order, on the log's thread, before anything else happens on the disk.
                    answered.withLock { $0 = number + 1 }
                    reply.fill(answer)
                }
                #expect(admission == .accepted)
                return reply
            }
            for reply in replies {
                #expect(reply.take(until: .now + .seconds(30)) == .durable(isRepeat: false))
            }
        }

        /// Everything that is synced goes to the table, then its segments may go.
        private func commit(from offset: Int64, _ source: any SpanSource, _ writer: FakeWriter) throws -> Int64 {
            var next = offset
            var traces: [SampledTrace] = []
            while true {
                let batch = try source.read(from: next, limitBytes: 4096)
                guard let last = batch.entries.last else { break }
                for entry in batch.entries {
                    let number = UInt64(Self.number(batch.bytes[entry.body]))
                    traces.append(FakeWriter.trace(number, 0, offsets: [entry.record.offset]))
                }
                next = last.record.offset + 1
            }
            guard !traces.isEmpty else { return next }
            let part = SealedPartition(
                id: source.id, epoch: writer.fenced?.epochs[source.id] ?? 0, traces: traces,
                draft: PositionDraft(resume: next, settled: next, clock: StreamTick(0), anchor: nil))
            #expect(writer.commit([part]) != nil)
            let before = source.bounds.start
            source.release(below: next)
            let deadline = MonotonicInstant.now + .seconds(1)
            // Only so that unlinking happens at all; its moment does not matter.
            while source.bounds.start == before, next - before > 100, .now < deadline { usleep(100) }
            if source.bounds.start > before { releasedSegments += 1 }
            return next
        }

        /// The next start: what log and table hold together.
        func restart(
            _ moment: Remembered, _ loss: FakeDisk.Loss, _ random: inout SeededRandom
        ) throws -> (numbers: Set<Int>, doubled: Int) {
            let left = moment.image.afterPowerCut(loss, &random)
            let log = try PartitionLog(
                opening: left,
                proposal: LogSuperblock(
                    partition: 0, uuid: LogUUID(random: [1, 2]), key: LogKey(low: 1, high: 2), createdMilliseconds: 0),
                options: options, at: clock.moment)
            let id = PartitionID(source: SourceID(topic: log.sourceTopic, generation: 1), partition: 0)
            let resume = try moment.metadata?.position(of: id)?.resume ?? 0
            var numbers: Set<Int> = []
            var doubled = 0
            if let metadata = moment.metadata {
                for row in try rows(metadata, left) where !numbers.insert(Int(row.traceID.low)).inserted {
                    doubled += 1
                }
            }
            #expect(log.bounds.start <= resume)
            var reader = LogReader()
            var next = resume
            while let batch = try? reader.read(from: next, limitBytes: 4096, segments: log.segments, files: left),
                let last = batch.entries.last
            {
                for entry in batch.entries {
                    if !numbers.insert(Self.number(batch.bytes[entry.body])).inserted { doubled += 1 }
                }
                next = last.record.offset + 1
            }
            return (numbers, doubled)
        }

        /// The table's rows, out of the files that this disk still has.
        private func rows(_ metadata: TableMetadata, _ disk: FakeDisk) throws -> [PresentRow] {
            guard let main = metadata.currentSnapshot else { return [] }
            var rows: [PresentRow] = []
            let list = try parse(main.manifestList, disk, &lists) { try ManifestList.read($0) }
            for manifest in list {
                let paths = try parse(manifest.path, disk, &entries) { bytes in
                    try ManifestReader.entries(bytes, of: manifest).filter(\.isLive).map(\.file.path)
                }
                for path in paths { rows += try parse(path, disk, &rowsOfFiles) { DiskRows.rows($0) } }
            }
            return rows
        }

        private var lists: [String: Parsed<[ManifestFile]>] = [:]
        private var entries: [String: Parsed<[String]>] = [:]
        private var rowsOfFiles: [String: Parsed<[PresentRow]>] = [:]

        private struct Parsed<Value> {
            var bytes: [UInt8]
            var value: Value
        }

        /// Most restarts find the same files: what has been read and has not changed is not parsed again.
        private func parse<Value>(
            _ path: String, _ disk: FakeDisk, _ known: inout [String: Parsed<Value>],
            _ read: ([UInt8]) throws -> Value
        ) throws -> Value {
            let bytes = try disk.read(path, limitBytes: 1 << 20)
            if let parsed = known[path], parsed.bytes == bytes { return parsed.value }
            let value = try read(bytes)
            known[path] = Parsed(bytes: bytes, value: value)
            return value
        }
    }
}
