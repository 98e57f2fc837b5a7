import Testing
import TraceBuffering

@Suite struct HashKeyTests {
    @Test func `keys differ when a word does`() {
        #expect(HashKey(1, 2) != HashKey(2, 1))
        #expect(BufferLimits().hashKey == .fixed)
    }
}
