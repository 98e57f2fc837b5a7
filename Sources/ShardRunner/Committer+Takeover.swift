internal import Iceberg
internal import Pipeline
internal import Telemetry
internal import Threads
internal import TraceModel

extension Committer {
    /// FENCE and RECOVER for the waiting partitions, then hands each to its worker.
    ///
    /// Comes back without having taken all of them when the program stops, when partitions are revoked meanwhile, or
    /// when a source does not answer: the rest keeps waiting.
    func takeOver(_ ownership: inout Ownership) {
        if ownership.tableUUID == nil {
            enter(.fencing)
            guard let reached = fence([], ownership) else { return }
            ownership.tableUUID = reached.metadata.tableUUID
            ownership.metadata = reached.metadata
        }
        update { $0.hasStarted = $0.hasStarted || ownership.waiting.isEmpty }
        let sources = confirmed(&ownership)
        guard !sources.isEmpty else { return }
        enter(.fencing)
        for source in sources { identify(source, ownership.metadata) }
        guard var fenced = fence(sources, ownership) else { return }
        ownership.metadata = fenced.metadata
        guard fenced.metadata.tableUUID == ownership.tableUUID else {
            // Not the table that the owned partitions commit to: they are fenced by its absence, all are taken anew.
            abandon(&ownership)
            return
        }
        // Somebody saw a newer topic of this name before us.
        guard !sources.contains(where: { isOutdated($0, fenced.metadata) }) else { return }
        enter(.recovering)
        let starts = starts(of: sources, &ownership)
        // A source that does not answer waits, and nobody waits for it: its fence stands until it is fenced again.
        fenced.epochs = fenced.epochs.filter { starts[$0.key] != nil }
        guard !starts.isEmpty, let outcome = recover(sources, starts, fenced) else { return }
        switch outcome {
        case .fenced: return
        case .otherLogs(let ids): raiseGenerations(of: ids, sources)
        case .recovered(let recovered):
            for item in recovered { open(item, sources, &ownership) }
            update { $0.hasStarted = true }
        }
    }

    /// All partitions wait to be taken over again.
    func abandon(_ ownership: inout Ownership) {
        let sources = ownership.owned.values.map(\.source)
        close(Array(ownership.owned.keys), &ownership)
        ownership.waiting += sources.filter(\.isAssigned)
        ownership.tableUUID = nil
        ownership.retryAt = .now
    }

    private func isWanted() -> Bool { stopBy == nil && !hasRevocations }

    // MARK: Sources

    /// The waiting partitions that the group still gives to us.
    private func confirmed(_ ownership: inout Ownership) -> [any SpanSource] {
        var sources: [any SpanSource] = []
        for source in ownership.waiting {
            guard isWanted() else { return [] }
            if answers({ () throws(SourceError) in try source.confirm() }, source, &ownership) != nil {
                sources.append(source)
            }
        }
        return sources
    }

    /// What those sources say of themselves that answer; nothing when the takeover is not wanted any more.
    private func starts(
        of sources: [any SpanSource], _ ownership: inout Ownership
    ) -> [PartitionID: SourceStart] {
        var starts: [PartitionID: SourceStart] = [:]
        for source in sources {
            guard isWanted() else { return [:] }
            starts[source.id] = answers({ () throws(SourceError) in try source.prepare() }, source, &ownership)
        }
        return starts
    }

    /// One call of a source: a partition that is not ours waits no longer, a source that is away is asked again later.
    private func answers<Answer>(
        _ call: () throws(SourceError) -> Answer, _ source: any SpanSource, _ ownership: inout Ownership
    ) -> Answer? {
        do throws(SourceError) {
            guard source.isAssigned else { throw SourceError(code: .notOurs, message: "the group gave it away") }
            return try call()
        } catch {
            if error.code == .notOurs {
                context.logger.debug(
                    "partition is not ours any more",
                    metadata: ["partition": "\(source.id)", "error": "\(error.message)"])
                ownership.waiting.removeAll { $0 === source }
            } else {
                show(error.code == .refused ? .refused(error.message) : .source(error.message))
                ownership.retryAt = .now + context.options.sourceRetry * Double.random(in: 0.5...1)
            }
            return nil
        }
    }

    // MARK: Generations

    private func identify(_ source: any SpanSource, _ metadata: TableMetadata?) {
        let id = source.id
        guard !id.source.topic.hasPrefix("otlp:") else { return }
        let known = metadata?.latestGeneration(of: id.source.topic, partition: id.partition) ?? 1
        source.identify(generation: max(known, id.source.generation))
    }

