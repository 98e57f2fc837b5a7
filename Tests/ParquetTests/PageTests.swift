import Foundation
import Parquet
import Testing

/// Pages that the writer makes itself, read back by Arrow's reader.
struct PageTests {
    private static let columns = [
        ParquetField("id", .text, fieldID: 1, isRequired: true, storage: [.dictionary, .statistics, .bloom]),
        ParquetField("delta", .int64, fieldID: 2, storage: [.delta, .statistics]),
        ParquetField("plain", .int64, fieldID: 3, storage: .statistics),
        ParquetField("small", .int32, fieldID: 4, storage: [.delta, .statistics]),
        ParquetField("ratio", .double, fieldID: 5, storage: [.dictionary, .statistics]),
        ParquetField("text", .text, fieldID: 6, storage: [.dictionary, .statistics]),
        ParquetField("bytes", .bytes, fieldID: 7, storage: .statistics),
    ]

    struct Row: Equatable {
        var id: UInt64
        var number: Int64?
        var small: Int32?
        var ratio: Double?
        var text: String?
        var bytes: [UInt8]?

        var hexadecimalID: String { String(format: "%016lx%016lx", id, ~id) }
    }

    private struct Columns: ~Copyable {
        var id = RunColumn()
        var delta = Int64Column(isOptional: true)
        var plain = Int64Column(isOptional: true)
        var small = Int32Column(isOptional: true)
        var ratio = DoubleColumn(isOptional: true)
        var text = TextColumn(isOptional: true)
        var bytes = BytesColumn(isOptional: true)
    }

    private func write(
        _ groups: [[Row]], to path: String, options: ParquetOptions = ParquetOptions()
    ) throws -> ParquetSummary {
        var writer = try ParquetWriter(path: path, columns: Self.columns, options: options)
        for rows in groups {
            var columns = Columns()
            for (index, row) in rows.enumerated() {
                if index > 0, rows[index - 1].id == row.id {
                    columns.id.continueRun()
                } else {
                    columns.id.beginRun(hexadecimal: row.id, ~row.id)
                }
                if let number = row.number {
                    columns.delta.append(number)
                    columns.plain.append(number)
                } else {
                    columns.delta.appendNull()
                    columns.plain.appendNull()
                }
                if let small = row.small { columns.small.append(small) } else { columns.small.appendNull() }
                if let ratio = row.ratio { columns.ratio.append(ratio) } else { columns.ratio.appendNull() }
                if let text = row.text { columns.text.append(text: text) } else { columns.text.appendNull() }
                if let bytes = row.bytes { columns.bytes.append(bytes: bytes) } else { columns.bytes.appendNull() }
            }
            try writer.beginRowGroup()
            try writer.write(columns.id)
            try writer.write(columns.delta)
            try writer.write(columns.plain)
            try writer.write(columns.small)
            try writer.write(columns.ratio)
            try writer.write(columns.text)
            try writer.write(columns.bytes)
            try writer.endRowGroup()
        }
        return try writer.publish()
    }

    private func read(_ path: String) throws -> [[Row]] {
        let reader = try ParquetReader(path: path)
        let columns = Self.columns.compactMap { reader.column(fieldID: $0.fieldID ?? 0, name: $0.name) }
        try #require(columns.count == Self.columns.count)
        return try (0..<reader.rowGroupCount).map { group in
            let ids = try reader.texts(of: columns[0], rowGroup: group)
            let deltas = try reader.integers(of: columns[1], rowGroup: group)
            let plains = try reader.integers(of: columns[2], rowGroup: group)
            let smalls = try reader.integers(of: columns[3], rowGroup: group)
            let ratios = try reader.doubles(of: columns[4], rowGroup: group)
            let texts = try reader.texts(of: columns[5], rowGroup: group)
            let bytes = try reader.bytes(of: columns[6], rowGroup: group)
            #expect(deltas == plains)
            return try ids.indices.map { index in
                let id = try #require(ids[index].flatMap { UInt64($0.prefix(16), radix: 16) })
                let row = Row(
                    id: id, number: deltas[index], small: smalls[index].map { Int32($0) }, ratio: ratios[index],
                    text: texts[index], bytes: bytes[index])
                #expect(ids[index] == row.hexadecimalID)
                return row
            }
        }
    }

