import Parquet
import Testing

struct ColumnTests {
    @Test func `a text that is not UTF-8 is repaired as Swift repairs it, and said to be`() throws {
        var random = Random(state: 77)
        for _ in 0..<2000 {
            let count = Int(random.next() % 20)
            let bytes = (0..<count).map { _ in
                random.next() % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : UInt8(random.next() % 128)
            }
            let expected = String(decoding: bytes, as: UTF8.self)
            var column = BytesColumn()
            let wasValid = column.append(text: bytes.span.bytes, from: 0, to: bytes.count)
            #expect(wasValid == (Array(expected.utf8) == bytes))
            #expect(column.byteCount == expected.utf8.count)
            #expect(column.count == 1)
        }
    }

    @Test func `repeated keys are found, few or many`() throws {
        var random = Random(state: 5)
        var keys = MapKeyColumn()
        for count in [0, 1, 5, 63, 64, 65, 500, 3000] {
            var bytes: [UInt8] = []
            var ranges: [Range<Int>] = []
            for _ in 0..<count {
                let key = Array("key.\(random.next() % UInt64(max(1, count * 2)))".utf8)
                ranges.append(bytes.count..<bytes.count + key.count)
                bytes += key
            }
            for _ in 0..<2 {
                keys.beginMap()
                var seen: Set<[UInt8]> = []
                for range in ranges {
                    let outcome = keys.append(bytes.span.bytes, from: range.lowerBound, to: range.upperBound)
                    #expect(outcome == (seen.insert(Array(bytes[range])).inserted ? .appended : .repeated))
                }
            }
        }
    }

    @Test func `two keys that are the same after repair are one`() {
        let bytes: [UInt8] = [0x61, 0xFF, 0x61, 0xFE, 0x61]
        var keys = MapKeyColumn()
        keys.beginMap()
        #expect(keys.append(bytes.span.bytes, from: 0, to: 2) == .repaired)
        #expect(keys.append(bytes.span.bytes, from: 2, to: 4) == .repeated)
        #expect(keys.append(bytes.span.bytes, from: 4, to: 5) == .appended)
    }

    @Test func `hexadecimal digits are lower case and in order`() {
        var column = BytesColumn()
        column.append(hexadecimal: 0x0123_4567_89AB_CDEF)
        column.append(hexadecimal: 0xFEDC_BA98_7654_3210, 0x0000_0000_0000_00FF)
        column.append(hexadecimal: [0x00, 0xA0, 0xFF].span.bytes, from: 0, to: 3)
        #expect(column.count == 3)
        #expect(column.byteCount == 16 + 32 + 6)
    }
}
