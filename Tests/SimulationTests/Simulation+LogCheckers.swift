import Iceberg
import Pipeline
import TraceBuffering
import TraceModel

/// Checkers of what a process does on its own: log and shard.
extension Simulation {
    // MARK: Acked

    /// Reads what became durable since the last look.
    func learn(_ process: SimulatedProcess) {
        let instance = process.instance
        var reader = LogReader()
        var next = instance.offsets.last.map { $0 + 1 } ?? 0
        while next < process.log.synced {
            do throws(FileError) {
                let batch = try reader.read(
                    from: next, limitBytes: 1 << 20, segments: process.log.segments, files: instance.disk)
                guard let last = batch.entries.last else { break }
                for entry in batch.entries { learn(entry, Array(batch.bytes[entry.body]), instance) }
                next = last.record.offset + 1
            } catch {
                return violate(.acked, "a durable record cannot be read: \(error)")
            }
        }
    }

    private func learn(_ entry: SourceBatch.Entry, _ body: [UInt8], _ instance: Instance) {
        guard let request = instance.workload.requests.first(where: { $0.body == body }) else {
            return violate(.acked, "record \(entry.record.offset) is none that was sent")
        }
        let stamp = entry.record.timestampMilliseconds
        if let last = instance.offsets.last {
            if entry.record.offset <= last { violate(.acked, "offset \(entry.record.offset) was given before") }
            if stamp < instance.truth[last]!.stampMilliseconds { violate(.sameClock, "a stamp went back") }
        }
        for other in instance.truth.values
        where other.request == request.id && stamp - other.stampMilliseconds <= 600_000 {
            violate(.acked, "request \(request.id) is record \(other.offset) and record \(entry.record.offset)")
        }
        instance.offsets.append(entry.record.offset)
        instance.truth[entry.record.offset] = TruthRecord(
            offset: entry.record.offset, request: request.id, stampMilliseconds: stamp, spans: request.spans)
    }

    /// The log's stamps go on from the last record or our wall clock. Where nothing was written for a while and the
    /// wall clock was set back, a new life stamps records below the clock that the one before had reached.
    func checkStamps(_ process: SimulatedProcess) {
        let stamp = process.log.clock.stamp(at: moment)
        let instance = process.instance
        for (traceID, decisions) in instance.decisions {
            for (index, seen) in decisions.enumerated() where seen.tick * StreamTick.millisecondsPerTick > stamp {
                instance.decisions[traceID]![index].isOutrun = true
                count("stamps set back")
            }
        }
    }

    func acknowledged(_ request: Int, _ process: SimulatedProcess) {
        let records = process.instance.truth.values.filter { $0.request == request }
        guard let record = records.max(by: { $0.offset < $1.offset }), record.offset < process.log.synced else {
            return violate(.acked, "request \(request) was answered 200 and is not in the log")
        }
        process.instance.acked[request] = record.offset
    }

    /// After a start: everything that was answered is there, or below what the table has settled.
    func checkAcked(_ process: SimulatedProcess) {
        let bounds = process.log.bounds
        for (request, offset) in process.instance.acked where offset >= bounds.start {
            if offset >= bounds.end {
                violate(.acked, "request \(request), record \(offset), is gone: the log ends at \(bounds.end)")
            }
        }
        checkOrder(process)
    }

    /// Nothing is unlinked before it is below the table's `resume`.
    func checkOrder(_ process: SimulatedProcess) {
        let known = process.instance.id.flatMap { positions[$0]?.resume }
        guard let resume = known ?? (happened["recreation"] == nil ? 0 : nil) else { return }
        if process.log.bounds.start > resume {
            violate(.order, "the log starts at \(process.log.bounds.start), reading starts again at \(resume)")
        }
    }

    // MARK: NoCut, SameClock, OneVerdict

    func checkDecisions(_ process: SimulatedProcess, _ box: ShardBox) {
        let instance = process.instance
        for event in box.shard.takeDecisions() {
            let summary = event.summary
            var ruling = checkRules(event, process)
            // A verdict that stands is still that of whoever made it.
            if let before = instance.decisions[summary.traceID]?.last,
                before.life == process.life || process.remembered.contains(summary.traceID)
            {
                ruling = before.ruling
            }
            let seen = SeenDecision(
                life: process.life, first: summary.firstOffset, last: summary.lastOffset,
                spanCount: Int(summary.spanCount), isKept: event.decision.isKept, isEarly: event.cause == .early,
                tick: event.decidedAt.value, ruling: ruling, step: step)
            if seen.isEarly { count("early") }
            checkNoCut(event, process, next: box.shard.next)
            checkSame(summary.traceID, seen, instance)
            instance.decisions[summary.traceID, default: []].append(seen)
        }
    }

