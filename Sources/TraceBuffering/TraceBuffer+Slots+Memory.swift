internal import TraceModel

extension TraceBuffer {
    // Low bits of a number made whole: the real one is at most the latest, and nearer to it than the bits reach.

    func lastTick(_ number: UInt32) -> Int64 {
        if let wide = wideSummary(number) { return wide.lastTick.value }
        let distance = UInt32(truncatingIfNeeded: latestTick) &- slots.slots[Int(number)].lastTick
        return latestTick - Int64(distance & TraceSlot.tickMask)
    }

    func firstTick(_ number: UInt32) -> Int64 {
        if let wide = wideSummary(number) { return wide.firstTick.value }
        let distance = UInt32(truncatingIfNeeded: latestTick) &- slots.openings[Int(number)].tick
        return latestTick - Int64(distance & TraceSlot.tickMask)
    }

    func firstOffset(_ number: UInt32) -> Int64 { slots.openings[Int(number)].offset }

    func segments(_ number: UInt32) -> (first: UInt64, last: UInt64) {
        (
            store.number(lowBits: UInt64(slots.openings[Int(number)].segment), window: 1 << 32),
            store.number(lowBits: slots.slots[Int(number)].link.segmentBits, window: Link.segmentWindow)
        )
    }

    func flags(_ number: UInt32) -> TraceSlot.Flags { slots.slots[Int(number)].flags }

    func traceID(_ number: UInt32) -> TraceID { slots.slots[Int(number)].traceID }

    func handle(_ number: UInt32) -> TraceHandle {
        TraceHandle(traceID: traceID(number), firstOffset: firstOffset(number), slot: number)
    }

    /// The slot of a trace that has not left.
    func slot(_ handle: TraceHandle) -> UInt32? {
        guard Int(handle.slot) < slots.touchedCount, flags(handle.slot).contains(.live),
            traceID(handle.slot) == handle.traceID, firstOffset(handle.slot) == handle.firstOffset
        else { return nil }
        return handle.slot
    }

    @inline(__always) func deadline(_ number: UInt32) -> (tick: Int64, cause: RipeCause) {
        limits.deadline(
            first: firstTick(number), last: lastTick(number), hasRoot: flags(number).contains(.hasRoot))
    }

    @inline(__always) private func wideSummary(_ number: UInt32) -> TraceSummary? {
        guard slots.slots[Int(number)].flags.contains(.isWide) else { return nil }
        return slots.wide[number]
    }

    func summary(_ number: UInt32) -> TraceSummary {
        let slot = slots.slots[Int(number)]
        var summary: TraceSummary
        if let wide = wideSummary(number) {
            summary = wide
        } else {
            summary = TraceSummary(
                opening: SpanRecord(traceID: slot.traceID, spanID: SpanID(0)), offset: firstOffset(number),
                tick: StreamTick(firstTick(number)))
            summary.spanCount = slot.spanCount
            summary.startTimeUnixNano = slot.startTimeUnixNano
            summary.endTimeUnixNano = slot.startTimeUnixNano &+ UInt64(bitPattern: slot.duration)
            summary.statusCodes = slot.statusCodes
            summary.hasRoot = slot.flags.contains(.hasRoot)
            summary.isFlaggedSampled = slot.flags.contains(.isFlaggedSampled)
            summary.spanBytes = UInt64(slot.spanBytes)
            let offsetDistance = UInt32(truncatingIfNeeded: latestOffset) &- slot.lastOffset
            summary.lastOffset = latestOffset - Int64(offsetDistance)
            summary.lastTick = StreamTick(lastTick(number))
            if slot.flags.contains(.hasRandomness) { summary.explicitRandomness = slots.randomness[Int(number)] }
        }
        summary.matches = slot.matches
        summary.forceRule = slot.forceRule
        return summary
    }

    // Changes in place go through a pointer with a name: on `slots.slots[…].flags.insert` and `store.edges[…] &+= 1`,
    // whose base is read out of a noncopyable value, swiftc 6.3 fails ("Invalid bitcast") under `--sanitize thread`.

    func setFlag(_ flag: TraceSlot.Flags, _ number: UInt32) {
        let slot = slots.slots + Int(number)
        slot.pointee.flags.insert(flag)
    }

    func clearFlag(_ flag: TraceSlot.Flags, _ number: UInt32) {
        let slot = slots.slots + Int(number)
        slot.pointee.flags.remove(flag)
    }

    /// The trace leaves the index; the caller releases its segments.
    mutating func remove(_ number: UInt32) {
        handedOut.advance()
        if let later = handedOut.slot(ahead: 12) { slots.prefetch(later) }
        if let soon = handedOut.slot(ahead: 6) { index.prefetch(index.tag(traceID(soon))) }
        let slot = slots.slots + Int(number)
        spanCount -= Int(slot.pointee.spanCount)
        index.remove(number, tag: index.tag(slot.pointee.traceID))
        slots.giveBack(number)
    }

    /// Sets the bits that a span or a pass found; the first of an epoch replace those of the program before.
    @inline(__always)
    static func add(
        _ matches: UInt64, _ forceRule: UInt16, to slot: UnsafeMutablePointer<TraceSlot>, epoch: UInt8
    ) {
        if slot.pointee.epoch == epoch {
            slot.pointee.matches |= matches
            slot.pointee.forceRule = min(slot.pointee.forceRule, forceRule)
        } else {
            slot.pointee.matches = matches
            slot.pointee.forceRule = forceRule
            slot.pointee.set(lastTick: slot.pointee.lastTick, epoch: epoch)
        }
    }

    /// Live slots, in no order that means anything.
    func forEachLive(_ body: (UInt32, UnsafePointer<TraceSlot>) -> Void) {
        for number in 0..<slots.touchedCount where slots.slots[number].flags.contains(.live) {
            body(UInt32(number), UnsafePointer(slots.slots + number))
        }
    }
}
