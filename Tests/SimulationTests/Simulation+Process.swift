import Iceberg
import Sampling
import TraceBuffering
import TraceGenerator
import TraceModel

@testable import Pipeline

extension Simulation {
    // MARK: Life and death

    var logOptions: LogOptions {
        var options = LogOptions()
        options.segmentBytes = 6_000
        options.repeatMilliseconds = 600_000
        return options
    }

    var shardOptions: ShardOptions {
        var shard = ShardOptions()
        shard.ledgerBucketShift = 2
        shard.buffer.traces = options.bufferTraces
        shard.buffer.bytes = options.bufferBytes
        shard.buffer.segmentBytes = options.bufferBytes < 100_000 ? 1_000 : 2_000
        shard.buffer.spills = options.spills
        shard.decisionsPerTurn = 5
        shard.faults = options.faults
        return shard
    }

    var tableOptions: TableStepOptions {
        var table = TableStepOptions()
        table.conflictBaseMilliseconds = 20
        table.outageBaseMilliseconds = 50
        table.outageCapMilliseconds = 5_000
        table.conflictCapMilliseconds = 2_000
        table.refusedMilliseconds = 5_000
        table.faults = options.faults
        return table
    }

    func startProcess(_ instance: Instance) {
        let disk = instance.disk
        disk.revive()
        disk.faultProbability = 0
        let proposal = LogSuperblock(
            partition: 0, uuid: LogUUID(random: [random.next(), random.next()]),
            key: LogKey(low: random.next(), high: random.next()), createdMilliseconds: moment.wallMilliseconds)
        if fault(.rottenLog, 0.03) { checkRot(instance, proposal) }
        if fault(.killInRecovery, 0.1) { disk.operationsUntilDeath = random.below(6) }
        let log: PartitionLog
        do throws(FileError) {
            log = try PartitionLog(opening: disk, proposal: proposal, options: logOptions, at: moment)
        } catch {
            if disk.isDead { return note("\(instance.number) killed in recovery") }
            return violate(.acked, "the log does not open: \(error)")
        }
        disk.operationsUntilDeath = nil
        if !isResting { disk.faultProbability = options.diskFaultProbability }
        let topic = options.faults.contains(.sharedLogName) ? "otlp:embedded" : log.sourceTopic
        let id = PartitionID(source: SourceID(topic: topic, generation: 1), partition: 0)
        if let known = instance.id, known != id { violate(.acked, "the log is another one after a restart") }
        instance.id = id
        instance.logStart = log.bounds.start
        let writer = Hexadecimal.text(random.next())
        let process = SimulatedProcess(
            instance: instance, writer: writer, log: log,
            fence: FenceMachine(
                definition: SimulatedTable.definition, partitions: [id], writer: writer, options: tableOptions,
                seed: random.next()))
        processes.append(process)
        note("\(instance.number) life \(process.life) writer \(writer.prefix(4)) log \(log.bounds) \(log.recovery)")
        learn(process)
        checkStamps(process)
        checkAcked(process)
    }

    /// The process is gone with all it had in memory.
    func kill(_ process: SimulatedProcess, power: Bool) {
        let instance = process.instance
        note("\(instance.number) \(power ? "power cut" : "kill -9") in \(describe(process))")
        count(power ? "power cut" : "kill")
        checkLastDecisions(process)
        // Half of the time what was about to be done is done, and nobody hears the answer.
        if !process.queue.isEmpty, random.chance(0.5) {
            instance.disk.operationsUntilDeath = random.below(8)
            _ = process.log.append(process.queue.map { instance.workload.requests[$0].body }, at: moment)
        } else if let action = process.action, random.chance(0.5) {
            _ = perform(action, process)
        }
        processes.removeAll { $0 === process }
        putBack(process)
        if power {
            instance.disk.cutPower()
            let kept = instance.verdictsBeforePower
            let extra = random.below(instance.verdicts.count - kept + 1)
            instance.verdicts.removeSubrange((kept + extra)...)
            instance.verdictsBeforePower = instance.verdicts.count
            instance.powerCutSteps.append(step)
            instance.powerCuts.append(instance.offsets.last.map { $0 + 1 } ?? 0)
        }
    }

    /// Clients whose request was not answered send it again.
    private func putBack(_ process: SimulatedProcess) {
        process.instance.unsent = (process.queue + process.instance.unsent).sorted()
        process.queue = []
    }

    /// The process stops; the folder's lock is lost (a copied folder, a broken lock) and another one starts.
    func freeze(_ process: SimulatedProcess) {
        guard zombies.isEmpty else { return }
        note("\(process.instance.number) frozen in \(describe(process))")
        count("freeze")
        checkLastDecisions(process)
        if case .committing = process.committer, case .commit = process.action { count("freeze before commit") }
        processes.removeAll { $0 === process }
        putBack(process)
        zombies.append(process)
    }

    /// A thawed committer goes on where it was; its log and shard are the other's now.
    func zombieStep() {
        guard let zombie = zombies.first else { return }
        committerStep(zombie)
        switch zombie.committer {
        case .committing where zombies.first === zombie: break
        default:
            note("\(zombie.instance.number) zombie is gone")
            zombies.removeAll { $0 === zombie }
        }
    }