    private func checkNoCut(_ event: DecisionEvent, _ process: SimulatedProcess, next: Int64) {
        guard event.cause != .early else { return }
        let limits = shardOptions.buffer
        let summary = event.summary
        let wait = summary.hasRoot ? limits.rootInactivityTicks : limits.inactivityTicks
        let deadline = min(
            summary.lastTick.value + wait, summary.firstTick.value + limits.maximumDurationTicks)
        for offset in process.instance.offsets.reversed() where offset >= next {
            let record = process.instance.truth[offset]!
            if record.tick < deadline, record.spans.contains(where: { $0.traceID == summary.traceID }) {
                return violate(
                    .noCut,
                    "\(summary.traceID) decided with tick \(deadline), record \(offset) of \(record.tick) unread")
            }
        }
    }

    /// Two decisions about the same stretch of a trace are one: same spans, same verdict, in every life.
    private func checkSame(_ traceID: TraceID, _ seen: SeenDecision, _ instance: Instance) {
        // A row of late spans that came after the verdict's time to live is the verdict for those before, too.
        guard silence(traceID, instance) <= shardOptions.decisionTimeToLiveTicks, !instance.beheaded.contains(traceID)
        else { return }
        let others = instance.decisions[traceID, default: []]
        for (index, other) in others.enumerated() {
            let overlaps = seen.first <= other.last && other.first <= seen.last
            guard overlaps, !seen.isEarly, !other.isEarly, !other.isOutrun else { continue }
            // What came of it when it was judged anew stands from then on.
            let stands = !others[(index + 1)...].contains { seen.first <= $0.last && $0.first <= seen.last }
            if seen.isKept != other.isKept, stands {
                // Nobody remembers, for the verdict files went with the power: other rules may decide now, and a
                // verdict that was made early may be another one with the whole trace at hand.
                let isForgotten = instance.powerCutSteps.contains { $0 >= other.step }
                if isForgotten, seen.ruling != other.ruling || others.contains(where: \.isEarly) { continue }
                violate(.oneVerdict, "\(traceID) \(instance.decisions[traceID]!), then \(seen)")
            } else if (seen.first, seen.last, seen.spanCount) != (other.first, other.last, other.spanCount) {
                violate(.sameClock, "\(traceID) \(other), then \(seen)")
            }
        }
    }

    // MARK: BUF-1, DEC-1

    func checkShard(_ process: SimulatedProcess, _ box: ShardBox) {
        let gauges = box.shard.gauges
        let counters = box.shard.counters
        if gauges.bufferedTraces > options.bufferTraces + 5 {
            violate(.bufferBudget, "\(gauges.bufferedTraces) traces, \(options.bufferTraces) allowed")
        }
        // A message and what it opens may come on top.
        if gauges.bufferBytes > options.bufferBytes + 3_000 {
            violate(.bufferBudget, "\(gauges.bufferBytes) bytes, \(options.bufferBytes) allowed")
        }
        let sampled = counters.spansSampled.reduce(0, +)
        let dropped = counters.spansDropped.reduce(0, +)
        if counters.spansIngested != sampled + dropped + UInt64(gauges.bufferedSpans) {
            violate(
                .oneDecision,
                "\(counters.spansIngested) in, \(sampled) + \(dropped) out, \(gauges.bufferedSpans) here")
        }
    }

    // MARK: Bounded

    func checkRecovery(_ process: SimulatedProcess, _ recovered: RecoveredPartition) {
        let instance = process.instance
        // The clock where reading starts again, and where it was when the position was made.
        guard let last = instance.offsets.last(where: { $0 < recovered.settled }),
            let first = instance.offsets.first(where: { $0 >= recovered.resume && $0 < recovered.settled })
        else { return }
        let replayed = instance.truth[last]!.tick - instance.truth[first]!.tick
        let bucket = Int64(1) << Int64(shardOptions.ledgerBucketShift)
        let slack = instance.truth.values.filter { $0.offset / bucket == first / bucket }.map(\.tick)
        let width = (slack.max() ?? 0) - (slack.min() ?? 0)
        if replayed > 2 * shardOptions.buffer.maximumDurationTicks + width {
            violate(.bounded, "\(replayed) ticks between resume \(recovered.resume) and settled \(recovered.settled)")
        }
    }

    // MARK: Rot

    /// A log in which a bit turned over gives what it was given, or an error, or less at its torn end:
    /// never other bytes.
    func checkRot(_ instance: Instance, _ proposal: LogSuperblock) {
        let copy = instance.disk.copy()
        guard let place = copy.rot(&random) else { return }
        do throws(FileError) {
            let log = try PartitionLog(opening: copy, proposal: proposal, options: logOptions, at: moment)
            var reader = LogReader()
            var next = log.bounds.start
            while next < log.synced {
                let batch = try reader.read(from: next, limitBytes: 1 << 20, segments: log.segments, files: copy)
                guard let last = batch.entries.last else { break }
                for entry in batch.entries {
                    guard let known = instance.truth[entry.record.offset] else { continue }
                    let body = Array(batch.bytes[entry.body])
                    if body != instance.workload.requests[known.request].body {
                        violate(.acked, "rot in \(place): record \(entry.record.offset) is another one")
                    }
                }
                next = last.record.offset + 1
            }
            count("rot survived")
        } catch {
            count("rot found")
        }
    }
}