    /// Values in runs and alone, near and far, null in runs: every shape of page comes up.
    private func rows(_ count: Int, _ random: inout Random) -> [Row] {
        var rows: [Row] = []
        let spread = random.next() % 64
        let different = 1 + random.next() % 3000
        while rows.count < count {
            let run = 1 + Int(random.next() % [1, 3, 9, 200, 5000][Int(random.next() % 5)])
            let isNull = random.next() % 4 == 0
            for _ in 0..<run {
                let number = Int64(bitPattern: random.next()) >> Int64(spread)
                let value = random.next() % different
                rows.append(
                    Row(
                        id: UInt64(rows.count / 7), number: isNull ? nil : number,
                        small: isNull ? nil : Int32(truncatingIfNeeded: number),
                        ratio: isNull ? nil : Double(value), text: isNull ? nil : "text \(value)",
                        bytes: isNull ? nil : Array(repeating: UInt8(value & 0xFF), count: Int(value % 40))))
            }
        }
        return Array(rows.prefix(count))
    }

    @Test(arguments: [1 << 20, 4096, 1])
    func `pages of any size hold what was written`(pageBytes: Int) throws {
        let folder = try Folder()
        var options = ParquetOptions()
        options.pageBytes = pageBytes
        var random = Random(state: UInt64(pageBytes))
        // A page for each row takes its time.
        let counts = pageBytes == 1 ? [1, 7, 300] : [1, 7, 8, 9, 127, 128, 129, 130, 1000, 8192]
        let groups = counts.map { rows($0, &random) }
        _ = try write(groups, to: folder.file("a.parquet"), options: options)
        #expect(try read(folder.file("a.parquet")) == groups)
    }

    @Test func `a row group of nulls has no bounds, and takes them from nothing`() throws {
        let folder = try Folder()
        let nulls = (0..<100).map { Row(id: UInt64($0)) }
        let one = [Row(id: 5, number: -7, small: 3, ratio: 0.5, text: "t", bytes: [1])]
        let summary = try write([nulls, one, nulls], to: folder.file("a.parquet"))
        #expect(try read(folder.file("a.parquet")) == [nulls, one, nulls])
        #expect(summary.columns[1].bounds?.integers == -7 ... -7)
        #expect(summary.columns[5].bounds == ParquetBounds(minimum: Array("t".utf8), maximum: Array("t".utf8)))
        #expect(summary.columns.dropFirst().map(\.nullCount) == Array(repeating: 200, count: 6))
        let onlyNulls = try write([nulls], to: folder.file("b.parquet"))
        #expect(onlyNulls.columns.dropFirst().allSatisfy { $0.bounds == nil && $0.nullCount == 100 })
    }

    @Test func `the ends of the number line and their differences come back`() throws {
        let folder = try Folder()
        let numbers: [Int64] = [.min, .max, .min, 0, -1, 1, .max, .max - 1, .min + 1, .min]
        let smalls: [Int32] = [.min, .max, .min, 0, -1, 1, .max, .max - 1, .min + 1, .min]
        // More than a dictionary takes, so that they are written as differences.
        var rows: [Row] = []
        for index in 0..<3000 {
            let isFar = index < 1500
            let number: Int64 = isFar ? numbers[index % 10] : 0
            let small: Int32 = isFar ? smalls[index % 10] : 0
            rows.append(Row(id: UInt64(index), number: number &+ Int64(index), small: small &+ Int32(index)))
        }
        let summary = try write([rows], to: folder.file("a.parquet"))
        #expect(try read(folder.file("a.parquet")) == [rows])
        let all = rows.compactMap { row in row.number }
        #expect(summary.columns[1].bounds?.integers == all.min()!...all.max()!)
        let few = (0..<20).map { Row(id: 1, number: numbers[$0 % 10], small: smalls[$0 % 10]) }
        _ = try write([few], to: folder.file("b.parquet"))
        #expect(try read(folder.file("b.parquet")) == [few])
    }

    @Test(arguments: [1023, 1024, 1025, 2000])
    func `integers that repeat are numbered as long as they are not too many`(different: Int) throws {
        let folder = try Folder()
        let rows = (0..<8192).map { index in
            Row(id: 1, number: Int64(index % different) &* 0x0101_0101_0101, small: Int32(index % different))
        }
        _ = try write([rows], to: folder.file("a.parquet"))
        #expect(try read(folder.file("a.parquet")) == [rows])
    }

