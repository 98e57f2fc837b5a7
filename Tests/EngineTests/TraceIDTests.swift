import Testing
import TraceModel

@Suite struct TraceIDTests {
    @Test func `hexadecimal text and back is the same id`() {
        let text = "0af7651916cd43dd8448eb211c80319c"
        #expect(TraceID(hexadecimal: text)?.description == text)
        #expect(TraceID(hexadecimal: text.uppercased())?.description == text)
    }

    @Test(arguments: ["", "0af7", "zaf7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c00"])
    func `anything but 32 digits is no trace id`(text: String) {
        #expect(TraceID(hexadecimal: text) == nil)
    }

    @Test func `a tick rounds down before 1970 too`() {
        #expect(StreamTick(milliseconds: -1).value == -1)
        #expect(StreamTick(milliseconds: 199).value == 1)
    }
}
