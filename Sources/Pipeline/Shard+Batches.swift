internal import Sampling
public import TraceBuffering
import TraceModel

/// Rows owed to the table, and the claim that their commit releases.
struct OwedRows {
    /// Nil when another part of the trace carries it.
    var claim: Int64?
    var rows: SampledTrace

    /// Arena and layout of the spans: what the rows cost while they wait.
    var byteCount: Int {
        rows.trace.arena.count + rows.trace.spans.count * MemoryLayout<KeptSpan>.stride
    }
}

/// A kept trace on its way out of the buffer.
struct KeptRead {
    var claim: Int64
    var decision: Decision
    var decidedAt: StreamTick
    /// Reported when its bytes are here: they show why.
    var event: DecisionEvent
    /// What limiters needed and had when they were asked.
    var readings: [LimiterReading?]
}

extension Shard {
    // MARK: Kept traces

    /// Takes the whole trace over: the table gets the rows that it does not have.
    mutating func keep(_ trace: KeptTrace, _ kept: KeptRead) {
        var trace = trace
        trace.partition = id.partition
        var event = kept.event
        if evidenceBudget.spend(isKept: true) { event.evidence = evidence(event, kept.readings, trace) }
        report(event)
        turn.kept(spans: trace.spans.count)
        if !shadow.isEmpty {
            let count = trace.spans.count
            trace.spans = removePresent(trace)
            counters.presentSpans += UInt64(count - trace.spans.count)
        }
        guard !trace.spans.isEmpty else {
            ledger.release(at: kept.claim)
            return
        }
        owe(
            SampledTrace(
                trace: trace, decision: kept.decision, decidedAtMilliseconds: kept.decidedAt.milliseconds),
            claim: kept.claim)
    }

    private mutating func removePresent(_ trace: KeptTrace) -> [KeptSpan] {
        var absent: [KeptSpan] = []
        for span in trace.spans
        where !shadow.isPresent(trace.traceID, offset: span.offset, index: span.index) {
            absent.append(span)
        }
        return absent
    }

    /// Late spans of a kept trace: rows of their own, with the trace's reason, policy and count.
    mutating func keepLate(_ trace: KeptTrace, offset: Int64) {
        guard let known = known(trace.traceID) else { return }
        ledger.claim(at: offset)
        owe(
            SampledTrace(
                trace: trace, decision: known.remembered.decision,
                decidedAtMilliseconds: clock.now.milliseconds),
            claim: offset)
    }

    private mutating func owe(_ rows: SampledTrace, claim: Int64) {
        let owed = OwedRows(claim: claim, rows: rows)
        keptBytes += owed.byteCount
        waitingBytes += owed.byteCount
        pending.append(owed)
    }

    // MARK: Segments

    /// Full segments to write, when the buffer spills.
    public mutating func sealedSegments() -> [SealedSegment] {
        offerSegments()
        guard !spilling.sealed.isEmpty else { return [] }
        defer { spilling.sealed = [] }
        return spilling.sealed
    }

    mutating func offerSegments() {
        guard options.buffer.spills else { return }
        let sealed = buffer.sealed()
        guard !sealed.isEmpty else { return }
        spilling.inFlight += sealed.count
        spilling.sealed += sealed
    }

    /// The segment is on disk.
    public mutating func segmentWritten(_ segment: SegmentID) {
        spilling.inFlight -= 1
        buffer.written(segment)
    }

    /// Whether segments find no room on the disk: then a full buffer decides early instead of waiting for it.
    public mutating func diskIsFull(_ isFull: Bool) { spilling.isDiskFull = isFull }

    /// Written segments that can be deleted or used again.
    public mutating func unneededSegments() -> [SegmentID] { buffer.unneededSegments() }

