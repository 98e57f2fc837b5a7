import TraceModel

/// The clock of one partition, made from its records' timestamps.
///
/// Ripeness follows it, so lag, replay and batch sizes change no verdict. Reads no clock: times come in.
/// Source: Documentation/Positions.md, "Clock".
struct StreamClock {
    /// A timestamp this far ahead is looked at twice.
    static let jumpMilliseconds: Int64 = 60_000
    /// Most of the following records must be this far ahead for a jump to count.
    static let confirmationMilliseconds: Int64 = 30_000
    /// Records that are looked at behind a jump.
    static let lookAheadCount = 8
    /// At the end of a partition real time carries the clock, this much behind: records on their way come first.
    static let endDelayMilliseconds: Int64 = 2_000
    /// With this many records and this much time and no movement the timestamps are unusable.
    static let stuckRecords = 10_000
    static let stuckMilliseconds: Int64 = 10_000
    /// A record this far ahead of our wall clock is counted as skewed.
    static let skewMilliseconds: Int64 = 60_000
    static let skewWindowMilliseconds: Int64 = 60_000

    let kind: TimestampKind
    /// Milliseconds since 1970; never goes back. 0 before the first record of a partition without position.
    private(set) var milliseconds: Int64
    private(set) var health = ClockHealth.log

    /// Where the end of the partition was reached: the clock then, and real time.
    private var end: (milliseconds: Int64, monotonicMilliseconds: Int64)?
    private var stuck = (records: 0, sinceMilliseconds: Int64(0))
    private var skew = (records: 0, ahead: 0, sinceMilliseconds: Int64(0))
    private var isSkewed = false

    init(kind: TimestampKind, at tick: StreamTick) {
        self.kind = kind
        milliseconds = tick.milliseconds
    }

    /// T(p).
    var now: StreamTick { StreamTick(milliseconds: milliseconds) }

    /// τ of a record: when its spans arrive on this clock, never before `now`.
    ///
    /// - Parameters:
    ///   - following: Timestamps of the records behind it, those that are there; only senders' timestamps need them.
    ///   - wall: Our wall clock, milliseconds since 1970.
    func arrival(_ timestamp: Int64, following: [Int64], wall: Int64) -> Int64 {
        if health == .wall { return max(milliseconds, wall) }
        switch kind {
        case .stamp: return max(milliseconds, timestamp)
        case .appendTime: return max(milliseconds, min(timestamp, wall))
        case .createTime:
            guard isBelievable(timestamp, following) else { return milliseconds }
            return max(milliseconds, min(timestamp, wall))
        }
    }

    /// One wild timestamp moves nothing, a real silence is followed at once.
    private func isBelievable(_ timestamp: Int64, _ following: [Int64]) -> Bool {
        let (limit, overflow) = milliseconds.addingReportingOverflow(Self.jumpMilliseconds)
        guard !overflow, timestamp > limit else { return true }
        let next = following.prefix(Self.lookAheadCount)
        if next.isEmpty { return milliseconds == 0 }
        let ahead = next.count { $0 > milliseconds + Self.confirmationMilliseconds }
        return 2 * ahead > next.count
    }

    /// The record is taken: the clock stands at its arrival.
    mutating func enter(_ arrival: Int64) {
        milliseconds = max(milliseconds, arrival)
        end = nil
    }

    /// Watches whether the timestamps are usable; senders and brokers only.
    mutating func observe(_ timestamp: Int64, moved: Bool, wall: Int64) {
        guard kind != .stamp else { return }
        if moved {
            stuck = (0, wall)
        } else {
            if stuck.records == 0 { stuck.sinceMilliseconds = wall }
            stuck.records += 1
        }
        if wall - skew.sinceMilliseconds >= Self.skewWindowMilliseconds || wall < skew.sinceMilliseconds {
            isSkewed = 2 * skew.ahead > skew.records
            skew = (0, 0, wall)
        }
        skew.records += 1
        if timestamp > wall &+ Self.skewMilliseconds { skew.ahead += 1 }
        if stuck.records >= Self.stuckRecords, wall - stuck.sinceMilliseconds >= Self.stuckMilliseconds {
            health = .wall
        } else if health != .wall {
            health = isSkewed ? .skewed : .log
        }
    }

    /// Follows real time where nothing is queued, stands where something is.
    mutating func reach(_ reach: LogReach, wall: Int64) {
        switch reach {
        case .behind:
            end = nil
        case .quiet(let stamp):
            milliseconds = max(milliseconds, stamp)
        case .end(let monotonic):
            guard let start = end else {
                end = (milliseconds, monotonic)
                return
            }
            let elapsed = monotonic - start.monotonicMilliseconds - Self.endDelayMilliseconds
            milliseconds = max(milliseconds, start.milliseconds + max(0, elapsed))
            if health == .wall { milliseconds = max(milliseconds, wall) }
        }
    }

    #if DEBUG
        /// The planted fault: ripeness by our own clock.
        mutating func jump(to wall: Int64) { milliseconds = max(milliseconds, wall) }
    #endif
}
