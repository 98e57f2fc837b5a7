import Iceberg
import Pipeline
import Sampling
import TraceBuffering
import TraceGenerator
import TraceModel

extension Simulation {
    // MARK: FENCE, RECOVER, COMMIT

    /// One action of the committer, or the next machine.
    func committerStep(_ process: SimulatedProcess) {
        guard let action = process.action else { return begin(process) }
        if case .wait(let milliseconds) = action {
            if process.wakesAt == 0 { process.wakesAt = now + milliseconds }
            guard now >= process.wakesAt else { return }
            process.wakesAt = 0
            return feed(process, .waited)
        }
        feed(process, perform(action, process))
    }

    private func begin(_ process: SimulatedProcess) {
        switch process.committer {
        case .fencing, .recovering, .committing: feed(process, .start)
        case .stopped: break
        case .idle: seal(process)
        }
    }

    private func feed(_ process: SimulatedProcess, _ event: TableEvent) {
        process.action = nil
        switch process.committer {
        case .fencing(var machine):
            let step = machine.step(event, at: moment)
            process.committer = .fencing(machine)
            switch step {
            case .perform(let action): process.action = action
            case .done(let fenced): recover(process, fenced)
            }
        case .recovering(var machine, let fenced):
            let step = machine.step(event, at: moment)
            process.committer = .recovering(machine, fenced)
            switch step {
            case .perform(let action): process.action = action
            case .done(.recovered(let sources)): takeUp(process, sources[0], fenced)
            case .done(.fenced), .done(.otherLogs): fence(process)
            }
        case .committing(var machine):
            let step = machine.step(event, at: moment)
            process.committer = .committing(machine)
            switch step {
            case .perform(let action): process.action = action
            case .done(let outcome): finish(process, outcome)
            }
        case .idle, .stopped: break
        }
    }

    func fence(_ process: SimulatedProcess) {
        checkLastDecisions(process)
        process.box = nil
        (process.segments, process.writes, process.reads, process.segmentRead) = ([:], [], [], nil)
        process.committer = .fencing(
            FenceMachine(
                definition: SimulatedTable.definition, partitions: [process.instance.id!], writer: process.writer,
                options: tableOptions, seed: random.next()))
    }

    private func recover(_ process: SimulatedProcess, _ fenced: FencedTable) {
        note("\(process.instance.number) fenced, epochs \(fenced.epochs.values)")
        process.committer = .recovering(
            RecoverMachine(
                identifier: SimulatedTable.identifier, fenced: fenced,
                sources: [process.instance.id!: process.log.bounds], writer: process.writer, options: tableOptions,
                seed: random.next()), fenced)
    }

    private func takeUp(_ process: SimulatedProcess, _ source: RecoveredSource, _ fenced: FencedTable) {
        var recovered = source.partition
        recovered.remembered = process.instance.verdicts
        for remark in source.remarks {
            switch remark {
            case .gap, .anchorDiffers, .logIsOlder, .operatorReset, .otherTable:
                violate(.order, "recovery: \(remark)")
            }
        }
        checkRecovery(process, recovered)
        note(
            "\(process.instance.number) recovered at \(recovered.resume)…\(recovered.settled), "
                + "\(recovered.present.count) rows")
        process.rules = KnownRules()
        process.pastRules = []
        process.rules.adopt(book, next: recovered.resume)
        process.bucket = KnownBucket()
        process.remembered = Set(
            recovered.remembered.map(\.traceID) + recovered.present.map(\.traceID) + recovered.kept.map(\.traceID))
        process.box = ShardBox(Shard(recovered: recovered, options: shardOptions, sampler: currentSampler()))
        process.history = source.history
        process.fenced = fenced
        process.committer = .idle
        process.nextPositionAt = now + Self.positionMilliseconds
    }

    private func seal(_ process: SimulatedProcess) {
        guard let box = process.box, let fenced = process.fenced else { return }
        let gauges = box.shard.gauges
        let isMoving = gauges.settled != gauges.next || gauges.resume != gauges.next
        guard box.shard.pendingBytes > 0 || (isMoving && now >= process.nextPositionAt) else { return }
        let sealed = box.shard.seal()
        process.sequence += 1
        process.nextPositionAt = now + Self.positionMilliseconds
        note(
            "\(process.instance.number) batch \(process.sequence): \(sealed.traces.count) traces, "
                + "\(sealed.draft.resume)…\(sealed.draft.settled)")
        process.committer = .committing(
            CommitMachine(
                identifier: SimulatedTable.identifier,
                batch: CommitBatch(
                    tableUUID: fenced.metadata.tableUUID, sequence: process.sequence, partitions: [sealed],
                    histories: [sealed.id: process.history]),
                writer: process.writer, options: tableOptions, seed: random.next()))
    }

