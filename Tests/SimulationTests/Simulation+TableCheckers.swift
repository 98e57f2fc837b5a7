import Iceberg
import Pipeline
import TraceBuffering
import TraceModel

/// Checkers of the table, after every commit that was applied.
extension Simulation {
    func checkCommit(_ request: CommitRequest, before: TableMetadata?) {
        guard let after = table.metadata, let before else { return }
        do {
            for instance in instances {
                guard let id = instance.id else { continue }
                try checkOwner(id, request, before, after)
                try checkPosition(id, request, before, after)
            }
            checkOnce(request, before, after)
            try checkRows(after, isRollback: request.writer == "operator")
        } catch let error as FileError {
            violate(.alive, "main cannot be read: \(error)")
        } catch {
            violate(.fenced, "a property cannot be read: \(error)")
        }
    }

    // MARK: Fenced, Monotone

    private func checkOwner(
        _ id: PartitionID, _ request: CommitRequest, _ before: TableMetadata, _ after: TableMetadata
    ) throws {
        guard let owner = try after.owner(of: id), owner != owners[id] else { return }
        if owner.epoch <= owners[id]?.epoch ?? 0 { violate(.fenced, "epoch \(owner.epoch) after \(owners[id]!.epoch)") }
        // With the rule switched off the run goes on, to see what a thawed writer does.
        if before.currentSnapshotID == after.currentSnapshotID, !options.faults.contains(.noFence) {
            violate(.fenced, "the fence of epoch \(owner.epoch) did not move main")
        }
        owners[id] = owner
    }

    private func checkPosition(
        _ id: PartitionID, _ request: CommitRequest, _ before: TableMetadata, _ after: TableMetadata
    ) throws {
        guard let position = try after.position(of: id), position != positions[id] else { return }
        let owner = try before.owner(of: id)
        if owner?.epoch != position.epoch || owner?.writer != request.writer {
            violate(.fenced, "\(request.writer.prefix(4)) committed for \(id), owned by \(String(describing: owner))")
        }
        if let known = positions[id] {
            if (position.epoch, position.sequence) <= (known.epoch, known.sequence) {
                violate(.monotone, "\(position.epoch).\(position.sequence) after \(known.epoch).\(known.sequence)")
            }
            if position.resume < known.resume || position.settled < known.settled {
                violate(.monotone, "\(position.resume)…\(position.settled) after \(known.resume)…\(known.settled)")
            }
        }
        positions[id] = position
        note("position of \(id.partition) \(position.resume)…\(position.settled) floor \(position.floor ?? -1)")
    }

    // MARK: Once

    private func checkOnce(_ request: CommitRequest, _ before: TableMetadata, _ after: TableMetadata) {
        for update in request.updates {
            guard case .addSnapshot(let snapshot) = update, let writer = snapshot.summary["tss.writer"],
                let sequence = snapshot.summary["tss.sequence"]
            else { continue }
            batches["\(writer) \(sequence)", default: 0] += 1
            if batches["\(writer) \(sequence)"]! > 1 { violate(.once, "batch \(writer) \(sequence) has two snapshots") }
        }
    }

    // MARK: Rows: Identity, Alive, Floor, NoLoss, Whole

    private func checkRows(_ after: TableMetadata, isRollback: Bool) throws(FileError) {
        let files = try table.liveFiles()
        var rows: [(row: SimulatedRow, sequence: Int64)] = []
        for file in files {
            for row in try table.readRows(file.path) { rows.append((row, file.fileSequenceNumber ?? 0)) }
        }
        if isRollback { rolledBack.formUnion(liveRows.map(\.identity)) }
        liveRows = rows.map(\.row)
        let identities = Set(liveRows.map(\.identity))
        if identities.count != liveRows.count {
            let doubled = Dictionary(grouping: liveRows, by: \.identity).first { $0.value.count > 1 }
            violate(.identity, "two rows of \(String(describing: doubled?.key))")
        }
        rolledBack.subtract(identities)
        for instance in instances {
            guard let id = instance.id, let position = positions[id] else { continue }
            for (row, sequence) in rows where row.id == id && row.offset >= position.resume {
                if sequence < position.floor ?? .max {
                    violate(.floor, "row \(row.offset) in a file of \(sequence), floor \(position.floor ?? -1)")
                    break
                }
            }
            checkSettled(instance, id, position)
        }
    }

    /// A row for each span that the table holds of an instance's log.
    private func held(_ instance: Instance) -> Set<RowIdentity> {
        let mine = Set(instance.truth.values.lazy.flatMap { $0.spans.map(\.traceID) })
        return Set(liveRows.lazy.filter { mine.contains($0.traceID) }.map(\.identity)).union(rolledBack)
    }

    private func checkSettled(_ instance: Instance, _ id: PartitionID, _ position: Position) {
        let held = held(instance)
        for offset in instance.offsets where offset < position.settled {
            for (index, span) in instance.truth[offset]!.spans.enumerated() {
                if held.contains(RowIdentity(id: id, offset: offset, index: UInt32(index))) { continue }
                guard let decisions = instance.decisions[span.traceID] else {
                    return violate(
                        .whole, "settled \(position.settled) passes \(span.traceID) at \(offset), nobody decided it")
                }
                if decisions.allSatisfy(\.isKept) {
                    return violate(
                        .noLoss,
                        "\(span.traceID) was kept, its span \(offset)/\(index) is below \(position.settled), in no row")
                }
            }
        }
        checkWhole(instance, id, position, held)
    }

