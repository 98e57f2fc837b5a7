internal import Iceberg
internal import JSON
internal import Threads

extension QueryEngine {
    /// The files that a statement must read, of how many.
    struct PlannedFiles {
        var paths: [String]
        var total: Int
    }

    /// Lets the worker plan the statement and rules out files by the predicates of its scans.
    func plan(
        _ request: QueryRequest, of loaded: LoadedTable, with worker: QueryWorker, until deadline: MonotonicInstant
    ) throws(WorkerFailure) -> PlannedFiles {
        guard let schema = loaded.metadata.schema else {
            throw .answered(QueryError(.unavailable, "the table \(table.identifier) has no current schema"))
        }
        let names = Set(["spans", table.identifier.name, "\(table.identifier)"]).sorted()
        let scans = try worker.plan(request.sql, tables: names, schema: schema.json, until: deadline)
        do throws(QueryError) {
            return try files(of: loaded.metadata, for: scans)
        } catch {
            throw .answered(error)
        }
    }

    /// A file is needed when one of the scans may find a row in it.
    private func files(of metadata: TableMetadata, for scans: [[WorkerPredicate]]?) throws(QueryError) -> PlannedFiles {
        // Without scans (SELECT 1) no file is needed; without a plan every one may be.
        let filters = scans.map { $0.map { $0.map(\.filter) } } ?? [[]]
        var paths: Set<String> = []
        var total = 0
        do {
            for filter in filters.isEmpty ? [] : filters {
                let plan = try TableScan(metadata, where: filter).plan(files)
                paths.formUnion(plan.files.map(\.path))
                total = plan.filesTotal
            }
        } catch {
            throw QueryError(.unavailable, "the table's manifests cannot be read: \(error)")
        }
        return PlannedFiles(paths: paths.sorted(), total: total)
    }
}

extension WorkerPredicate {
    /// As Iceberg's planning takes it.
    fileprivate var filter: ColumnFilter {
        let value: Iceberg.Literal =
            switch literal {
            case .boolean(let flag): .boolean(flag)
            case .integer(let number): .long(number)
            case .double(let number): .double(number)
            case .string(let text): .string(text)
            case .timestamp(let microseconds): .long(microseconds)
            }
        let test: ColumnFilter.Test =
            switch comparison {
            case .equal: .equal(value)
            case .less: .less(value)
            case .lessOrEqual: .lessOrEqual(value)
            case .greater: .greater(value)
            case .greaterOrEqual: .greaterOrEqual(value)
            }
        return ColumnFilter(column, test)
    }
}