    @Test func `a value of a million bytes comes back, and is no bound`() throws {
        let folder = try Folder()
        let long = String(repeating: "é", count: 1 << 19)
        var rows = (0..<50).map { Row(id: UInt64($0), text: "short \($0)", bytes: [UInt8($0)]) }
        for index in [0, 20, 21, 49] {
            rows[index].text = long + String(index)
            rows[index].bytes = Array(repeating: UInt8(index), count: (1 << 20) + index)
        }
        let summary = try write([rows, rows], to: folder.file("a.parquet"))
        #expect(try read(folder.file("a.parquet")) == [rows, rows])
        #expect(summary.columns[5].bounds == nil)
        #expect(summary.columns[5].nullCount == 0)
    }

    @Test func `bounds of numbers pass over NaN, and zero has both signs`() throws {
        let folder = try Folder()
        func bounds(_ numbers: [Double]) throws -> (Double, Double)? {
            let rows = numbers.map { Row(id: 1, ratio: $0) }
            let path = folder.file("\(UUID().uuidString).parquet")
            guard let bounds = try write([rows], to: path).columns[4].bounds else { return nil }
            func number(_ bytes: [UInt8]) -> Double {
                Double(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
            }
            return (number(bounds.minimum), number(bounds.maximum))
        }
        let mixed = try #require(try bounds([.nan, 2, -3, .nan]))
        #expect(mixed == (-3, 2))
        #expect(try bounds([.nan]) == nil)
        let zeros = try #require(try bounds([0, 0]))
        #expect(zeros.0.sign == .minus && zeros.1.sign == .plus)
        let ends = try #require(try bounds([.infinity, -.infinity]))
        #expect(ends == (-.infinity, .infinity))
    }

    @Test func `texts are bounded byte by byte, whatever their length`() throws {
        let folder = try Folder()
        var random = Random(state: 9)
        let texts = (0..<500).map { _ in
            String(
                (0..<Int(random.next() % 12)).map { _ in ["a", "b", "\u{0}", "é", "\u{7F}"][Int(random.next() % 5)] }
                    .joined())
        }
        let summary = try write([texts.map { Row(id: 1, text: $0, bytes: Array($0.utf8)) }], to: folder.file("a"))
        let sorted = texts.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(summary.columns[5].bounds == ParquetBounds(minimum: sorted[0], maximum: sorted[499]))
        #expect(summary.columns[6].bounds == summary.columns[5].bounds)
    }
}

/// What a caller may get wrong with levels is an error, and never a file.
struct LevelMisuseTests {
    private static let columns = [
        ParquetField(
            "map",
            .map(
                key: ParquetField("key", .text, fieldID: 2, isRequired: true, storage: .dictionary),
                value: ParquetField(
                    "value",
                    .structure([
                        ParquetField("a", .int64, fieldID: 4), ParquetField("b", .int64, fieldID: 5),
                    ]), fieldID: 3, isRequired: true)), fieldID: 1)
    ]

    /// One row with one entry whose value is member 1, as long as nothing is changed.
    private func code(
        keys: Int = 1, first: Int = 1, second: Int = 0, definition: UInt8 = 2, repetition: UInt8 = 0, rowsOfB: Int = 1
    ) throws -> ParquetError.Code? {
        let folder = try Folder()
        do throws(ParquetError) {
            var writer = try ParquetWriter(path: folder.file("a.parquet"), columns: Self.columns)
            var key = MapKeyColumn()
            var a = Int64Column()
            var b = Int64Column()
            var levels = ColumnLevels()
            levels.append(definition: definition, repetition: repetition, choice: 1)
            key.beginMap()
            for index in 0..<keys {
                let bytes = Array("key \(index)".utf8)
                _ = key.append(bytes.span.bytes, from: 0, to: bytes.count)
            }
            a.append(repeating: 5, count: first)
            b.append(repeating: 6, count: second)
            try writer.beginRowGroup()
            try writer.write(key, at: levels)
            try writer.write(a, at: levels, member: 1)
            for _ in 1..<rowsOfB { levels.append(definition: 0, repetition: 0) }
            try writer.write(b, at: levels, member: 2)
            try writer.endRowGroup()
            _ = try writer.publish()
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `values and levels that do not fit one another are refused`() throws {
        #expect(try code() == nil)
        #expect(try code(keys: 2) == .misused)
        #expect(try code(keys: 0) == .misused)
        #expect(try code(first: 0) == .misused)
        #expect(try code(first: 2) == .misused)
        #expect(try code(second: 1) == .misused)
        #expect(try code(definition: 1) == .misused)
        #expect(try code(definition: 3) == .misused)
        #expect(try code(definition: 200) == .misused)
        #expect(try code(repetition: 1) == .misused)
        #expect(try code(rowsOfB: 2) == .misused)
    }
}