    private func finish(_ process: SimulatedProcess, _ outcome: CommitOutcome) {
        guard case .finished(let receipt) = outcome, let id = process.instance.id else {
            guard happened["recreation"] != nil else { return violate(.order, "the table was replaced") }
            note("\(process.instance.number) finds another table")
            guard !zombies.contains(where: { $0 === process }) else {
                process.committer = .stopped
                return
            }
            return fence(process)
        }
        guard let history = receipt.committed[id] else {
            note("\(process.instance.number) fenced by another")
            count("fenced")
            guard !zombies.contains(where: { $0 === process }) else {
                process.committer = .stopped
                return
            }
            return fence(process)
        }
        process.history = history
        process.committer = .idle
        guard !zombies.contains(where: { $0 === process }), let box = process.box else { return }
        let position = box.shard.committed()
        process.log.release(below: position.resume, at: moment)
        process.instance.logStart = process.log.bounds.start
        checkOrder(process)
    }

    // MARK: The world's answers

    func perform(_ action: TableAction, _ process: SimulatedProcess) -> TableEvent {
        switch action {
        case .loadTable:
            if fault(.noAnswer, options.catalogFaultProbability) {
                return .table(.failure(CatalogError(.unavailable, "no answer")))
            }
            return .table(result { () throws(CatalogError) in try table.loaded(at: now) })
        case .createNamespace:
            return .namespace(.success(()))
        case .createTable(let definition):
            return .table(
                result { () throws(CatalogError) in try table.create(definition, at: now) })
        case .commit(_, let requirements, let updates):
            return .table(
                answer(CommitRequest(writer: process.writer, requirements: requirements, updates: updates)))
        case .readFile(let location, _):
            if fault(.noAnswer, options.catalogFaultProbability) {
                return .bytes(.failure(FileError(.failed, "no answer")))
            }
            return .bytes(result { () throws(FileError) in try table.read(location) })
        case .writeFile(let location, let bytes):
            if fault(.refusedWrite, options.catalogFaultProbability) {
                return .written(.failure(FileError(.full, "no space left")))
            }
            table.write(location, bytes, at: now)
            return .written(.success(()))
        case .deleteFile(let location):
            table.delete(location)
            return .written(.success(()))
        case .writeRows(let traces, let source, let directory, let name):
            if fault(.refusedWrite, options.catalogFaultProbability) {
                return .rows(.failure(FileError(.failed, "no answer")))
            }
            return .rows(.success(write(traces, source, "\(directory)/\(name)")))
        case .readPresent(let file, let id, let offset):
            if fault(.noAnswer, options.catalogFaultProbability) {
                return .present(.failure(FileError(.failed, "no answer")))
            }
            return .present(
                result { () throws(FileError) in
                    try table.readRows(file.path).filter { $0.id == id && $0.offset >= offset }.map {
                        PresentRow(traceID: $0.traceID, offset: $0.offset, index: $0.index)
                    }
                })
        case .readVerdicts(let file, let since):
            return .verdicts(
                result { () throws(FileError) in Self.verdicts(try table.readRows(file.path), since) })
        case .readRecord(_, let offset):
            return .record(.success(record(process, offset)))
        case .wait:
            return .waited
        }
    }

    private func result<Value, Failure: Error>(_ body: () throws(Failure) -> Value) -> Result<Value, Failure> {
        do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }

    /// A catalog that answers late, never or twice.
    private func answer(_ request: CommitRequest) -> Result<LoadedTable, CatalogError> {
        if conflictsLeft > 0, !isResting {
            conflictsLeft -= 1
            return .failure(CatalogError(.conflict, "a storm of conflicts"))
        }
        let share = options.catalogFaultProbability / 7
        if fault(.conflict, share) { return .failure(CatalogError(.conflict, "somebody was faster")) }
        if fault(.conflictStorm, share / 3) {
            conflictsLeft = 3 + random.below(12)
            count("conflict storm")
        }
        if fault(.unavailable, share) { return .failure(CatalogError(.unavailable, "503")) }
        if fault(.lateRequest, share) {
            delayed.append(request)
            return .failure(CatalogError(.unknown, "the answer is late"))
        }
        if fault(.doubledRequest, share) { delayed.append(request) }
        if fault(.lostAnswer, 3 * share) {
            _ = commit(request)
            count("lost commit answer")
            if random.chance(0.5) { busySteps = 25 }
            return .failure(CatalogError(.unknown, "the answer is lost"))
        }
        return commit(request)
    }

