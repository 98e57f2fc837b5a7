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
        var rows = Self.places(of: traces)
        overflowCount = Self.limitDays(of: &rows, to: dayLimit)
        let rank = Self.ranks(of: traces)
        rows.sort { one, other in
            if one.day != other.day { return one.day < other.day }
            let (left, right) = (rank[Int(one.trace)], rank[Int(other.trace)])
            if left != right { return left < right }
            if one.start != other.start { return one.start < other.start }
            let (first, second) = (traces[Int(one.trace)].trace.partition, traces[Int(other.trace)].trace.partition)
            return (first, one.offset, one.index) < (second, other.offset, other.index)
        }
        var start = 0
        while start < rows.count {
            let day = rows[start].day
            let end = rows[start...].firstIndex { $0.day != day } ?? rows.count
            files.append((day == RowPlace.noDay ? nil : day, Array(rows[start..<end])))
            start = end
        }
    }

    /// One number for each trace: the place of its id among all.
    private static func ranks(of traces: [SampledTrace]) -> [Int32] {
        let order = traces.indices.sorted { traces[$0].trace.traceID < traces[$1].trace.traceID }
        var ranks = [Int32](repeating: 0, count: traces.count)
        var rank: Int32 = -1
        var last: TraceID?
        for index in order {
            let id = traces[index].trace.traceID
            if id != last { rank += 1 }
            last = id
            ranks[index] = rank
        }
        return ranks
    }

    private static func places(of traces: [SampledTrace]) -> [RowPlace] {
        var rows: [RowPlace] = []
        rows.reserveCapacity(traces.reduce(0) { $0 + $1.trace.spans.count })
        for traceIndex in traces.indices { append(traces[traceIndex].trace, traceIndex, to: &rows) }
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
