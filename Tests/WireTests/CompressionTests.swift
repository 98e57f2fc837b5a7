import Compression
import Testing
import TraceGenerator

@Suite struct CompressionTests {
    static let inputs: [[UInt8]] = {
        var random = SeededRandom(seed: 11)
        let noise = (0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return [[], [1], Array(repeating: 7, count: 300_000), noise, Array("text text text".utf8)]
    }()

    private static let formats: [(Deflater.Format, Inflater.Format)] = [
        (.gzip, .gzip), (.zlib, .zlib), (.raw, .raw), (.gzip, .gzipOrZlib), (.zlib, .gzipOrZlib),
    ]

    private func inflate(
        _ bytes: [UInt8], _ format: Inflater.Format, chunk: Int, limitBytes: Int = 1 << 20
    ) throws -> [UInt8] {
        var inflater = try Inflater(format, limitBytes: limitBytes)
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            let part = Array(bytes[start..<min(start + chunk, bytes.count)])
            try inflater.feed(part.span.bytes, into: &output)
        }
        try inflater.finish()
        #expect(inflater.outputBytes == output.count)
        return output
    }

    @Test(arguments: Self.inputs.indices) func `what was deflated is inflated, however it is cut`(index: Int) throws {
        let input = Self.inputs[index]
        for (to, from) in Self.formats {
            let compressed = try Deflater.deflate(input, to)
            for chunk in [1, 7, 4096, 1 << 20] where chunk > 1 || compressed.count < 2000 {
                #expect(try inflate(compressed, from, chunk: chunk) == input)
            }
            #expect(try Inflater.inflate(compressed, from, limitBytes: input.count) == input)
        }
    }

    @Test func `gzip written by gzip itself is read`() throws {
        // printf 'hello' | gzip -n | xxd -p
        let bytes: [UInt8] = [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x07,
            0x00, 0x86, 0xA6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
        ]
        #expect(try Inflater.inflate(bytes, .gzip, limitBytes: 5) == Array("hello".utf8))
    }

    @Test func `members that follow one another are one output`() throws {
        let one = try Deflater.deflate(Array("one".utf8), .gzip)
        let two = try Deflater.deflate(Array("two".utf8), .gzip)
        for chunk in [1, 5, 1000] {
            #expect(try inflate(one + two, .gzip, chunk: chunk) == Array("onetwo".utf8))
        }
        let empty = try Deflater.deflate([], .gzip)
        #expect(try inflate(empty + one + empty, .gzip, chunk: 3) == Array("one".utf8))
    }

    private func code(_ body: () throws -> Void) -> CompressionError.Code? {
        do {
            try body()
            return nil
        } catch let error as CompressionError {
            #expect(!error.message.isEmpty)
            return error.code
        } catch {
            Issue.record("another error: \(error)")
            return nil
        }
    }

    @Test func `every truncation is refused as truncated`() throws {
        let input = Array("some text that is some text".utf8)
        for (to, from) in Self.formats {
            let compressed = try Deflater.deflate(input, to)
            for count in 0..<compressed.count {
                let part = Array(compressed.prefix(count))
                #expect(code { _ = try inflate(part, from, chunk: 5) } == .truncated, "\(from) \(count)")
            }
        }
        let frame = try Zstd.compress(input)
        for count in 0..<frame.count {
            #expect(code { _ = try Zstd.decompress(Array(frame.prefix(count)), limitBytes: 1000) } == .truncated)
        }
    }

    @Test func `corrupt bytes are refused or give the same output, never a trap`() throws {
        let input = Array("some text that is some text".utf8)
        let gzip = try Deflater.deflate(input, .gzip)
        var refused = 0
        for index in gzip.indices {
            for bit in 0..<8 {
                var bytes = gzip
                bytes[index] ^= 1 << UInt8(bit)
                do {
                    // A flag, time or system byte of the header says nothing about the output.
                    #expect(try inflate(bytes, .gzip, chunk: 100) == input)
                } catch { refused += 1 }
            }
        }
        #expect(refused > gzip.count * 4)
        #expect(code { _ = try inflate(gzip + [1, 2, 3], .gzip, chunk: 100) } != nil)
        let zlib = try Deflater.deflate(input, .zlib)
        #expect(code { _ = try inflate(zlib + [0], .zlib, chunk: 100) } == .corrupt)
        #expect(code { _ = try inflate(zlib + [0], .zlib, chunk: 1) } == .corrupt)
        #expect(code { _ = try inflate(Array("GET / HTTP/1.1".utf8), .gzip, chunk: 100) } == .corrupt)
        var frame = try Zstd.compress(input)
        frame[0] ^= 1
        #expect(code { _ = try Zstd.decompress(frame, limitBytes: 1000) } == .corrupt)
    }

    @Test func `output beyond the limit is refused before it is made`() throws {
        let bomb = try Deflater.deflate([UInt8](repeating: 0, count: 50_000_000), .gzip, level: 9)
        #expect(bomb.count < 100_000)
        var inflater = try Inflater(.gzip, limitBytes: 1_000_000)
        var output: [UInt8] = []
        #expect(code { try inflater.feed(bomb.span.bytes, into: &output) } == .tooLarge)
        #expect(output.count <= 1_000_000)
        let input = [UInt8](repeating: 5, count: 1000)
        let exact = try Deflater.deflate(input, .gzip)
        #expect(try inflate(exact, .gzip, chunk: 10, limitBytes: 1000) == input)
        #expect(code { _ = try inflate(exact, .gzip, chunk: 10, limitBytes: 999) } == .tooLarge)
        let frame = try Zstd.compress(input)
        #expect(try Zstd.decompress(frame, limitBytes: 1000) == input)
        #expect(code { _ = try Zstd.decompress(frame, limitBytes: 999) } == .tooLarge)
    }

    @Test(arguments: Self.inputs.indices) func `zstd frames come back, one or several`(index: Int) throws {
        let input = Self.inputs[index]
        let frame = try Zstd.compress(input)
        #expect(try Zstd.decompress(frame, limitBytes: input.count) == input)
        #expect(try Zstd.decompress(frame + frame, limitBytes: 2 * input.count) == input + input)
    }

    @Test func `a zstd frame with a window beyond the limit is refused`() {
        // RFC 8878: magic, descriptor without content size, window 2^31, one empty last raw block.
        let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x01, 0x00, 0x00]
        let within: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 13 << 3, 0x01, 0x00, 0x00]
        #expect(code { _ = try Zstd.decompress(frame, limitBytes: 1000) } == .corrupt)
        #expect(code { _ = try Zstd.decompress(within, limitBytes: 1000) } == nil)
    }
}
