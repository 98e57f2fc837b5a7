import Foundation
import Parquet
import Testing

struct ParquetFileTests {
    private static let columns = [
        ParquetField("id", .text, fieldID: 1, isRequired: true, storage: [.dictionary, .statistics, .bloom]),
        ParquetField("number", .int64, fieldID: 2, storage: [.delta, .statistics]),
        ParquetField("small", .int32, fieldID: 3, isRequired: true, storage: [.dictionary, .statistics]),
        ParquetField("ratio", .double, fieldID: 4, storage: .statistics),
    ]

    struct Row: Equatable {
        var id: String
        var number: Int64?
        var small: Int32
        var ratio: Double?
    }

    /// Writes the rows in row groups of at most `groupRows`.
    private func write(
        _ rows: [Row], to path: String, groupRows: Int, options: ParquetOptions = ParquetOptions()
    ) throws -> ParquetSummary {
        var writer = try ParquetWriter(path: path, columns: Self.columns, options: options)
        var ids = BytesColumn()
        var numbers = Int64Column(isOptional: true)
        var small = Int32Column()
        var ratios = DoubleColumn(isOptional: true)
        for start in stride(from: 0, to: rows.count, by: groupRows) {
            for row in rows[start..<min(start + groupRows, rows.count)] {
                ids.append(text: row.id)
                if let number = row.number { numbers.append(number) } else { numbers.appendNull() }
                small.append(row.small)
                if let ratio = row.ratio { ratios.append(ratio) } else { ratios.appendNull() }
            }
            try writer.beginRowGroup()
            try writer.write(ids)
            try writer.write(numbers)
            try writer.write(small)
            try writer.write(ratios)
            try writer.endRowGroup()
            ids.removeAll()
            numbers.removeAll()
            small.removeAll()
            ratios.removeAll()
        }
        return try writer.publish()
    }