    private func isOutdated(_ source: any SpanSource, _ metadata: TableMetadata) -> Bool {
        let id = source.id
        let latest = metadata.latestGeneration(of: id.source.topic, partition: id.partition)
        return latest.map { $0 > id.source.generation } ?? false
    }

    private func raiseGenerations(of ids: [PartitionID], _ sources: [any SpanSource]) {
        for source in sources where ids.contains(source.id) {
            let generation = source.id.source.generation
            context.logger.error(
                "the topic is not the one that the table remembers: read from its start, under a new generation",
                metadata: ["partition": "\(source.id)", "generation": .integer(generation + 1)])
            source.identify(generation: generation + 1)
        }
    }

    // MARK: Machines

    private func fence(_ sources: [any SpanSource], _ ownership: Ownership) -> FencedTable? {
        var machine = FenceMachine(
            definition: context.definition, partitions: sources.map(\.id), writer: context.options.writer,
            group: context.sources.group, options: context.options.steps, seed: .random(in: 0 ... .max))
        return drive(&machine, sources: sources, while: isWanted)
    }

    private func recover(
        _ sources: [any SpanSource], _ starts: [PartitionID: SourceStart], _ fenced: FencedTable
    ) -> RecoveryOutcome? {
        var machine = RecoverMachine(
            identifier: context.definition.identifier, fenced: fenced, sources: starts,
            writer: context.options.writer, options: context.options.steps, seed: .random(in: 0 ... .max))
        return drive(&machine, sources: sources, while: isWanted)
    }

    // MARK: The end of a takeover

    private func open(_ recovered: RecoveredSource, _ sources: [any SpanSource], _ ownership: inout Ownership) {
        let id = recovered.partition.id
        for remark in recovered.remarks { log(remark, of: id) }
        guard let source = sources.first(where: { $0.id == id }), var partition = follow(recovered, source),
            answers(
                { () throws(SourceError) in try source.begin(at: partition.resume) }, source, &ownership) != nil
        else { return }
        partition.remembered = context.verdicts?.load(id, at: partition.clock) ?? []
        context.logger.debug(
            "partition taken up",
            metadata: [
                "partition": "\(id)", "epoch": .integer(partition.epoch), "resume": .integer(partition.resume),
                "settled": .integer(partition.settled), "present": .count(partition.present.count),
                "kept": .count(partition.kept.count), "remembered": .count(partition.remembered.count),
            ])
        ownership.waiting.removeAll { $0 === source }
        ownership.owned[id] = OwnedPartition(
            source: source, epoch: partition.epoch, history: recovered.history)
        worker(of: id).order(.open(partition, source))
    }

    /// Moves a log that is older than the table behind its position: what it took below would never be read.
    ///
    /// - Returns: The partition where it goes on; nil when it may not be taken up.
    private func follow(_ recovered: RecoveredSource, _ source: any SpanSource) -> RecoveredPartition? {
        var partition = recovered.partition
        for case .logIsOlder(_, let next) in recovered.remarks {
            do {
                partition.resume = try source.skip(to: next)
                partition.settled = partition.resume
            } catch {
                context.logger.error(
                    "the log cannot go on behind the table's position, its partition is not taken up",
                    metadata: ["partition": "\(source.id)", "next": .integer(next), "error": "\(error.message)"])
                return nil
            }
        }
        return partition
    }

    private func log(_ remark: RecoveryRemark, of id: PartitionID) {
        let logger = context.logger
        switch remark {
        case .gap(let from, let to):
            context.metrics.pipeline.sourceGapMessages[.retention].add(Int(to - from))
            logger.error(
                "messages are gone before they were read",
                metadata: ["partition": "\(id)", "from": .integer(from), "to": .integer(to)])
        case .logIsOlder(let end, let next):
            logger.error(
                "the log ends below the table's position: an old copy came back",
                metadata: ["partition": "\(id)", "end": .integer(end), "next": .integer(next)])
        case .anchorDiffers(let anchor, _):
            logger.error(
                "the log is not the one that the table remembers",
                metadata: ["partition": "\(id)", "offset": .integer(anchor.offset)])
        case .operatorReset(let offset, let before):
            logger.warning(
                "the group's offset was set by somebody else, and is obeyed",
                metadata: [
                    "partition": "\(id)", "offset": .integer(offset), "table": "\(before.map(String.init) ?? "none")",
                ])
        case .otherTable(let uuid, let start):
            logger.warning(
                "the group's offset belongs to another table: kafka.auto_offset_reset says where to start",
                metadata: ["partition": "\(id)", "other_table": "\(uuid)", "start": .integer(start)])
        }
    }
}