    /// Applies a request or refuses it.
    func commit(_ request: CommitRequest) -> Result<LoadedTable, CatalogError> {
        let before = table.metadata
        do throws(CatalogError) {
            try table.apply(request, at: now)
        } catch {
            note("commit of \(request.writer.prefix(4)): \(error.code)")
            return .failure(error)
        }
        note("commit of \(request.writer.prefix(4)): applied")
        checkCommit(request, before: before)
        return result { () throws(CatalogError) in try table.loaded(at: now) }
    }

    func deliverDelayed() {
        let request = delayed.remove(at: random.below(delayed.count))
        count("late request")
        _ = commit(request)
    }

    /// One or two files, as rows of two days make.
    private func write(_ traces: [SampledTrace], _ source: SourceID, _ stem: String) -> [DataFile] {
        var parts: [[SimulatedRow]] = [[], []]
        for (number, sampled) in traces.enumerated() {
            let id = PartitionID(source: source, partition: sampled.trace.partition)
            for span in sampled.trace.spans {
                parts[number % 2].append(
                    SimulatedRow(
                        id: id, offset: span.offset, index: span.index, traceID: sampled.trace.traceID,
                        spanID: span.spanID, decision: sampled.decision,
                        decidedAtMilliseconds: sampled.decidedAtMilliseconds))
            }
        }
        return parts.enumerated().filter { !$0.element.isEmpty }.map {
            table.writeRows($0.element, "\(stem)-\($0.offset).parquet", at: now)
        }
    }

    static func verdicts(_ rows: [SimulatedRow], _ since: Int64) -> [KeptVerdict] {
        var verdicts: [TraceID: KeptVerdict] = [:]
        for row in rows where row.decidedAtMilliseconds >= since {
            if let known = verdicts[row.traceID], known.decidedAtMilliseconds <= row.decidedAtMilliseconds { continue }
            verdicts[row.traceID] = KeptVerdict(
                traceID: row.traceID, decision: row.decision, decidedAtMilliseconds: row.decidedAtMilliseconds)
        }
        return verdicts.values.sorted { $0.traceID < $1.traceID }
    }

    private func record(_ process: SimulatedProcess, _ offset: Int64) -> LogRecord? {
        var reader = LogReader()
        let batch = try? reader.read(
            from: offset, limitBytes: 1, segments: process.log.segments, files: process.instance.disk)
        guard let entry = batch?.entries.first, entry.record.offset == offset else { return nil }
        return entry.record
    }

    // MARK: Others

    func foreignStep() {
        do throws(FileError) {
            if random.chance(0.2) {
                guard schedule.happens(.orphanRemoval, step: step) else { return }
                // By the store's clock; what is on its way is younger.
                try table.removeOrphans(olderThan: 86_400_000, now: now)
                return
            }
            if options.recreates, happened["recreation"] == nil, fault(.recreation, 0.05) { return recreateTable() }
            let kind = random.pick(ForeignKind.allCases)
            if kind == .rollback, !options.rollbacks || random.chance(0.7) { return }
            let reachable = try table.reachable()
            guard let request = try table.foreignCommit(kind, random: &random, at: now) else { return }
            guard schedule.happens(kind.fault, step: step) else { return }
            note("foreign \(kind)")
            count("\(kind)")
            _ = commit(request)
            // Whoever expires deletes what nobody needs any more, at once.
            if kind == .expiry {
                for location in reachable.subtracting(try table.reachable()) { table.delete(location) }
            }
        } catch {
            violate(.alive, "main cannot be read: \(error)")
        }
    }

    /// Somebody drops the table; whoever comes next makes a new one. What the log does not have any more is gone.
    private func recreateTable() {
        guard table.metadata != nil else { return }
        note("the table is dropped")
        count("recreation")
        rolledBack.formUnion(liveRows.map(\.identity))
        liveRows = []
        positions = [:]
        owners = [:]
        table.drop()
        for instance in instances {
            for offset in instance.offsets where offset < instance.logStart {
                instance.beheaded.formUnion(instance.truth[offset]!.spans.map(\.traceID))
            }
        }
    }
}
