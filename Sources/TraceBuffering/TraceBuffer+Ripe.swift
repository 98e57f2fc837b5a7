public import TraceModel

/// Traces of one tick that are due and not handed out, in the order of decisions.
struct DueTraces {
    var tick: Int64 = 0
    var traces: [TraceOrder] = []
    /// The next one to hand out.
    var position = 0

    var isEmpty: Bool { position == traces.count }
}

/// What `ripe` or `early` named last, in their order: the caller decides about the traces in it, so that what the next
/// ones need can be fetched while one leaves.
struct HandedOut {
    private var slots: [UInt32] = []
    private var position = 0

    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        position = 0
    }

    mutating func append(_ slot: UInt32) { slots.append(slot) }

    /// One more was decided.
    mutating func advance() { position += 1 }

    /// The slot so many decisions ahead.
    func slot(ahead count: Int) -> UInt32? {
        position + count < slots.count ? slots[position + count] : nil
    }
}

extension TraceBuffer {
    /// Appends up to `limit` complete traces, by deadline, then first offset, then trace id.
    ///
    /// Each is handed out once: the caller takes or discards it before it ingests again.
    /// - Returns: Whether more are due.
    @discardableResult
    public mutating func ripe(at tick: StreamTick, limit: Int, into ripe: inout [RipeTrace]) -> Bool {
        var count = 0
        handedOut.removeAll()
        while true {
            while !due.isEmpty {
                let trace = due.traces[due.position]
                guard isDue(trace) else {
                    due.position += 1
                    continue
                }
                guard count < limit else { return true }
                due.position += 1
                ripe.append(handOut(trace.slot, deadline(trace.slot).cause))
                count += 1
            }
            guard let next = wheel.first, next <= tick.value else {
                wheel.advance(to: tick.value)
                return false
            }
            look(at: next)
        }
    }

    /// Whether a due trace is still due: more spans may have come, or somebody else have taken it.
    private mutating func isDue(_ trace: TraceOrder) -> Bool {
        let flags = flags(trace.slot)
        guard flags.contains(.live), firstOffset(trace.slot) == trace.firstOffset,
            traceID(trace.slot).high == trace.idHigh, !flags.contains(.isHandedOut)
        else { return false }
        let deadline = deadline(trace.slot).tick
        guard deadline > due.tick else { return true }
        // Unless the slot was armed anew meanwhile.
        if !flags.contains(.isArmed) { arm(trace.slot, deadline, after: due.tick) }
        return false
    }

    private mutating func handOut(_ slot: UInt32, _ cause: RipeCause) -> RipeTrace {
        setFlag(.isHandedOut, slot)
        handedOut.append(slot)
        return RipeTrace(handle: handle(slot), summary: summary(slot), cause: cause, isStale: isStale(slot))
    }

    /// Looks at the slots that the wheel names at a tick: due, or named again later.
    private mutating func look(at tick: Int64) {
        // Out of self while self changes: no copy, and no second access.
        var drained: [UInt32] = []
        var traces: [TraceOrder] = []
        swap(&drained, &self.drained)
        swap(&traces, &due.traces)
        drained.removeAll(keepingCapacity: true)
        traces.removeAll(keepingCapacity: true)
        wheel.drain(tick, into: &drained)
        // 16 ahead: about as many loads as a core keeps under way.
        let ahead = 16
        for place in 0..<min(ahead, drained.count) { slots.prefetch(drained[place]) }
        for place in drained.indices {
            if place + ahead < drained.count { slots.prefetch(drained[place + ahead]) }
            let slot = drained[place]
            clearFlag(.isArmed, slot)
            let flags = flags(slot)
            guard flags.contains(.live), !flags.contains(.isHandedOut) else { continue }
            let deadline = deadline(slot).tick
            if deadline <= tick {
                traces.append(order(of: slot))
            } else {
                arm(slot, deadline, after: tick)
            }
        }
        slots.sort(&traces)
        swap(&drained, &self.drained)
        swap(&traces, &due.traces)
        due.tick = tick
        due.position = 0
    }

    private func order(of slot: UInt32) -> TraceOrder {
        TraceOrder(firstOffset: firstOffset(slot), idHigh: traceID(slot).high, slot: slot)
    }

    /// Names a slot in the wheel, not later than the trace can be due: a root may still come and shorten the wait.
    private mutating func arm(_ slot: UInt32, _ deadline: Int64, after tick: Int64) {
        setFlag(.isArmed, slot)
        wheel.push(slot, at: min(deadline, max(tick, latestTick) + wheel.horizon))
    }

    /// When the next trace may be due; nil when there is none. Never later than the first real deadline.
    public var nextDeadline: StreamTick? {
        if !due.isEmpty { return StreamTick(due.tick) }
        return wheel.first.map { StreamTick($0) }
    }

    // MARK: Early

