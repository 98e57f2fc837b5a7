internal import CZlib

/// Compresses into gzip, zlib or raw deflate.
///
/// Source: RFC 1950 (zlib), RFC 1951 (deflate), RFC 1952 (gzip).
public enum Deflater {
    public enum Format: Sendable, Hashable {
        case gzip
        case zlib
        /// Raw deflate, as in Avro's `deflate` codec.
        case raw

        var windowBits: Int32 {
            switch self {
            case .gzip: MAX_WBITS + 16
            case .zlib: MAX_WBITS
            case .raw: -MAX_WBITS
            }
        }
    }

    /// Compresses data that is there as a whole; the same input gives the same bytes.
    ///
    /// - Parameter level: 0 stored, 1 fastest … 9 smallest.
    public static func deflate(
        _ bytes: borrowing RawSpan, _ format: Format, level: Int32 = 6
    ) throws(CompressionError) -> [UInt8] {
        precondition((0...9).contains(level), "zlib's levels are 0 … 9")
        guard let stream = czlib_deflate_new(level, format.windowBits) else {
            throw CompressionError(.outOfMemory, "no memory to compress")
        }
        // Freed here, after the last use; zlib's pointers into input and output are set for each
        // call and not used in between.
        defer { czlib_deflate_free(stream) }
        return bytes.withUnsafeBytes { input in
            run(stream, input)
        }
    }

    public static func deflate(
        _ bytes: [UInt8], _ format: Format, level: Int32 = 6
    ) throws(CompressionError) -> [UInt8] {
        try deflate(bytes.span.bytes, format, level: level)
    }

    private static func run(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer
    ) -> [UInt8] {
        var output: [UInt8] = []
        var consumed = 0
        // 32 bits count zlib's input, so very large inputs go in by parts.
        let partBytes = 1 << 30
        var isFinished = false
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32 * 1024) { buffer in
            while !isFinished {
                let part = UnsafeRawBufferPointer(
                    rebasing: input[consumed..<min(input.count, consumed + partBytes)])
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: part.baseAddress?.assumingMemoryBound(to: UInt8.self))
                stream.pointee.avail_in = UInt32(part.count)
                stream.pointee.next_out = buffer.baseAddress
                stream.pointee.avail_out = UInt32(buffer.count)
                let isLast = consumed + part.count == input.count
                let result = CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                consumed += part.count - Int(stream.pointee.avail_in)
                let count = buffer.count - Int(stream.pointee.avail_out)
                output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<count]))
                precondition(
                    result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR,
                    "zlib's deflate fails on misuse only")
                isFinished = result == Z_STREAM_END
            }
        }
        return output
    }
}
