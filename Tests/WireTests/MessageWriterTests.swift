import ProtobufWriter
import Testing

@Suite struct MessageWriterTests {
    @Test func `fields are encoded as protobuf says`() {
        // The examples of protobuf.dev, "Encoding".
        #expect(encoded { $0.varint(1, 150) } == [0x08, 0x96, 0x01])
        #expect(encoded { $0.string(2, "testing") } == [0x12, 0x07] + Array("testing".utf8))
        #expect(encoded { $0.message(3) { $0.varint(1, 150) } } == [0x1A, 0x03, 0x08, 0x96, 0x01])
        #expect(encoded { $0.int(1, -2) } == [0x08, 0xFE] + [UInt8](repeating: 0xFF, count: 8) + [0x01])
        #expect(encoded { $0.fixed64(7, 0x0102_0304_0506_0708) } == [0x39, 8, 7, 6, 5, 4, 3, 2, 1])
        #expect(encoded { $0.fixed32(16, 0x301) } == [0x85, 0x01, 0x01, 0x03, 0, 0])
        #expect(encoded { $0.double(4, 1) } == [0x21, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
        #expect(encoded { $0.bool(2, true) } == [0x10, 0x01])
        #expect(encoded { $0.bytes(1, []) } == [0x0A, 0x00])
        #expect(encoded { $0.group(1) { $0.varint(2, 3) } } == [0x0B, 0x10, 0x03, 0x0C])
        #expect(encoded { $0.message(1) { _ in } } == [0x0A, 0x00])
    }

    @Test(arguments: [0, 1, 127, 128, 129, 16383, 16384, 2_097_151, 2_097_152])
    func `a nested message's length is put in front whatever its size`(count: Int) {
        let body = [UInt8](repeating: 0x11, count: count)
        let message = encoded { outer in
            outer.varint(9, 1)
            outer.message(1) { $0.raw(body) }
            outer.varint(9, 2)
        }
        #expect(message == [0x48, 1, 0x0A] + MessageWriter.varintBytes(UInt64(count)) + body + [0x48, 2])
    }

    @Test func `varints of every length`() {
        for bits in 0...64 {
            let value = bits == 64 ? UInt64.max : (1 << UInt64(bits)) - 1
            let bytes = MessageWriter.varintBytes(value)
            #expect(bytes.count == max(1, (bits + 6) / 7))
            let decoded = bytes.enumerated().reduce(UInt64(0)) {
                $0 | UInt64($1.element & 0x7F) << UInt64(7 * $1.offset)
            }
            #expect(decoded == value)
        }
    }
}
