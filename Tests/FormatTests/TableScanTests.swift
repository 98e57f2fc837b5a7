import Iceberg
import Testing

@Suite struct TableScanTests {
    private static let dayMicroseconds: Int64 = 86_400_000_000

    @Test func `a day in the filter leaves out files and whole manifests of other days`() throws {
        let table = MemoryTable()
        for day in Int32(20_000)..<20_005 {
            try table.append([MemoryTable.file(Int(day) * 10, day: day), MemoryTable.file(Int(day) * 10 + 1, day: day)])
        }
        let from = Int64(20_002) * Self.dayMicroseconds + 5
        let plan = try TableScan(
            table.metadata, where: [ColumnFilter("start_time", .greaterOrEqual(.long(from)))]
        ).plan(table)
        #expect(Set(plan.files.map(\.day)) == [20_002, 20_003, 20_004])
        #expect(plan.files.count == 6)
        #expect(plan.filesTotal == 10)
        #expect(plan.manifestsRead == 3)
        #expect(plan.manifestsTotal == 5)
        #expect(plan.deleteFiles == 0)
    }

    @Test func `filters that are not understood leave out nothing`() throws {
        let table = MemoryTable()
        try table.append((0..<4).map { MemoryTable.file($0) })
        let filters: [ColumnFilter] = [
            ColumnFilter("nothing", .equal(.long(1))), ColumnFilter("tags", .isNotNull),
            ColumnFilter("trace_id", .equal(.long(7))), ColumnFilter("duration_ms", .equal(.string("x"))),
            ColumnFilter("duration_ms", .less(.double(-1.5))), ColumnFilter("start_time", .equal(.string("2026"))),
            ColumnFilter("share", .greater(.double(1e300))),
        ]
        for filter in filters {
            #expect(try TableScan(table.metadata, where: [filter]).plan(table).files.count == 4, "\(filter)")
        }
    }

    @Test func `an empty table has no files`() throws {
        let table = MemoryTable()
        let plan = try TableScan(table.metadata).plan(table)
        #expect(plan.files.isEmpty)
        #expect(plan.filesTotal == 0)
        #expect(throws: TableFormatError.self) { try TableScan(table.metadata, snapshotID: 1) }
    }

    @Test func `an older snapshot is planned as it was`() throws {
        let table = MemoryTable()
        let first = try table.append([MemoryTable.file(1)])
        try table.append([MemoryTable.file(2)])
        #expect(try TableScan(table.metadata, snapshotID: first.id).plan(table).files.count == 1)
    }

    @Test func `manifests of deletes are counted and not read`() throws {
        let table = MemoryTable()
        try table.append([MemoryTable.file(1)])
        let scan = try TableScan(table.metadata)
        var deletes = try table.manifests()[0]
        deletes.content = .deletes
        #expect(scan.manifestsToRead([deletes]).isEmpty)
    }

    @Test(arguments: [
        (Int64(0), Int32(0)), (-1, -1), (86_399_999_999, 0), (86_400_000_000, 1), (-86_400_000_000, -1),
        (-86_400_000_001, -2),
    ])
    func `days are rounded down before 1970 too`(microseconds: Int64, day: Int32) throws {
        let table = MemoryTable()
        try table.append((0..<3).map { MemoryTable.file($0, day: day - 1 + Int32($0)) })
        let filter = ColumnFilter("start_time", .equal(.long(microseconds)))
        #expect(try TableScan(table.metadata, where: [filter]).plan(table).files.map(\.day) == [day])
    }

    @Test func `texts go by their bytes and cut bounds hold`() throws {
        let table = MemoryTable()
        var file = MemoryTable.file(1)
        file.lowerBounds[1] = Array("é".utf8)
        file.upperBounds[1] = Array("日".utf8)
        try table.append([file])
        func finds(_ test: ColumnFilter.Test) throws -> Bool {
            try TableScan(table.metadata, where: [ColumnFilter("trace_id", test)]).plan(table).files.count == 1
        }
        #expect(try finds(.equal(.string("é"))))
        #expect(try !finds(.equal(.string("z"))))
        // The same letter in two scalars has other bytes, and lies before.
        #expect(try !finds(.equal(.string("e\u{301}"))))
        #expect(try finds(.startsWith("é")))
        #expect(try finds(.startsWith("日本")) == false)
        #expect(try finds(.startsWith("")))
        #expect(try !finds(.startsWith("a")))
        #expect(try finds(.oneOf([.string("a"), .string("ü")])))
        #expect(try !finds(.oneOf([.string("a"), .string("😀")])))
    }

    /// The naive model: each file has its values, and must be planned whenever one passes all filters.
    @Test func `no file with a matching row is ever left out`() throws {
        var random = SeededRandom(seed: 8)
        var planned = 0
        var needed = 0
        for round in 0..<20 {
            let table = MemoryTable()
            var rows: [String: [Row]] = [:]
            for number in 0..<12 {
                let (file, values) = Self.randomFile(number, &random)
                rows[file.path] = values
                try table.append([file], mergeCount: 4)
            }
            for _ in 0..<30 {
                let filters = (0..<Int.random(in: 1...3, using: &random)).map { _ in Self.randomFilter(&random) }
                let files = try TableScan(table.metadata, where: filters).plan(table).files.map(\.path)
                let must = rows.filter { $0.value.contains { row in filters.allSatisfy { row.passes($0) } } }.keys
                #expect(Set(must).isSubset(of: files), "seed 8, round \(round): \(filters)")
                planned += files.count
                needed += must.count
            }
        }
        // Bounds are not exact, but they must be worth something.
        #expect(planned < needed * 3, "\(planned) files planned, \(needed) needed")
    }