    private func read(_ path: String) throws -> [Row] {
        let reader = try ParquetReader(path: path)
        let columns = Self.columns.compactMap { reader.column(fieldID: $0.fieldID ?? 0, name: $0.name) }
        try #require(columns.count == 4)
        var rows: [Row] = []
        for group in 0..<reader.rowGroupCount {
            let ids = try reader.texts(of: columns[0], rowGroup: group)
            let numbers = try reader.integers(of: columns[1], rowGroup: group)
            let small = try reader.integers(of: columns[2], rowGroup: group)
            let ratios = try reader.doubles(of: columns[3], rowGroup: group)
            for row in ids.indices {
                rows.append(
                    Row(
                        id: try #require(ids[row]), number: numbers[row],
                        small: Int32(try #require(small[row])), ratio: ratios[row]))
            }
        }
        return rows
    }

    private func sampleRows(_ count: Int, seed: UInt64) -> [Row] {
        var random = Random(state: seed)
        return (0..<count).map { index in
            Row(
                id: String(format: "%08d", index) + String(repeating: "é", count: Int(random.next() % 3)),
                number: random.next() % 4 == 0 ? nil : Int64(bitPattern: random.next()),
                small: Int32(truncatingIfNeeded: random.next()) >> 20,
                ratio: random.next() % 5 == 0 ? nil : Double(random.next() % 1000) / 8)
        }
    }

    @Test(arguments: [0, 1, 7, 1024, 1025, 5000])
    func `what is written comes back, nulls and row groups included`(count: Int) throws {
        let folder = try Folder()
        let rows = sampleRows(count, seed: UInt64(count))
        let summary = try write(rows, to: folder.file("a.parquet"), groupRows: 1000)
        #expect(try read(folder.file("a.parquet")) == rows)
        #expect(summary.rowGroupOffsets.count == (count + 999) / 1000)
        let size = try FileManager.default.attributesOfItem(atPath: folder.file("a.parquet"))[.size] as? Int
        #expect(summary.byteCount == Int64(size ?? -1))
    }

    @Test func `statistics are those of the rows`() throws {
        let folder = try Folder()
        let rows = sampleRows(3000, seed: 11)
        let summary = try write(rows, to: folder.file("a.parquet"), groupRows: 1000)
        #expect(summary.columns.map(\.fieldID) == [1, 2, 3, 4])
        #expect(summary.columns.map(\.valueCount) == [3000, 3000, 3000, 3000])
        #expect(summary.columns[1].nullCount == Int64(rows.count { $0.number == nil }))
        let numbers = rows.compactMap(\.number)
        #expect(summary.columns[1].bounds?.integers == numbers.min()!...numbers.max()!)
        let small = rows.map { Int64($0.small) }
        #expect(summary.columns[2].bounds?.integers == small.min()!...small.max()!)
        #expect(summary.columns[0].bounds?.minimum == Array(rows.map(\.id).min()!.utf8))
        #expect(summary.columns[0].bounds?.maximum == Array(rows.map(\.id).max()!.utf8))
        #expect(summary.columns[0].hasBloomFilter)
        #expect(summary.columns.allSatisfy { $0.compressedBytes > 0 })
        #expect(summary.rowGroupOffsets == summary.rowGroupOffsets.sorted())
        #expect(summary.rowGroupOffsets.first == 4)
    }

    @Test func `a bloom filter says which row groups do not have a text`() throws {
        let folder = try Folder()
        let rows = sampleRows(4000, seed: 3)
        _ = try write(rows, to: folder.file("a.parquet"), groupRows: 1000)
        let reader = try ParquetReader(path: folder.file("a.parquet"))
        let found = reader.column(fieldID: 1, name: "id")
        let column = try #require(found)
        var possible = 0
        for (index, row) in rows.enumerated() where index % 40 == 0 {
            for group in 0..<4 {
                let mayContain = try reader.mayContain(row.id, in: column, rowGroup: group)
                if group == index / 1000 { #expect(mayContain) } else if mayContain { possible += 1 }
            }
        }
        // 300 questions about absent texts, one in a hundred answered wrongly.
        #expect(possible < 20)
    }

    @Test func `statistics of row groups prune what cannot match`() throws {
        let folder = try Folder()
        let rows = (0..<4000).map { Row(id: String($0), number: Int64($0), small: 1, ratio: nil) }
        _ = try write(rows, to: folder.file("a.parquet"), groupRows: 1000)
        let reader = try ParquetReader(path: folder.file("a.parquet"))
        let found = reader.column(fieldID: 2, name: "number")
        let column = try #require(found)
        let ranges = try (0..<4).map { try reader.statistics(of: column, inRowGroup: $0).bounds?.integers }
        #expect(ranges == [0...999, 1000...1999, 2000...2999, 3000...3999])
    }

    @Test func `a file is not there under its name until it is published`() throws {
        let folder = try Folder()
        var writer = try ParquetWriter(path: folder.file("a.parquet"), columns: Self.columns)
        try writer.beginRowGroup()
        #expect(folder.names == ["a.parquet.tmp"])
        _ = consume writer
        #expect(folder.names == [])
    }

    @Test func `a writer that goes away with whole row groups leaves nothing`() throws {
        let folder = try Folder()
        #expect(throws: ParquetError.self) {
            var writer = try ParquetWriter(
                path: folder.file("a.parquet"), columns: [ParquetField("n", .int64, fieldID: 1, isRequired: true)])
            var numbers = Int64Column()
            numbers.append(repeating: 5, count: 100)
            try writer.beginRowGroup()
            try writer.write(numbers)
            try writer.endRowGroup()
            throw ParquetError(.failed, "the caller changed its mind")
        }
        #expect(folder.names == [])
    }

    @Test func `nothing is overwritten`() throws {
        let folder = try Folder()
        let rows = sampleRows(10, seed: 1)
        _ = try write(rows, to: folder.file("a.parquet"), groupRows: 10)
        let error = #expect(throws: ParquetError.self) {
            _ = try write([], to: folder.file("a.parquet"), groupRows: 10)
        }
        #expect(error?.code == .misused)
        #expect(try read(folder.file("a.parquet")) == rows)
    }

    @Test func `missing directories are made`() throws {
        let folder = try Folder()
        let rows = sampleRows(10, seed: 1)
        _ = try write(rows, to: folder.file("x/y/a.parquet"), groupRows: 10)
        #expect(try read(folder.file("x/y/a.parquet")) == rows)
    }

    @Test func `failures have codes`() throws {
        let folder = try Folder()
        #expect(codeOfOpening(folder.file("absent.parquet")) == .notFound)
        try Data("PAR1 but not really PAR1".utf8).write(to: URL(filePath: folder.file("b.parquet")))
        #expect(codeOfOpening(folder.file("b.parquet")) == .corrupt)
        try Data().write(to: URL(filePath: folder.file("c.parquet")))
        #expect(codeOfOpening(folder.file("c.parquet")) == .corrupt)
        let error = #expect(throws: ParquetError.self) {
            _ = try ParquetWriter(path: "/proc/none/a.parquet", columns: Self.columns)
        }
        #expect(error?.code == .notFound)
    }

    private func codeOfOpening(_ path: String) -> ParquetError.Code? {
        do {
            _ = try ParquetReader(path: path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `a damaged file is an error and never a crash`() throws {
        let folder = try Folder()
        let rows = sampleRows(2000, seed: 5)
        _ = try write(rows, to: folder.file("a.parquet"), groupRows: 500)
        let whole = try Data(contentsOf: URL(filePath: folder.file("a.parquet")))
        var random = Random(state: 20_261_124)
        var failures = 0
        for round in 0..<200 {
            var damaged = whole
            if round % 4 == 0 {
                damaged = damaged.prefix(Int(random.next() % UInt64(whole.count)))
            } else {
                for _ in 0..<4 {
                    damaged[Int(random.next() % UInt64(whole.count))] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            let path = folder.file("damaged-\(round).parquet")
            try damaged.write(to: URL(filePath: path))
            do { _ = try read(path) } catch { failures += 1 }
        }
        #expect(failures > 50)
    }

    @Test func `calls that do not fit the schema are refused`() throws {
        let folder = try Folder()
        #expect(
            misuse(folder.file("a.parquet")) { (writer: inout ParquetWriter) throws(ParquetError) in
                var numbers = Int64Column()
                numbers.append(1)
                try writer.beginRowGroup()
                try writer.write(numbers)
            } == .misused)
        #expect(
            misuse(folder.file("b.parquet")) { (writer: inout ParquetWriter) throws(ParquetError) in
                try writer.beginRowGroup()
                try writer.endRowGroup()
            } == .misused)
        #expect(
            misuse(folder.file("c.parquet")) { (writer: inout ParquetWriter) throws(ParquetError) in
                try writer.endRowGroup()
            } == .misused)
        #expect(folder.names == [])
    }

    private func misuse(
        _ path: String, _ body: (inout ParquetWriter) throws(ParquetError) -> Void
    ) -> ParquetError.Code? {
        do {
            var writer = try ParquetWriter(path: path, columns: Self.columns)
            try body(&writer)
            return nil
        } catch {
            return error.code
        }
    }
}

struct TextColumnTests {
    /// Few or many different texts, some null, through a dictionary that fits into a page or not.
    @Test(arguments: [1, 3, 100, 5000], [1 << 20, 200])
    func `texts come back through a dictionary, and without one when it grows too large`(
        different: Int, dictionaryBytes: Int
    ) throws {
        let folder = try Folder()
        var options = ParquetOptions()
        options.dictionaryBytes = dictionaryBytes
        var random = Random(state: UInt64(different))
        var writer = try ParquetWriter(
            path: folder.file("a.parquet"),
            columns: [
                ParquetField("text", .text, fieldID: 1, storage: [.dictionary, .statistics]),
                ParquetField("required", .text, fieldID: 2, isRequired: true, storage: .dictionary),
            ], options: options)
        var column = TextColumn(isOptional: true)
        var required = TextColumn()
        var expected: [String?] = []
        for _ in 0..<3 {
            for _ in 0..<4000 {
                let text = "value é \(random.next() % UInt64(different))"
                let bytes = Array(text.utf8)
                required.append(text: bytes.span.bytes, from: 0, to: bytes.count)
                if random.next() % 3 == 0 {
                    column.appendNull()
                    expected.append(nil)
                } else {
                    column.append(text: bytes.span.bytes, from: 0, to: bytes.count)
                    expected.append(text)
                }
            }
            try writer.beginRowGroup()
            try writer.write(column)
            try writer.write(required)
            try writer.endRowGroup()
            column.removeAll()
            required.removeAll()
        }
        let summary = try writer.publish()
        let reader = try ParquetReader(path: folder.file("a.parquet"))
        let (first, second) = (reader.column(fieldID: 1, name: "text"), reader.column(fieldID: 2, name: "required"))
        let (text, always) = (try #require(first), try #require(second))
        let read = try (0..<3).flatMap { try reader.texts(of: text, rowGroup: $0) }
        #expect(read == expected)
        let whole = try (0..<3).flatMap { try reader.texts(of: always, rowGroup: $0) }
        #expect(zip(whole, expected).allSatisfy { $1 == nil || $0 == $1 })
        #expect(summary.columns[0].nullCount == Int64(expected.count { $0 == nil }))
        #expect(
            summary.columns[0].bounds?.minimum
                == expected.compactMap { $0 }.map { Array($0.utf8) }.min { $0.lexicographicallyPrecedes($1) })
    }
}
