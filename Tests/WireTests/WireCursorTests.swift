import OTLPWire
import Testing
import TraceGenerator
import TraceModel

@Suite struct WireCursorTests {
    /// A walk that stands still or turns back never ends.
    @Test(arguments: 0..<200) func `a cursor moves on with every field and stays inside of its message`(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<50 {
            var bytes = random.bytes(0...60)
            // Half of them with bytes that are tags and short lengths.
            if random.chance(0.5) { bytes = bytes.map { $0 & 0x1F } }
            let start = random.below(bytes.count + 1)
            let end = start + random.below(bytes.count - start + 1)
            var cursor = WireCursor(from: start, to: end)
            var last = start
            do {
                while let field = try cursor.next(in: bytes.span.bytes) {
                    #expect(field.offset == last)
                    #expect(cursor.offset > last && cursor.offset <= end)
                    #expect(
                        field.range.isEmpty || field.range.lowerBound > last && field.range.upperBound == cursor.offset)
                    last = cursor.offset
                }
                #expect(cursor.offset == end)
            } catch {
                #expect((start...end).contains(error.offset))
            }
        }
    }
}