    /// Bytes that were read for a trace (`takeReads`).
    public mutating func supply(_ handle: TraceHandle, _ read: SegmentRead, _ bytes: [UInt8]) {
        guard let trace = buffer.supply(handle, read, bytes) else {
            let further = buffer.furtherReads(handle)
            if !further.isEmpty { reads.append(TraceReads(handle: handle, reads: further)) }
            return
        }
        if let kept = readingBack.removeValue(forKey: handle) {
            keep(trace, kept)
        } else if ripe.bytes[handle] != nil {
            ripe.bytes[handle] = .here(trace)
        }
    }

    // MARK: Batches

    /// Whether a batch was sealed and neither `committed` nor `aborted`.
    public var hasBatchInFlight: Bool { isSealed }

    /// Bytes of the kept rows that a batch would carry now.
    public var pendingBytes: Int { waitingBytes }

    /// Everything kept and decided that no batch has taken, and the position once it is in the table.
    ///
    /// One batch at a time: call `committed` or `aborted` before the next.
    public mutating func seal() -> SealedPartition {
        precondition(!isSealed, "one batch in flight")
        isSealed = true
        inFlight = pending
        pending = []
        waitingBytes = 0
        #if DEBUG
            if options.plants(.splitsTraces) { split() }
        #endif
        for owed in inFlight {
            if let claim = owed.claim { ledger.embark(at: claim) }
        }
        var (resume, settled) = ledger.sealed()
        #if DEBUG
            if options.plants(.resumeIsSettled) { resume = settled }
        #endif
        return SealedPartition(
            id: id, epoch: epoch, traces: inFlight.map(\.rows),
            draft: PositionDraft(
                resume: resume.offset, settled: settled.offset, clock: resume.clock, anchor: resume.anchor))
    }

    /// The batch is in the table: its claims are gone, and nothing below the answer's `resume` is needed.
    @discardableResult
    public mutating func committed() -> PositionDraft {
        precondition(isSealed, "a batch was sealed")
        for owed in inFlight {
            keptBytes -= owed.byteCount
            if let claim = owed.claim { ledger.land(at: claim) }
        }
        inFlight = []
        isSealed = false
        ledger.committed()
        let (resume, settled) = ledger.durable
        shadow.settle(settled.offset)
        return PositionDraft(
            resume: resume.offset, settled: settled.offset, clock: resume.clock, anchor: resume.anchor)
    }

    /// The batch is surely not in the table: its rows wait for the next one.
    public mutating func aborted() {
        precondition(isSealed, "a batch was sealed")
        for owed in inFlight {
            if let claim = owed.claim { ledger.disembark(at: claim) }
        }
        for owed in inFlight { waitingBytes += owed.byteCount }
        pending = inFlight + pending
        inFlight = []
        isSealed = false
        ledger.abandoned()
    }

    #if DEBUG
        /// The planted fault: half of each trace's rows go, and the claim with them.
        private mutating func split() {
            for index in inFlight.indices where inFlight[index].rows.trace.spans.count > 1 {
                var rest = inFlight[index]
                let half = rest.rows.trace.spans.count / 2
                inFlight[index].rows.trace.spans.removeSubrange(half...)
                rest.rows.trace.spans.removeSubrange(..<half)
                rest.claim = nil
                keptBytes += rest.rows.trace.arena.count
                waitingBytes += rest.byteCount
                pending.append(rest)
            }
        }
    #endif

    // MARK: Gauges

    public var gauges: ShardGauges {
        ShardGauges(
            bufferedTraces: buffer.traceCount + ripe.bytes.count, bufferedSpans: buffer.spanCount + ripe.takenSpans,
            bufferBytes: buffer.usedBytes,
            writtenBytes: buffer.writtenBytes, keptTraces: pending.count + inFlight.count, keptBytes: keptBytes,
            rememberedVerdicts: memory.count, memoryBytes: memory.bytes, next: ledger.next.offset,
            rematchBytes: rematchBytesLeft, segmentsInFlight: spilling.inFlight, tracesReadBack: readingBack.count,
            resume: ledger.durable.resume.offset, settled: ledger.durable.settled.offset, clock: clock.now,
            clockHealth: clock.health)
    }
}