    /// A kept trace that opens below `settled` is in the table with all the spans it was decided with.
    private func checkWhole(
        _ instance: Instance, _ id: PartitionID, _ position: Position, _ held: Set<RowIdentity>
    ) {
        var ends: [TraceID: Int64] = [:]
        for (traceID, decisions) in instance.decisions {
            guard decisions.allSatisfy(\.isKept), let first = decisions.map(\.first).min(), first < position.settled
            else { continue }
            ends[traceID] = decisions.filter { $0.first == first }.map(\.last).min()
        }
        for offset in instance.offsets where offset >= position.settled {
            for (index, span) in instance.truth[offset]!.spans.enumerated() {
                guard let end = ends[span.traceID], offset <= end else { continue }
                if !held.contains(RowIdentity(id: id, offset: offset, index: UInt32(index))) {
                    return violate(
                        .whole,
                        "settled \(position.settled) passes \(span.traceID), its span \(offset)/\(index) is in no row: "
                            + "\(instance.decisions[span.traceID]!)")
                }
            }
        }
    }

    // MARK: At rest

    func checkAtRest() {
        for instance in instances {
            guard let id = instance.id else { continue }
            let held = held(instance)
            let kept = Set(liveRows.lazy.filter { $0.id == id }.map(\.traceID))
            let oracle = Oracle(instance.records, shardOptions.buffer)
            for (traceID, decisions) in instance.decisions.sorted(by: { $0.key < $1.key })
            where !instance.beheaded.contains(traceID) {
                let isEarly = decisions.contains { $0.isEarly || $0.isOutrun }
                let hasForgotten = hasForgotten(traceID, instance)
                let outlives = silence(traceID, instance) <= shardOptions.decisionTimeToLiveTicks
                if !isEarly, outlives, let verdict = oracle.verdicts[traceID] {
                    check(traceID, decisions, verdict, hasForgotten: hasForgotten)
                }
                // Judged anew after its verdict was forgotten: counted, not whole.
                let isMixed = Set(decisions.map(\.isKept)).count > 1
                if isMixed, kept.contains(traceID), !isEarly, !hasForgotten {
                    violate(.oneVerdict, "\(traceID) was dropped and has rows: \(decisions)")
                }
                if kept.contains(traceID), !isMixed, !isBeyondHorizon(traceID, instance) {
                    checkKept(traceID, instance, id, held)
                }
            }
            checkEverySpan(instance, id, kept, held)
        }
    }

    /// Whether a late span may have found nobody who remembered: the verdict files went with the power, or it came
    /// after the verdict's time to live.
    private func hasForgotten(_ traceID: TraceID, _ instance: Instance) -> Bool {
        let first = instance.decisions[traceID]?.map(\.step).min() ?? 0
        return instance.powerCutSteps.contains { $0 >= first }
            || silence(traceID, instance) > shardOptions.decisionTimeToLiveTicks
    }

    private func isBeyondHorizon(_ traceID: TraceID, _ instance: Instance) -> Bool {
        let horizon = tableOptions.lateHorizonMilliseconds / StreamTick.millisecondsPerTick
        return silence(traceID, instance) > horizon - shardOptions.buffer.maximumDurationTicks
    }

    /// The longest time between two spans of a trace, in ticks of the log.
    func silence(_ traceID: TraceID, _ instance: Instance) -> Int64 {
        let ticks = instance.records.filter { $0.spans.contains { $0.traceID == traceID } }.map(\.tick)
        return zip(ticks.dropFirst(), ticks).map { $0 - $1 }.max() ?? 0
    }

    private func check(
        _ traceID: TraceID, _ decisions: [SeenDecision], _ verdict: OracleVerdict, hasForgotten: Bool
    ) {
        for seen in decisions {
            if seen.first == verdict.first {
                // What rules and limiters say was checked when they said it.
                let isKept = decisions.allSatisfy { $0.ruling == "policies" } ? verdict.isKept : seen.isKept
                if (seen.last, seen.spanCount, seen.isKept) != (verdict.last, verdict.spanCount, isKept) {
                    violate(.sameClock, "\(traceID) must be \(verdict), was \(decisions)")
                }
            } else if !hasForgotten {
                violate(.sameClock, "\(traceID) must be \(verdict), its late spans were judged anew: \(seen)")
            }
        }
    }

    private func checkKept(
        _ traceID: TraceID, _ instance: Instance, _ id: PartitionID, _ held: Set<RowIdentity>
    ) {
        for record in instance.truth.values {
            for (index, span) in record.spans.enumerated() where span.traceID == traceID {
                if !held.contains(RowIdentity(id: id, offset: record.offset, index: UInt32(index))) {
                    return violate(.kept, "\(traceID) has rows, its span \(record.offset)/\(index) has none")
                }
            }
        }
    }

    /// Everything that was answered was decided.
    private func checkEverySpan(
        _ instance: Instance, _ id: PartitionID, _ kept: Set<TraceID>, _ held: Set<RowIdentity>
    ) {
        for record in instance.truth.values {
            for span in record.spans where instance.decisions[span.traceID] == nil && !kept.contains(span.traceID) {
                return violate(.noLoss, "\(span.traceID) at \(record.offset) was never decided")
            }
        }
        for request in instance.workload.requests where instance.acked[request.id] == nil {
            return violate(.acked, "request \(request.id) was never answered 200")
        }
    }
}
