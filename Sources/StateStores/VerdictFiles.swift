internal import Glibc
public import Pipeline
public import Telemetry
internal import Threads
public import TraceModel

/// Verdicts that outlive a restart: append-only files, one for each partition and minute of the stream clock.
///
///     <folder>/<partition>-<minute>.verdicts
///
///     ┌───────────────────────────── 24 bytes, little endian ─────────────────────────────┐
///     │ trace id high u64 │ trace id low u64 │ tick, verdict and reason u64               │
///     └────────────────────────────────────────────┬──────────────────────────────────────┘
///                       tick ≪ 16 │ reason ≪ 8 │ verdict
///
/// Written before the turn that decided ends, so that a kill loses none; not synced, so that a power cut may: the
/// late spans of a forgotten trace are judged anew, and counted. Files older than the time to live are deleted.
/// Records that make no sense (a torn tail, a foreign file) are skipped and counted.
///
/// Source: Documentation/Positions.md, "INGEST, DECIDE".
public final class VerdictFiles: VerdictStore {
    public struct Options: Sendable {
        /// How long a verdict is kept, on the stream clock (1 h).
        public var timeToLiveTicks: Int64 = 36_000
        /// Verdicts loaded at a start; of more, the oldest are left out.
        public var loadLimit = 10_000_000

        public init() {}
    }

    static let recordBytes = 24
    static let ticksPerMinute: Int64 = 600
    private static let suffix = ".verdicts"

    private let folder: String
    private let options: Options
    private let logger: Logger
    /// The open file of each partition, and what failed last.
    private let state = Lock(State())

    private struct State {
        var files: [Int32: OpenFile] = [:]
        var isFailing = false
    }

    private struct OpenFile {
        var minute: Int64
        var descriptor: Int32
    }

    public init(folder: String, options: Options = Options(), logger: Logger) {
        self.folder = folder
        self.options = options
        self.logger = logger
    }

    deinit {
        state.withLock { state in
            for file in state.files.values { close(file.descriptor) }
        }
    }

    // MARK: Writing

    public func append(_ records: [VerdictRecord], of id: PartitionID) {
        state.withLock { state in
            var start = records.startIndex
            while start < records.endIndex {
                let minute = Self.minute(records[start].tick)
                let end = records[start...].firstIndex { Self.minute($0.tick) != minute } ?? records.endIndex
                let isWritten = write(records[start..<end], minute, of: id.partition, &state)
                // What was half written is cut off when the file is opened again; behind it nothing could be read.
                if !isWritten, let file = state.files.removeValue(forKey: id.partition) { close(file.descriptor) }
                note(isWritten, &state)
                start = end
            }
        }
    }

