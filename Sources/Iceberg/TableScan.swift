/// Finds the data files of a snapshot that may hold matching rows.
///
///     let scan = try TableScan(metadata, where: filters)
///     let list = try ManifestList.read(bytes of scan.manifestList)
///     for manifest in scan.manifestsToRead(list) { … scan.add(entries, of: manifest) }
///
/// or, over the table's files, `scan.plan(files)`.
///
/// Source: Apache Iceberg table specification, "Scan Planning".
public struct TableScan: Sendable {
    /// Conditions that the table's columns and partitions can judge.
    private struct Condition: Sendable {
        var field: Field
        var test: ColumnFilter.Test
    }

    public let metadata: TableMetadata
    /// Nil for a table without snapshots.
    public let snapshot: Snapshot?
    private let conditions: [Condition]
    private let projection: ManifestReader.Projection

    /// - Parameters:
    ///   - snapshotID: Nil is what main points to.
    ///   - keepsStatistics: Whether the files found carry the statistics of all columns, not only of filtered ones.
    /// - Throws: When the snapshot is not there. Columns that are not there are no conditions.
    public init(
        _ metadata: TableMetadata, where filters: [ColumnFilter] = [], snapshotID: Int64? = nil,
        keepsStatistics: Bool = false
    ) throws(TableFormatError) {
        self.metadata = metadata
        if let snapshotID {
            guard let snapshot = metadata.snapshot(id: snapshotID) else {
                throw TableFormatError("snapshot \(snapshotID) is not in the table")
            }
            self.snapshot = snapshot
        } else {
            snapshot = metadata.currentSnapshot
        }
        let schema = metadata.schema
        conditions = filters.compactMap { filter in
            guard let field = schema?.field(named: filter.column), let test = filter.test.converted(to: field.type)
            else { return nil }
            return Condition(field: field, test: test)
        }
        projection = keepsStatistics ? .everything : .init(columns: Set(conditions.map(\.field.id)))
    }

    /// The manifests that may name a matching file.
    public func manifestsToRead(_ list: [ManifestFile]) -> [ManifestFile] {
        list.filter { manifest in
            guard manifest.content == .data else { return false }
            if manifest.liveFiles == 0 { return false }
            // Without counts it must be read to know how many files there are.
            return manifest.liveFiles == nil || mayMatch(manifest)
        }
    }

    private func mayMatch(_ manifest: ManifestFile) -> Bool {
        guard let spec = metadata.partitionSpec(id: manifest.partitionSpecID), let summaries = manifest.partitions,
            summaries.count == spec.fields.count
        else { return true }
        for (field, summary) in zip(spec.fields, summaries) {
            let passes = allTests(on: field) { test, type in
                let range = ValueRange(
                    lower: summary.lower.flatMap { Literal(bound: $0, type: type) },
                    upper: summary.containsNaN == false || !type.isFloating
                        ? summary.upper.flatMap { Literal(bound: $0, type: type) } : nil,
                    mayHaveNull: summary.containsNull,
                    mayHaveValue: summary.lower != nil || summary.containsNaN != false)
                return test.mayMatch(range)
            }
            if !passes { return false }
        }
        return true
    }

    /// Whether each condition that the partition field can judge passes.
    private func allTests(on field: PartitionField, _ passes: (ColumnFilter.Test, FieldType) -> Bool) -> Bool {
        for condition in conditions where condition.field.id == field.sourceID {
            let type = condition.field.type
            guard let test = condition.test.projected(through: field.transform, sourceType: type),
                let result = field.transform.resultType(of: type)
            else { continue }
            if !passes(test, result) { return false }
        }
        return true
    }

    private func mayMatch(_ entry: ManifestEntry, _ spec: PartitionSpec?) -> Bool {
        for field in spec?.fields ?? [] {
            let value = entry.partition[field.fieldID]
            let passes = allTests(on: field) { test, type in
                // A float's partition value may be not-a-number, which has no order.
                type.isFloating || test.mayMatch(ValueRange(partition: value))
            }
            if !passes { return false }
        }
        return conditions.allSatisfy {
            $0.test.mayMatch(ValueRange(entry.file, column: $0.field.id, type: $0.field.type))
        }
    }