    private struct Row {
        var start: Int64?
        var duration: Int64?
        var share: Double?
        var trace: String

        func passes(_ filter: ColumnFilter) -> Bool {
            let value: Literal? =
                switch filter.column {
                case "start_time": start.map { .long($0) }
                case "duration_ms": duration.map { .long($0) }
                case "share": share.map { .double($0) }
                default: .string(trace)
                }
            switch filter.test {
            case .isNull: return value == nil
            case .isNotNull: return value != nil
            case .startsWith(let prefix): return trace.hasPrefix(prefix)
            case .oneOf(let values): return value.map { values.contains($0) } ?? false
            case .equal(let other): return value.map { Self.order($0, other) == 0 } ?? false
            case .less(let other): return value.map { Self.order($0, other) < 0 } ?? false
            case .lessOrEqual(let other): return value.map { Self.order($0, other) <= 0 } ?? false
            case .greater(let other): return value.map { Self.order($0, other) > 0 } ?? false
            case .greaterOrEqual(let other): return value.map { Self.order($0, other) >= 0 } ?? false
            }
        }

        /// Not-a-number is the largest, -0 below 0: as DataFusion has it.
        private static func order(_ one: Literal, _ two: Literal) -> Int {
            guard case (.double(let a), .double(let b)) = (one, two) else { return one.order(against: two) ?? 0 }
            if a.isNaN || b.isNaN { return (a.isNaN ? 1 : 0) - (b.isNaN ? 1 : 0) }
            return a == b ? (b.sign == .minus ? 1 : 0) - (a.sign == .minus ? 1 : 0) : a < b ? -1 : 1
        }
    }

    private static func randomFile(_ number: Int, _ random: inout SeededRandom) -> (DataFile, [Row]) {
        let day: Int32? = Int.random(in: 0..<8, using: &random) == 0 ? nil : Int32.random(in: -2...3, using: &random)
        let base = Int64.random(in: 0...40, using: &random)
        let rows = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            Row(
                start: day.map { Int64($0) * dayMicroseconds + Int64.random(in: 0..<dayMicroseconds, using: &random) },
                duration: Bool.random(using: &random) ? base + Int64.random(in: 0...9, using: &random) : nil,
                share: [nil, .nan, -0.0, 0.0, 1.5, -2.5].randomElement(using: &random)!,
                trace: randomTrace(&random))
        }
        var file = DataFile(
            path: "file:///t/data/\(number)", day: day, recordCount: Int64(rows.count), fileSizeBytes: 1)
        for (id, values) in [
            (Int32(2), rows.map { $0.start.map { Literal.long($0) } }),
            (3, rows.map { $0.duration.map { Literal.long($0) } }),
            (4, rows.map { $0.share.map { Literal.double($0) } }), (1, rows.map { Literal.string($0.trace) }),
        ] {
            let ordered = values.compactMap { $0 }.filter { $0.order(against: $0) != nil }
            file.valueCounts[id] = Int64(values.count)
            file.nullValueCounts[id] = Int64(values.count { $0 == nil })
            file.lowerBounds[id] = ordered.min { $0.order(against: $1)! < 0 }?.bound
            file.upperBounds[id] = ordered.max { $0.order(against: $1)! < 0 }?.bound
        }
        return (file, rows)
    }

    private static func randomTrace(_ random: inout SeededRandom) -> String {
        String(UInt8.random(in: 0...255, using: &random), radix: 16)
    }

    /// At a day's first microsecond, just before or just after.
    private static func randomTime(_ random: inout SeededRandom) -> Int64 {
        Int64.random(in: -3...4, using: &random) * dayMicroseconds + Int64.random(in: -1...1, using: &random)
    }

    private static func randomFilter(_ random: inout SeededRandom) -> ColumnFilter {
        let (column, values): (String, [Literal]) =
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                ("start_time", (0..<3).map { _ in .long(randomTime(&random)) })
            case 1: ("duration_ms", (0..<3).map { _ in .long(Int64.random(in: -2...55, using: &random)) })
            case 2: ("share", [.double(0), .double(-0.0), .double(1.5), .double(-3)].shuffled(using: &random))
            default: ("trace_id", (0..<3).map { _ in .string(randomTrace(&random)) })
            }
        let value = values[0]
        let tests: [ColumnFilter.Test] = [
            .equal(value), .less(value), .lessOrEqual(value), .greater(value), .greaterOrEqual(value),
            .oneOf(values), .isNull, .isNotNull,
        ]
        if column == "trace_id", Bool.random(using: &random), case .string(let text) = value {
            return ColumnFilter(column, .startsWith(String(text.prefix(1))))
        }
        return ColumnFilter(column, tests.randomElement(using: &random)!)
    }
}
