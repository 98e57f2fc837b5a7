import OTLPWire
import Pipeline
import TraceModel

/// Where a row comes from and where it goes: 32 bytes for each span of a write.
struct RowPlace {
    /// Index of the sampled trace.
    var trace: Int32
    /// Index of the span in it.
    var span: Int32
    /// Nanoseconds since 1970, as the column has it; -1 when it cannot be read.
    var start: Int64
    var offset: Int64
    var index: UInt32
    /// Days since 1970; `noDay` for the null partition.
    var day: Int32

    static let noDay = Int32.min
    static let nanosecondsPerDay: Int64 = 86_400_000_000_000
}

/// The rows of one write in the order of the table, by day.
struct RowOrder {
    /// Each group is one file: the rows of one day by trace id, start and identity.
    private(set) var files: [(day: Int32?, rows: [RowPlace])] = []
    /// Rows that went to the null partition because there were too many days.
    private(set) var overflowCount = 0

    /// - Parameter dayLimit: Days that get a file of their own.
    init(_ traces: [SampledTrace], dayLimit: Int) {
        var rows = Self.rows(of: traces)
        overflowCount = Self.limitDays(of: &rows, to: dayLimit)
        guard let first = rows.first else { return }
        // Almost always: all of one day.
        if rows.allSatisfy({ $0.day == first.day }) {
            files = [(first.day == RowPlace.noDay ? nil : first.day, rows)]
            return
        }
        var days: [Int32: [RowPlace]] = [:]
        for row in rows { days[row.day, default: []].append(row) }
        for day in days.keys.sorted() { files.append((day == RowPlace.noDay ? nil : day, days[day] ?? [])) }
    }

    /// All rows by trace id, start and identity: the traces are sorted, then the rows of each.
    private static func rows(of traces: [SampledTrace]) -> [RowPlace] {
        var rows: [RowPlace] = []
        rows.reserveCapacity(traces.reduce(0) { $0 + $1.trace.spans.count })
        let order = traces.indices.map { (id: traces[$0].trace.traceID, index: $0) }.sorted {
            $0.id != $1.id ? $0.id < $1.id : $0.index < $1.index
        }
        var next = 0
        while next < order.count {
            // Late spans of a trace are a trace of their own.
            let id = order[next].id
            let first = rows.count
            while next < order.count, order[next].id == id {
                append(traces[order[next].index].trace, order[next].index, to: &rows)
                next += 1
            }
            rows[first...].sort { one, other in
                if one.start != other.start { return one.start < other.start }
                let left = traces[Int(one.trace)].trace.partition
                let right = traces[Int(other.trace)].trace.partition
                return (left, one.offset, one.index) < (right, other.offset, other.index)
            }
        }
        return rows
    }

    private static func append(_ trace: KeptTrace, _ traceIndex: Int, to rows: inout [RowPlace]) {
        let arena = trace.arena.span.bytes
        for spanIndex in trace.spans.indices {
            let span = trace.spans[spanIndex]
            let start = startTime(of: span.span, in: arena)
            rows.append(
                RowPlace(
                    trace: Int32(traceIndex), span: Int32(spanIndex), start: start, offset: span.offset,
                    index: span.index,
                    day: start < 0 ? RowPlace.noDay : Int32(start / RowPlace.nanosecondsPerDay)))
        }
    }

    /// The first `start_time_unix_nano` of the span, 0 without one; -1 when the bytes in front of it cannot be read.
    ///
    /// The first, though in protobuf the last counts: senders write one, and to look for another would be to walk all
    /// fields of every span twice (an eighth of the whole write). A second one goes to `otlp_original`.
    private static func startTime(of range: ByteRange, in arena: borrowing RawSpan) -> Int64 {
        var cursor = WireCursor(range)
        do {
            while let field = try cursor.next(in: arena) {
                if field.number == 7 { return Int64(exactly: try field.fixed64Value()) ?? .max }
            }
        } catch {
            return -1
        }
        return 0
    }

    /// Moves the rows of all but the `limit` days with the most rows to the null partition; answers how many.
    private static func limitDays(of rows: inout [RowPlace], to limit: Int) -> Int {
        var counts: [Int32: Int] = [:]
        var last = RowPlace.noDay
        for row in rows where row.day != RowPlace.noDay {
            // Almost always one day: no lookup while it stays the same.
            if row.day != last, counts[row.day] == nil { counts[row.day] = 0 }
            last = row.day
        }
        guard counts.count > limit else { return 0 }
        for row in rows where row.day != RowPlace.noDay { counts[row.day, default: 0] += 1 }
        let kept = Set(
            counts.sorted { ($0.value, $0.key) > ($1.value, $1.key) }.prefix(limit).map(\.key))
        var moved = 0
        for index in rows.indices where rows[index].day != RowPlace.noDay && !kept.contains(rows[index].day) {
            rows[index].day = RowPlace.noDay
            moved += 1
        }
        return moved
    }
}
