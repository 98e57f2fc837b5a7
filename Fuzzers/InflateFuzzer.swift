import Compression

/// Called by libFuzzer with every input. A trap, an address error or a broken promise is a finding.
///
/// The first byte chooses the format, the second the size of the chunks; the others are the data.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = UnsafeBufferPointer(start: data, count: size)
    guard size >= 2 else { return 0 }
    let bytes = Array(input.dropFirst(2))
    let limitBytes = 1 << 18
    if input[0] % 8 == 5 {
        let output = try? Zstd.decompress(bytes, limitBytes: limitBytes)
        precondition((output?.count ?? 0) <= limitBytes, "output beyond the limit")
        return 0
    }
    let formats: [Inflater.Format] = [.gzip, .zlib, .gzipOrZlib, .raw]
    let format = formats[Int(input[0]) % formats.count]
    inflate(bytes, format, chunkSize: Int(input[1]) + 1, limitBytes: limitBytes)
    roundTrip(bytes)
    return 0
}

/// In chunks and as a whole: the same output or the same refusal.
private func inflate(_ bytes: [UInt8], _ format: Inflater.Format, chunkSize: Int, limitBytes: Int) {
    var output: [UInt8] = []
    var isWhole = true
    do {
        var inflater = try Inflater(format, limitBytes: limitBytes)
        for start in stride(from: 0, to: bytes.count, by: chunkSize) {
            let chunk = Array(bytes[start..<min(bytes.count, start + chunkSize)])
            try inflater.feed(chunk.span.bytes, into: &output)
            precondition(output.count == inflater.outputBytes, "output counted otherwise")
        }
        try inflater.finish()
    } catch {
        isWhole = false
    }
    precondition(output.count <= limitBytes, "output beyond the limit")
    let atOnce = try? Inflater.inflate(bytes, format, limitBytes: limitBytes)
    precondition((atOnce != nil) == isWhole, "judged otherwise in chunks")
    if let atOnce { precondition(atOnce == output, "other output in chunks") }
}

private func roundTrip(_ bytes: [UInt8]) {
    let compressed = try? Deflater.deflate(bytes, .gzip, level: 1)
    let back = compressed.flatMap { try? Inflater.inflate($0, .gzip, limitBytes: bytes.count) }
    precondition(back == bytes, "deflated and inflated is not the same")
}