    /// Appends up to `limit` traces to decide early: the longest silent first, then first offset, then trace id.
    ///
    /// For a full buffer in which nothing is ripe; call again until `hasEarlyRoom`.
    /// - Complexity: Goes through all slots once for about an eighth of the traces, and through none for the calls
    ///   that are served from what that found.
    public mutating func early(limit: Int, into early: inout [RipeTrace]) {
        var count = 0
        handedOut.removeAll()
        var wasGathered = false
        while count < limit {
            if silent.isEmpty {
                guard !wasGathered || silent.isPart else { break }
                gatherSilent(atLeast: limit - count)
                wasGathered = true
                if silent.isEmpty { break }
            }
            guard let trace = nextSilent() else { continue }
            early.append(handOut(trace, .early))
            count += 1
        }
        // A span of this very tick could still come before those that were silent since then.
        silent.drop(since: latestTick)
    }

    /// The next of the gathered traces, unless it is gone or was heard of since.
    private mutating func nextSilent() -> UInt32? {
        if silent.startsGroup {
            var group = silent.takeGroup()
            slots.sort(&group)
            silent.put(group)
        }
        let (trace, tick) = silent.removeFirst()
        let flags = flags(trace.slot)
        guard flags.contains(.live), !flags.contains(.isHandedOut), firstOffset(trace.slot) == trace.firstOffset,
            traceID(trace.slot).high == trace.idHigh, lastTick(trace.slot) == tick
        else { return nil }
        return trace.slot
    }

    /// Finds the traces that were silent longest: all of those whose last spans came at the same ticks.
    private mutating func gatherSilent(atLeast wanted: Int) {
        let share = max(wanted, slots.liveCount / 8)
        var ticks = SilenceCounts(latest: latestTick)
        forEachLive { number, slot in
            if !slot.pointee.flags.contains(.isHandedOut) { ticks.count(lastTick(number)) }
        }
        guard let threshold = ticks.threshold(share) else {
            silent = SilentTraces()
            return
        }
        var found: [(tick: Int64, trace: TraceOrder)] = []
        found.reserveCapacity(threshold.count)
        forEachLive { number, slot in
            guard !slot.pointee.flags.contains(.isHandedOut) else { return }
            let tick = lastTick(number)
            if tick <= threshold.tick { found.append((tick, order(of: number))) }
        }
        found.sort { $0.tick < $1.tick }
        silent = SilentTraces(found, isPart: threshold.isPart)
    }
}

/// How many traces were last heard of at which tick; what is older than the oldest place counts as of that.
struct SilenceCounts {
    private static let places = 1 << 14
    private let latest: Int64
    private var counts = Array(repeating: 0, count: Self.places)

    init(latest: Int64) { self.latest = latest }

    mutating func count(_ tick: Int64) {
        counts[Int(min(max(latest - tick, 0), Int64(Self.places - 1)))] += 1
    }

    /// The earliest tick up to which at least so many were last heard of, or the last one.
    func threshold(_ wanted: Int) -> (tick: Int64, count: Int, isPart: Bool)? {
        var sum = 0
        var result: (tick: Int64, count: Int)?
        for place in counts.indices.reversed() where counts[place] > 0 {
            if sum >= wanted, let result { return (result.tick, result.count, true) }
            sum += counts[place]
            result = (latest - Int64(place), sum)
        }
        return result.map { ($0.tick, $0.count, false) }
    }
}

/// Traces that were silent longest, as found by one look at all of them; in groups of the same last tick.
struct SilentTraces {
    private var ticks: [Int64] = []
    private var traces: [TraceOrder] = []
    private var position = 0
    /// Up to here the traces are in order.
    private var sortedEnd = 0
    /// Whether there were more than are here.
    private(set) var isPart = false

    init() {}

    init(_ found: [(tick: Int64, trace: TraceOrder)], isPart: Bool) {
        ticks = found.map(\.tick)
        traces = found.map(\.trace)
        self.isPart = isPart
    }

    var isEmpty: Bool { position == traces.count }
    var startsGroup: Bool { position == sortedEnd && position < traces.count }

    /// The traces of the next tick, to be put back in order.
    mutating func takeGroup() -> [TraceOrder] {
        var end = position
        while end < ticks.count, ticks[end] == ticks[position] { end += 1 }
        sortedEnd = end
        return Array(traces[position..<end])
    }

    mutating func put(_ group: [TraceOrder]) { traces.replaceSubrange(position..<sortedEnd, with: group) }

    mutating func removeFirst() -> (TraceOrder, tick: Int64) {
        defer { position += 1 }
        return (traces[position], ticks[position])
    }

    /// Forgets those that were last heard of at a tick or later.
    mutating func drop(since tick: Int64) {
        guard let last = ticks.last, last >= tick, !isEmpty else { return }
        var end = ticks.count
        while end > position, ticks[end - 1] >= tick { end -= 1 }
        ticks.removeSubrange(end...)
        traces.removeSubrange(end...)
        sortedEnd = min(sortedEnd, end)
        isPart = true
    }
}
