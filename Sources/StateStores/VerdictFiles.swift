import CSystem
import Glibc
public import Pipeline
public import Telemetry
import Threads
public import TraceModel

/// What was met in the verdict files since the start.
public struct VerdictFileCounts: Sendable, Hashable {
    /// Records read back.
    public var loaded = 0
    /// Records that were torn or rotten: their traces are forgotten.
    public var damaged = 0
    /// Records that could not be written: they are forgotten at the next start.
    public var unwritten = 0
    /// Bytes on disk now.
    public var byteCount = 0
}

/// Verdicts over a restart: append-only files, one for each partition and minute of its stream clock.
///
///     <folder>/<partition>-29400001.verdicts      minute of T(p) since 1970
///
/// Written before the turn that decided ends, so that a kill loses none; not synced, so that a power cut can:
/// their traces are then judged anew, and counted. Whole files go when their minute is older than the time to
/// live, or when there are too many verdicts; a minute's file is small, so nothing is ever rewritten.
///
/// Source: Documentation/Positions.md, "INGEST, DECIDE".
public final class VerdictFiles: VerdictStore {
    public struct Options: Sendable, Hashable {
        /// How long a verdict is kept on the stream clock (`app.decision_ttl_secs`, 1 h).
        public var timeToLiveTicks: Int64 = 36_000
        /// Verdicts kept and loaded for each partition, 24 bytes each; of more, the oldest go (`app.max_decisions`).
        public var loadLimit = 10_000_000

        public init() {}
    }

    private static let ticksPerMinute: Int64 = 600
    private static let suffix = ".verdicts"

    /// One partition's files. Used by one thread at a time: taken out of the table while it works.
    private struct Lane: Sendable {
        var partition: Int32
        /// Records of each minute's file.
        var minutes: [Int64: Int] = [:]
        var open: (minute: Int64, file: AppendFile)?
    }

    private let folder: String
    private let options: Options
    private let logger: Logger
    /// Guards the lanes that are not in use.
    private let lanes = Lock<[PartitionID: Lane]>([:])
    private let state = Lock(VerdictFileCounts())
    private let lastWarning = Lock<MonotonicInstant?>(nil)

    /// - Parameter folder: Made when the first verdict is written.
    public init(folder: String, options: Options = Options(), logger: Logger = .none) {
        self.folder = folder
        self.options = options
        self.logger = logger
    }

    public var counts: VerdictFileCounts { state.withLock { $0 } }

    // MARK: VerdictStore

    public func load(_ id: PartitionID, at clock: StreamTick) -> [VerdictRecord] {
        var lane = take(id)
        defer { give(lane, id) }
        var records: [VerdictRecord] = []
        var damaged = 0
        let oldest = clock.value - options.timeToLiveTicks
        for minute in lane.minutes.keys.sorted() {
            let bytes = FolderOfFiles.read(location(lane, minute))
            let whole = bytes.count / VerdictFormat.recordBytes
            if bytes.count % VerdictFormat.recordBytes > 0 { damaged += 1 }
            lane.minutes[minute] = whole
            for index in 0..<whole {
                guard let record = VerdictFormat.record(bytes, at: index * VerdictFormat.recordBytes) else {
                    damaged += 1
                    continue
                }
                if record.tick.value >= oldest { records.append(record) }
            }
        }
        if records.count > options.loadLimit { records.removeFirst(records.count - options.loadLimit) }
        state.withLock { [count = records.count, damaged] counts in
            counts.loaded += count
            counts.damaged += damaged
        }
        if damaged > 0 {
            logger.warning(
                "some remembered verdicts are damaged, their traces are forgotten",
                metadata: ["partition": "\(id)", "verdicts": .count(damaged)])
        }
        return records
    }

    public func append(_ records: [VerdictRecord], of id: PartitionID) {
        guard let last = records.last else { return }
        var lane = take(id)
        defer { give(lane, id) }
        var start = 0
        while start < records.count {
            let minute = Self.minute(records[start].tick)
            var end = start + 1
            while end < records.count, Self.minute(records[end].tick) == minute { end += 1 }
            write(records[start..<end], minute, &lane)
            start = end
        }
        expire(&lane, at: last.tick)
    }

    private static func minute(_ tick: StreamTick) -> Int64 {
        let quotient = tick.value / ticksPerMinute
        return tick.value % ticksPerMinute < 0 ? quotient - 1 : quotient
    }

    private func write(_ records: ArraySlice<VerdictRecord>, _ minute: Int64, _ lane: inout Lane) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.count * VerdictFormat.recordBytes)
        for record in records { VerdictFormat.append(record, to: &bytes) }
        if lane.open?.minute != minute {
            FolderOfFiles.make(folder)
            lane.open = AppendFile(path: location(lane, minute)).map { (minute, $0) }
        }
        guard let file = lane.open?.file, file.append(bytes, recordBytes: VerdictFormat.recordBytes) else {
            lane.open = nil
            state.withLock { [count = records.count] in $0.unwritten += count }
            warn()
            return
        }
        lane.minutes[minute, default: 0] += records.count
        state.withLock { [count = bytes.count] in $0.byteCount += count }
    }

    /// Removes what is too old, and the oldest of what is too much.
    private func expire(_ lane: inout Lane, at tick: StreamTick) {
        let oldest = Self.minute(tick.advanced(by: -options.timeToLiveTicks))
        var total = lane.minutes.values.reduce(0, +)
        for minute in lane.minutes.keys.sorted() {
            guard minute < oldest || (total > options.loadLimit && minute != lane.open?.minute) else { break }
            unlink(location(lane, minute))
            let count = lane.minutes.removeValue(forKey: minute) ?? 0
            total -= count
            state.withLock { $0.byteCount -= count * VerdictFormat.recordBytes }
        }
    }

    private func warn() {
        let now = MonotonicInstant.now
        let isDue = lastWarning.withLock { last -> Bool in
            guard last.map({ now - $0 >= .seconds(60) }) ?? true else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        logger.warning(
            "verdicts are not written, a restart forgets them",
            metadata: ["folder": "\(folder)", "verdicts": .count(counts.unwritten)])
    }

    // MARK: Lanes

    private func take(_ id: PartitionID) -> Lane {
        if let lane = lanes.withLock({ $0.removeValue(forKey: id) }) { return lane }
        var lane = Lane(partition: id.partition)
        let prefix = "\(id.partition)-"
        for (file, byteCount) in FolderOfFiles.list(folder)
        where file.hasPrefix(prefix) && file.hasSuffix(Self.suffix) {
            guard let minute = Int64(file.dropFirst(prefix.count).dropLast(Self.suffix.count)) else { continue }
            lane.minutes[minute] = byteCount / VerdictFormat.recordBytes
            state.withLock { $0.byteCount += byteCount }
        }
        return lane
    }

    private func give(_ lane: Lane, _ id: PartitionID) {
        lanes.withLock { $0[id] = lane }
    }

    private func location(_ lane: Lane, _ minute: Int64) -> String { "\(folder)/\(lane.partition)-\(minute)\(Self.suffix)" }
}
