internal import CZstd

/// Compresses and decompresses zstd frames that are there as a whole.
///
/// Source: RFC 8878.
public enum Zstd {
    /// A frame may ask for a window of at most 8 MiB: the largest that a decoder must support
    /// (RFC 8878, 3.1.1.1.2), where the format itself allows terabytes.
    public static let windowLogLimit: Int32 = 23

    /// - Parameter level: 1 fastest … 19 smallest.
    public static func compress(
        _ bytes: borrowing RawSpan, level: Int32 = 3
    ) throws(CompressionError) -> [UInt8] {
        try bytes.withUnsafeBytes { input throws(CompressionError) in
            let bound = ZSTD_compressBound(input.count)
            var result = 0
            let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
                result = ZSTD_compress(
                    buffer.baseAddress, bound, input.baseAddress, input.count, level)
                count = ZSTD_isError(result) == 0 ? result : 0
            }
            guard ZSTD_isError(result) == 0 else {
                throw CompressionError(.outOfMemory, String(cString: ZSTD_getErrorName(result)))
            }
            return output
        }
    }

    public static func compress(
        _ bytes: [UInt8], level: Int32 = 3
    ) throws(CompressionError) -> [UInt8] {
        try compress(bytes.span.bytes, level: level)
    }

    /// Decompresses one frame or several that follow one another.
    ///
    /// - Parameter limitBytes: The largest output that is accepted.
    public static func decompress(
        _ bytes: borrowing RawSpan, limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        guard let context = ZSTD_createDCtx() else {
            throw CompressionError(.outOfMemory, "no memory to decompress")
        }
        // Freed here, after the last use of the context.
        defer { ZSTD_freeDCtx(context) }
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLogLimit)
        return try bytes.withUnsafeBytes { input throws(CompressionError) in
            try decompress(input, context, limitBytes: limitBytes)
        }
    }

    public static func decompress(
        _ bytes: [UInt8], limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        try decompress(bytes.span.bytes, limitBytes: limitBytes)
    }

    private static func decompress(
        _ input: UnsafeRawBufferPointer, _ context: OpaquePointer, limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        let capacity = ZSTD_DStreamOutSize()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        defer { buffer.deallocate() }
        var output: [UInt8] = []
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        // 0: a frame has just ended; otherwise more of it must follow.
        var missing = 1
        var isOutputFull = false
        while source.pos < source.size || isOutputFull {
            var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: capacity, pos: 0)
            missing = ZSTD_decompressStream(context, &target, &source)
            guard ZSTD_isError(missing) == 0 else {
                throw CompressionError(.corrupt, String(cString: ZSTD_getErrorName(missing)))
            }
            guard target.pos <= limitBytes - output.count else {
                throw .tooLarge(limitBytes: limitBytes)
            }
            output.append(contentsOf: buffer[..<target.pos])
            isOutputFull = target.pos == capacity && missing != 0
        }
        guard missing == 0 else {
            throw CompressionError(.truncated, "compressed data is truncated")
        }
        return output
    }
}
