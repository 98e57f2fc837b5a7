import TraceModel

/// Remembers verdicts for late spans, 24 bytes each, bounded in number and in stream time.
///
///     young  ┌────┬────┬────┬────┐   new and refreshed verdicts
///     old    ├────┼────┼────┼────┤   those of the time to live before; dropped as a whole when young is as old
///            └────┴────┴────┴────┘
///
/// A verdict counts until `timeToLive` ticks after it was decided or last needed, however the two tables turn.
/// Order of authority: kept goes before dropped. (A row in the table goes before both: `ShadowRegion`.)
struct DecisionMemory {
    struct Remembered: Hashable {
        var decision: Decision
        /// Decided, or last needed.
        var tick: StreamTick
        /// Whether it was decided before this shard began: spans that arrived before `tick` were part of it.
        var isOfEarlierLife: Bool
    }

    private let limit: Int
    private let timeToLive: Int64
    private var young = VerdictTable()
    private var old = VerdictTable()
    private var youngSince: StreamTick
    private var credits = Credits()
    /// Verdicts dropped for room before their time.
    private(set) var forgottenCount = 0

    init(limit: Int, timeToLive: Int64, at tick: StreamTick) {
        self.limit = max(2, limit)
        self.timeToLive = timeToLive
        youngSince = tick
    }

    /// Verdicts in memory, forgotten ones that were not cleared yet included.
    var count: Int { young.count + old.count }

    var bytes: Int { young.bytes + old.bytes }

    func recall(_ traceID: TraceID, at tick: StreamTick) -> Remembered? {
        guard let entry = young.find(traceID) ?? old.find(traceID),
            tick.value <= entry.tick + timeToLive
        else { return nil }
        return Remembered(
            decision: credits[entry.credit], tick: StreamTick(entry.tick), isOfEarlierLife: entry.isOfEarlierLife)
    }

    /// Remembers a verdict; a kept one is never replaced by a dropped one.
    mutating func remember(
        _ traceID: TraceID, _ decision: Decision, at tick: StreamTick, now: StreamTick,
        isOfEarlierLife: Bool = false
    ) {
        if !decision.isKept, let known = recall(traceID, at: now), known.decision.isKept { return }
        turn(at: now)
        young.insert(
            VerdictTable.Entry(
                traceID: traceID, tick: tick.value, credit: credits.number(of: decision),
                isOfEarlierLife: isOfEarlierLife))
    }

    /// A late span needed it: it lives on from now.
    mutating func refresh(_ traceID: TraceID, _ remembered: Remembered, at now: StreamTick) {
        remember(traceID, remembered.decision, at: now, now: now)
    }

    /// Starts a new young table when this one has the age or the size of its share.
    private mutating func turn(at now: StreamTick) {
        let isOld = now.value - youngSince.value >= timeToLive
        guard isOld || young.count >= limit / 2 else { return }
        if !isOld || now.value - youngSince.value < 2 * timeToLive {
            forgottenCount += old.entries.count { now.value <= $0.tick + timeToLive && young.find($0.traceID) == nil }
        }
        old = young
        young = VerdictTable()
        youngSince = now
    }
}

/// The distinct credits of decisions, so that a verdict holds a number instead of a name.
private struct Credits {
    /// More distinct credits than this lose policy and count, never the verdict.
    static let limit = 60_000
    private var decisions: [Decision] = []
    private var numbers: [Decision: UInt16] = [:]

    subscript(number: UInt16) -> Decision { decisions[Int(number)] }

    mutating func number(of decision: Decision) -> UInt16 {
        if let number = numbers[decision] { return number }
        var stored = decision
        if decisions.count >= Self.limit {
            stored.policy = ""
            stored.adjustedCount = decision.isKept ? 0 : decision.adjustedCount
            stored.policyVersion = 0
            if let number = numbers[stored] { return number }
        }
        let number = UInt16(decisions.count)
        decisions.append(stored)
        numbers[stored] = number
        return number
    }
}

/// Open addressing with linear probing; nothing is ever removed, tables are dropped as a whole.
struct VerdictTable {
    struct Entry {
        var traceID: TraceID
        var tick: Int64
        var credit: UInt16
        var isOfEarlierLife: Bool
    }

    /// 24 bytes: id, then tick (40 bits), credit (16), used, earlier life.
    private struct Slot {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var rest: UInt64 = 0
    }

    private var slots: [Slot] = []
    private(set) var count = 0

    var bytes: Int { slots.count * MemoryLayout<Slot>.stride }

    var entries: some Sequence<Entry> { slots.lazy.filter { $0.rest & 1 != 0 }.map(Self.entry) }

    func find(_ traceID: TraceID) -> Entry? {
        guard !slots.isEmpty else { return nil }
        var index = Self.hash(traceID) & (slots.count - 1)
        while slots[index].rest & 1 != 0 {
            if slots[index].high == traceID.high, slots[index].low == traceID.low {
                return Self.entry(slots[index])
            }
            index = (index + 1) & (slots.count - 1)
        }
        return nil
    }

    mutating func insert(_ entry: Entry) {
        if (count + 1) * 4 > slots.count * 3 { grow() }
        put(
            Slot(
                high: entry.traceID.high, low: entry.traceID.low,
                rest: UInt64(bitPattern: entry.tick) << 24 | UInt64(entry.credit) << 8
                    | (entry.isOfEarlierLife ? 2 : 0) | 1))
    }

    private mutating func put(_ slot: Slot) {
        var index = Self.hash(TraceID(high: slot.high, low: slot.low)) & (slots.count - 1)
        while slots[index].rest & 1 != 0 {
            if slots[index].high == slot.high, slots[index].low == slot.low {
                slots[index] = slot
                return
            }
            index = (index + 1) & (slots.count - 1)
        }
        slots[index] = slot
        count += 1
    }

    private mutating func grow() {
        let before = slots
        slots = Array(repeating: Slot(), count: max(64, before.count * 2))
        count = 0
        for slot in before where slot.rest & 1 != 0 { put(slot) }
    }

    /// Swift's own hash is keyed per process: hostile ids must not collide at will.
    private static func hash(_ traceID: TraceID) -> Int { traceID.hashValue & Int.max }

    private static func entry(_ slot: Slot) -> Entry {
        Entry(
            traceID: TraceID(high: slot.high, low: slot.low),
            tick: Int64(bitPattern: slot.rest) >> 24, credit: UInt16(truncatingIfNeeded: slot.rest >> 8),
            isOfEarlierLife: slot.rest & 2 != 0)
    }
}