    private func write(
        _ records: ArraySlice<VerdictRecord>, _ minute: Int64, of partition: Int32, _ state: inout State
    ) -> Bool {
        if state.files[partition]?.minute != minute {
            if let old = state.files.removeValue(forKey: partition) { close(old.descriptor) }
            guard let descriptor = openFile(partition, minute) else { return false }
            state.files[partition] = OpenFile(minute: minute, descriptor: descriptor)
            removeOld(before: minute - options.timeToLiveTicks / Self.ticksPerMinute - 1, of: partition)
        }
        guard let file = state.files[partition] else { return false }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.count * Self.recordBytes)
        for record in records { Self.encode(record, into: &bytes) }
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file.descriptor, $0.baseAddress! + at, $0.count - at) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            at += count
        }
        return true
    }

    private func openFile(_ partition: Int32, _ minute: Int64) -> Int32? {
        mkdir(folder, 0o700)
        let path = "\(folder)/\(partition)-\(minute)\(Self.suffix)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        // A torn tail would shift every record behind it.
        let size = lseek(descriptor, 0, SEEK_END)
        if size % off_t(Self.recordBytes) != 0 {
            ftruncate(descriptor, size - size % off_t(Self.recordBytes))
        }
        return descriptor
    }

    /// The disk's refusal is news once: what is not written is forgotten over a restart, nothing worse.
    private func note(_ isWritten: Bool, _ state: inout State) {
        if !isWritten, !state.isFailing {
            logger.warning(
                "verdicts are not written: late spans may be judged anew after a restart",
                metadata: ["folder": "\(folder)", "error": "\(String(cString: strerror(errno)))"])
        }
        state.isFailing = !isWritten
    }

    private func removeOld(before minute: Int64, of partition: Int32) {
        for file in files(of: partition) where file.minute < minute { unlink(file.path) }
    }

    // MARK: Reading

    public func load(_ id: PartitionID, at clock: StreamTick) -> [VerdictRecord] {
        let oldest = clock.value - options.timeToLiveTicks
        var records: [VerdictRecord] = []
        var skippedCount = 0
        // Newest first, so that the limit leaves out the oldest.
        for file in files(of: id.partition).sorted(by: { $0.minute > $1.minute }) {
            guard file.minute >= oldest / Self.ticksPerMinute - 1 else { continue }
            for record in Self.read(file.path, skipped: &skippedCount) where record.tick.value >= oldest {
                records.append(record)
            }
            if records.count >= options.loadLimit { break }
        }
        if skippedCount > 0 {
            logger.warning(
                "unreadable verdicts were skipped",
                metadata: ["partition": "\(id.partition)", "records": .count(skippedCount)])
        }
        // Oldest first: the latest of several verdicts about a trace is the one that stays.
        records.sort { $0.tick < $1.tick }
        return records.count > options.loadLimit ? Array(records.suffix(options.loadLimit)) : records
    }

    private struct File {
        var path: String
        var minute: Int64
    }

    private func files(of partition: Int32) -> [File] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [File] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasSuffix(Self.suffix) else { continue }
            let parts = name.dropLast(Self.suffix.count).split(separator: "-", maxSplits: 1)
            guard parts.count == 2, Int32(parts[0]) == partition, let minute = Int64(parts[1]) else { continue }
            found.append(File(path: "\(folder)/\(name)", minute: minute))
        }
        return found
    }

    private static func read(_ path: String, skipped: inout Int) -> [VerdictRecord] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var records: [VerdictRecord] = []
        var buffer = [UInt8](repeating: 0, count: recordBytes << 12)
        var held = 0
        while true {
            let count = buffer.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + held, $0.count - held)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            held += count
            let whole = held - held % recordBytes
            for start in stride(from: 0, to: whole, by: recordBytes) {
                if let record = decode(buffer[start..<start + recordBytes]) {
                    records.append(record)
                } else {
                    skipped += 1
                }
            }
            buffer.replaceSubrange(0..<held - whole, with: buffer[whole..<held])
            held -= whole
        }
        if held > 0 { skipped += 1 }
        return records
    }

    // MARK: Format

    private static func minute(_ tick: StreamTick) -> Int64 { tick.value / ticksPerMinute }

    static func encode(_ record: VerdictRecord, into bytes: inout [UInt8]) {
        let tail =
            UInt64(bitPattern: record.tick.value) << 16 | UInt64(record.reason.rawValue) << 8
            | UInt64(record.verdict.rawValue)
        for word in [record.traceID.high, record.traceID.low, tail] {
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
    }

    /// Nil for what no version of ours writes.
    static func decode(_ bytes: ArraySlice<UInt8>) -> VerdictRecord? {
        func word(_ index: Int) -> UInt64 {
            let start = bytes.startIndex + 8 * index
            return bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let tail = word(2)
        let traceID = TraceID(high: word(0), low: word(1))
        guard traceID.isValid, let verdict = Verdict(rawValue: UInt8(truncatingIfNeeded: tail)),
            let reason = Reason(rawValue: UInt8(truncatingIfNeeded: tail >> 8)), tail >> 63 == 0
        else { return nil }
        return VerdictRecord(traceID: traceID, tick: StreamTick(Int64(tail >> 16)), verdict: verdict, reason: reason)
    }
}
