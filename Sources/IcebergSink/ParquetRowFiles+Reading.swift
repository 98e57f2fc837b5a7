public import Iceberg
import Parquet
public import Pipeline
import TraceModel

// What recovery asks of the files of the table, whoever wrote them: columns go by field id, nulls are passed over.
extension ParquetRowFiles {
    public func present(
        in file: DataFile, of id: PartitionID, from offset: Int64
    ) throws(FileError) -> [PresentRow] {
        guard mayHold(file, "source_offset", offset...Int64.max),
            mayHold(file, "source_partition", Int64(id.partition)...Int64(id.partition)),
            mayHold(file, "source_generation", id.source.generation...id.source.generation)
        else { return [] }
        do {
            return try identities(in: file, of: id, from: offset)
        } catch {
            throw FileError(reading: file.path, error)
        }
    }

    public func verdicts(in file: DataFile, since milliseconds: Int64) throws(FileError) -> [KeptVerdict] {
        let since = milliseconds.multipliedClamped(by: 1000)
        guard mayHold(file, "decided_at", since...Int64.max) else { return [] }
        do {
            return try decisions(in: file, since: since)
        } catch {
            throw FileError(reading: file.path, error)
        }
    }

    /// False only when the manifest's bounds of the column exclude the range.
    private func mayHold(_ file: DataFile, _ column: String, _ range: ClosedRange<Int64>) -> Bool {
        guard let id = fieldIDs[column], let lower = file.lowerBounds[id], let upper = file.upperBounds[id],
            let bounds = ParquetBounds(minimum: lower, maximum: upper).integers
        else { return true }
        return bounds.overlaps(range)
    }

    private func identities(
        in file: DataFile, of id: PartitionID, from offset: Int64
    ) throws -> [PresentRow] {
        let reader = try ParquetReader(path: LocalPath(file.path).path)
        // A file of before the columns: no row of it has an identity.
        guard let topics = column("source_topic", of: reader),
            let generations = column("source_generation", of: reader),
            let partitions = column("source_partition", of: reader),
            let offsets = column("source_offset", of: reader), let indexes = column("source_index", of: reader),
            let traces = column("trace_id", of: reader)
        else { return [] }
        let partition = Int64(id.partition)
        var present: [PresentRow] = []
        for group in 0..<reader.rowGroupCount {
            guard try mayHold(reader, group, offsets, offset...Int64.max),
                try mayHold(reader, group, partitions, partition...partition)
            else { continue }
            let wanted = try reader.integers(of: offsets, rowGroup: group)
            let inPartition = try reader.integers(of: partitions, rowGroup: group)
            let ofGeneration = try reader.integers(of: generations, rowGroup: group)
            let ofTopic = try reader.texts(of: topics, rowGroup: group)
            let index = try reader.integers(of: indexes, rowGroup: group)
            let trace = try reader.texts(of: traces, rowGroup: group)
            for row in wanted.indices {
                guard let rowOffset = wanted[row], rowOffset >= offset, inPartition[row] == partition,
                    ofGeneration[row] == id.source.generation, ofTopic[row] == id.source.topic
                else { continue }
                guard let text = trace[row], let traceID = TraceID(hexadecimal: text), let number = index[row],
                    let rowIndex = UInt32(exactly: number)
                else { throw FileError(.corrupt, "\(file.path) has a row without trace id or index") }
                present.append(PresentRow(traceID: traceID, offset: rowOffset, index: rowIndex))
            }
        }
        return present
    }

    private func decisions(in file: DataFile, since microseconds: Int64) throws -> [KeptVerdict] {
        let reader = try ParquetReader(path: LocalPath(file.path).path)
        guard let times = column("decided_at", of: reader), let traces = column("trace_id", of: reader),
            let reasons = column("decision_reason", of: reader), let policies = column("decision_policy", of: reader),
            let counts = column("adjusted_count", of: reader)
        else { return [] }
        var verdicts: [KeptVerdict] = []
        var seen: Set<TraceID> = []
        for group in 0..<reader.rowGroupCount {
            guard try mayHold(reader, group, times, microseconds...Int64.max) else { continue }
            let time = try reader.integers(of: times, rowGroup: group)
            let trace = try reader.texts(of: traces, rowGroup: group)
            let reason = try reader.texts(of: reasons, rowGroup: group)
            let policy = try reader.texts(of: policies, rowGroup: group)
            let count = try reader.doubles(of: counts, rowGroup: group)
            var last: String?
            for row in time.indices {
                guard let decidedAt = time[row], decidedAt >= microseconds, let text = trace[row], text != last
                else { continue }
                last = text
                guard let traceID = TraceID(hexadecimal: text), seen.insert(traceID).inserted else { continue }
                verdicts.append(
                    KeptVerdict(
                        traceID: traceID,
                        decision: Decision(
                            verdict: .sampled, reason: Self.reason(reason[row]), policy: policy[row] ?? "",
                            adjustedCount: count[row] ?? 0)))
            }
        }
        return verdicts
    }

    /// A reason of another version is a policy's.
    private static func reason(_ text: String?) -> Reason {
        Reason.allCases.first { $0.description == text } ?? .policy
    }

    private func column(_ name: String, of reader: borrowing ParquetReader) -> ParquetColumn? {
        reader.column(fieldID: fieldIDs[name] ?? -1, name: name)
    }

    /// False only when the row group's bounds of the column exclude the range.
    private func mayHold(
        _ reader: borrowing ParquetReader, _ group: Int, _ column: ParquetColumn, _ range: ClosedRange<Int64>
    ) throws(ParquetError) -> Bool {
        guard let bounds = try reader.statistics(of: column, inRowGroup: group).bounds?.integers else {
            return true
        }
        return bounds.overlaps(range)
    }
}