    func describe(_ process: SimulatedProcess) -> String {
        switch process.committer {
        case .fencing: "fence, \(name(process.action))"
        case .recovering: "recovery, \(name(process.action))"
        case .idle: "idle"
        case .committing(let machine): "commit \(machine.phase), \(name(process.action))"
        case .stopped: "stopped"
        }
    }

    func name(_ action: TableAction?) -> String {
        guard let action else { return "-" }
        return String("\(action)".prefix { $0 != "(" })
    }

    // MARK: Requests and the log

    func sendRequests(_ process: SimulatedProcess) {
        let instance = process.instance
        while let next = instance.unsent.first, process.queue.count < 8,
            isResting || instance.workload.requests[next].at <= now - start
        {
            instance.unsent.removeFirst()
            process.queue.append(next)
        }
    }

    func writeGroup(_ process: SimulatedProcess) {
        guard !process.queue.isEmpty else { return }
        let instance = process.instance
        let group = process.queue
        process.queue = []
        let answers = process.log.append(group.map { instance.workload.requests[$0].body }, at: moment)
        learn(process)
        for (request, answer) in zip(group, answers) {
            guard case .durable = answer else {
                instance.unsent = (instance.unsent + [request]).sorted()
                count("unavailable")
                continue
            }
            if fault(.lostReply, 0.05) {
                // The answer is lost on its way: the client sends again.
                instance.unsent = (instance.unsent + [request]).sorted()
                count("lost answer")
            } else {
                acknowledged(request, process)
            }
        }
    }

    // MARK: The shard

    func shardTurn(_ process: SimulatedProcess) {
        guard let box = process.box else { return }
        let wall = moment.wallMilliseconds
        serveSegments(process, box)
        guard process.box === box else { return }
        adoptRules(process, box)
        let isAtEnd = box.shard.next >= process.log.synced && process.queue.isEmpty
        _ = box.shard.advance(
            isAtEnd ? .quiet(stampMilliseconds: process.log.clock.stamp(at: moment)) : .behind, wall: wall)
        checkDecisions(process, box)
        if !isAtEnd { readRecords(process, box, wall) }
        rematch(process, box)
        process.instance.verdicts += box.shard.takeVerdicts()
        checkShard(process, box)
        serveSegments(process, box)
    }

    private func readRecords(_ process: SimulatedProcess, _ box: ShardBox, _ wall: Int64) {
        let batch: SourceBatch
        do throws(FileError) {
            batch = try process.reader.read(
                from: box.shard.next, limitBytes: 1 + random.below(4000), segments: process.log.segments,
                files: process.instance.disk)
        } catch {
            return violate(.acked, "a durable record cannot be read: \(error)")
        }
        for entry in batch.entries {
            let body = batch.bytes.span.bytes.extracting(entry.body)
            guard case .taken = box.shard.ingest(entry.record, body, wall: wall) else { break }
            checkDecisions(process, box)
        }
        checkDecisions(process, box)
    }

    // MARK: Segments on disk

    /// Writes and reads are done when they are done; the disk may be full, and bytes may not come back.
    private func serveSegments(_ process: SimulatedProcess, _ box: ShardBox) {
        process.reads += box.shard.takeReads()
        process.writes += box.shard.sealedSegments()
        if process.isDiskFull ? isResting || random.chance(0.1) : options.spills && fault(.segmentDiskFull, 0.01) {
            process.isDiskFull.toggle()
            count("segment disk full")
        }
        box.shard.diskIsFull(process.isDiskFull && !process.writes.isEmpty)
        while !process.isDiskFull, !process.writes.isEmpty, isResting || random.chance(0.6) {
            let segment = process.writes.removeFirst()
            process.segments[segment.id] = segment.bytes
            box.shard.segmentWritten(segment.id)
            count("segment written")
        }
        while !process.reads.isEmpty, isResting || random.chance(0.6) {
            if case .idle = process.committer, fault(.segmentUnreadable, 0.02) {
                note("\(process.instance.number) cannot read a segment: taken over anew")
                count("segment unreadable")
                return fence(process)
            }
            let trace = process.reads.removeFirst()
            for read in trace.reads { box.shard.supply(trace.handle, read, bytes(read, process)) }
            // What was read may name more to read.
            process.reads += box.shard.takeReads()
        }
        checkDecisions(process, box)
        for segment in box.shard.unneededSegments() { process.segments[segment] = nil }
        if !box.shard.takeDeadLetters().isEmpty { violate(.acked, "a record of the log does not decode") }
    }

    private func bytes(_ read: SegmentRead, _ process: SimulatedProcess) -> [UInt8] {
        Array(process.segments[read.segment]![read.offset..<read.offset + read.byteCount])
    }

    private func rematch(_ process: SimulatedProcess, _ box: ShardBox) {
        if let read = process.segmentRead, isResting || random.chance(0.4) {
            process.segmentRead = nil
            box.shard.supplyRematch(read.segment, process.segments[read.segment] ?? [])
            count("segment matched anew from disk")
        }
        guard process.segmentRead == nil, isResting || random.chance(0.3) else { return }
        switch box.shard.rematch() {
        case .idle: break
        case .matched: count("segment matched anew")
        case .read(let read): process.segmentRead = read
        }
    }
}
