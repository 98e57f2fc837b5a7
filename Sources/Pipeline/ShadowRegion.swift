import TraceModel

/// What the table already holds of the stretch of the log that a new owner reads again.
///
///     resume            settled                       last present row
///       │   shadow         │   read anew, rows that are   │
///       ▼   the table is   ▼   present are not written    ▼
///     ──┴──── the verdict ─┴──────── again ───────────────┴──▶ offsets
///
/// Between `resume` and `settled` every span belongs to a decided trace: a trace first seen there is kept if
/// the table has a row of it and dropped if not. Source: Documentation/Positions.md, "INGEST, DECIDE".
struct ShadowRegion {
    let settled: Int64
    /// Ascending by (offset, index).
    private var present: [PresentRow]
    private var verdicts: [TraceID: KeptVerdict]
    private let ignoresIndex: Bool
    /// Rows whose identity is that of a span of another trace: the log is not what it was.
    private(set) var mismatchCount = 0

    init(_ recovered: RecoveredPartition, ignoresIndex: Bool) {
        settled = recovered.settled
        present = recovered.present.sorted { ($0.offset, $0.index) < ($1.offset, $1.index) }
        verdicts = [:]
        self.ignoresIndex = ignoresIndex
        for row in present {
            // A row without a verdict is kept all the same: reason and policy are unknown then.
            verdicts[row.traceID] = KeptVerdict(
                traceID: row.traceID,
                decision: Decision(verdict: .sampled, reason: .policy, policy: "", adjustedCount: 0))
        }
        for verdict in recovered.kept where verdicts[verdict.traceID] != nil {
            verdicts[verdict.traceID] = verdict
        }
    }

    /// Whether nothing of the table can matter any more.
    var isEmpty: Bool { present.isEmpty }

    /// Whether a message of this offset lies where the table is the verdict.
    func isShadow(_ offset: Int64) -> Bool { offset < settled }

    /// The verdict that the table holds of a trace with a present row.
    func verdict(of traceID: TraceID) -> KeptVerdict? { verdicts[traceID] }

    /// Whether the table has this very span.
    mutating func isPresent(_ traceID: TraceID, offset: Int64, index: UInt32) -> Bool {
        guard let last = present.last, offset <= last.offset else { return false }
        var position = lowerBound(offset, ignoresIndex ? 0 : index)
        while position < present.count, present[position].offset == offset,
            ignoresIndex || present[position].index == index
        {
            if ignoresIndex || present[position].traceID == traceID { return true }
            mismatchCount += 1
            position += 1
        }
        return false
    }

    /// The table's own position has passed the last present row: everything of it is decided.
    mutating func settle(_ settled: Int64) {
        guard let last = present.last, last.offset < settled else { return }
        present = []
        verdicts = [:]
    }

    private func lowerBound(_ offset: Int64, _ index: UInt32) -> Int {
        var low = 0
        var high = present.count
        while low < high {
            let middle = (low + high) / 2
            if (present[middle].offset, present[middle].index) < (offset, index) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