    /// Live data files of one manifest.
    ///
    /// - Returns: The files that may hold matching rows, and how many there are in all.
    public func files(
        _ bytes: [UInt8], of manifest: ManifestFile
    ) throws(TableFormatError) -> (matching: [DataFile], total: Int) {
        let spec = metadata.partitionSpec(id: manifest.partitionSpecID)
        var matching: [DataFile] = []
        var total = 0
        for entry in try ManifestReader.entries(bytes, of: manifest, projection: projection)
        where entry.isLive && entry.content == .data {
            total += 1
            if mayMatch(entry, spec) { matching.append(entry.dataFile(of: spec)) }
        }
        return (matching, total)
    }
}

/// The files that a query must read.
public struct ScanPlan: Sendable {
    public var files: [DataFile] = []
    /// Live data files of the snapshot, left out ones included.
    public var filesTotal = 0
    /// Files of deleted rows, which this program does not apply: rows that another engine deleted are still seen.
    public var deleteFiles = 0
    public var manifestsRead = 0
    public var manifestsTotal = 0
}

extension TableScan {
    /// Plans over the table's files. Blocks.
    public func plan(_ files: any TableFiles) throws(FileError) -> ScanPlan {
        var plan = ScanPlan()
        guard let snapshot else { return plan }
        do {
            let list = try ManifestList.read(
                files.read(snapshot.manifestList, limitBytes: ManifestList.limitBytes))
            plan.manifestsTotal = list.count
            let toRead = manifestsToRead(list)
            let pathsToRead = Set(toRead.map(\.path))
            for manifest in list where !pathsToRead.contains(manifest.path) {
                switch manifest.content {
                case .deletes: plan.deleteFiles += manifest.liveFiles ?? 1
                case .data: plan.filesTotal += manifest.liveFiles ?? 0
                }
            }
            for manifest in toRead {
                let bytes = try files.read(manifest.path, limitBytes: ManifestReader.limitBytes)
                let (matching, total) = try self.files(bytes, of: manifest)
                plan.files += matching
                plan.filesTotal += total
                plan.manifestsRead += 1
            }
        } catch {
            throw FileError(wrapping: error)
        }
        return plan
    }

    /// Live data files whose file sequence number is at least `floor`, with all their statistics. Blocks.
    ///
    /// A manifest's own number is at least that of each of its files, so older manifests are not read.
    public static func files(
        of metadata: TableMetadata, since floor: Int64, _ files: any TableFiles
    ) throws(FileError) -> [DataFile] {
        guard let snapshot = metadata.currentSnapshot else { return [] }
        var found: [DataFile] = []
        do {
            let list = try ManifestList.read(
                files.read(snapshot.manifestList, limitBytes: ManifestList.limitBytes))
            for manifest in list where manifest.content == .data && manifest.sequenceNumber >= floor {
                let spec = metadata.partitionSpec(id: manifest.partitionSpecID)
                let bytes = try files.read(manifest.path, limitBytes: ManifestReader.limitBytes)
                for entry in try ManifestReader.entries(bytes, of: manifest)
                where entry.isLive && entry.content == .data && entry.file.fileSequenceNumber ?? .max >= floor {
                    found.append(entry.dataFile(of: spec))
                }
            }
        } catch {
            throw FileError(wrapping: error)
        }
        return found
    }
}

extension ManifestEntry {
    /// The file, with its day when the partition spec has one.
    func dataFile(of spec: PartitionSpec?) -> DataFile {
        var file = file
        for field in spec?.fields ?? [] where field.transform == .day {
            if case .int(let day)? = partition[field.fieldID] { file.day = day }
        }
        return file
    }
}

extension FieldType {
    var isFloating: Bool { self == .float || self == .double }
}

extension FileError {
    /// What went wrong below a driver: the file's own error, or a file that is not what it must be.
    init(wrapping error: any Error) {
        switch error {
        case let error as FileError: self = error
        case let error as TableFormatError: self.init(.corrupt, error.message)
        default: self.init(.failed, "\(error)")
        }
    }
}
