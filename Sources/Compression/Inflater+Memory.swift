internal import CZlib

/// Decompresses gzip, zlib or raw deflate data that arrives in chunks, up to a limit.
///
///     var inflater = try Inflater(.gzip, limitBytes: 20 << 20)
///     try inflater.feed(chunk, into: &output)      // for each chunk
///     try inflater.finish()                        // refuses what ended too early
///
/// Memory: zlib's 40 KiB window, a buffer of `bufferBytes`, and the output. Gzip members that
/// follow one another are one output; anything else behind the end is refused as corrupt.
///
/// Source: RFC 1950 (zlib), RFC 1951 (deflate), RFC 1952 (gzip).
public struct Inflater: ~Copyable {
    public enum Format: Sendable, Hashable {
        case gzip
        case zlib
        /// Told apart by their first bytes; HTTP's `deflate` is zlib.
        case gzipOrZlib
        /// Raw deflate, as in Avro's `deflate` codec.
        case raw

        /// As `inflateInit2` wants it: the window, and an offset for the wrapper.
        var windowBits: Int32 {
            switch self {
            case .gzip: MAX_WBITS + 16
            case .zlib: MAX_WBITS
            case .gzipOrZlib: MAX_WBITS + 32
            case .raw: -MAX_WBITS
            }
        }
    }

    /// Output goes through a buffer of this size: the step in which the limit is checked.
    static let bufferBytes = 32 * 1024

    /// Bytes decompressed so far.
    public private(set) var outputBytes = 0
    public let limitBytes: Int

    private enum Phase {
        /// No byte of the next member has come; the end is legal here once a member was whole.
        case betweenMembers
        case inMember
        /// Whole, and nothing may follow.
        case ended
    }

    private let format: Format
    private var phase = Phase.betweenMembers
    private var memberCount = 0
    // Owned: allocated in init, freed in deinit, never handed out.
    private let stream: UnsafeMutablePointer<z_stream>
    private let buffer: UnsafeMutableBufferPointer<UInt8>

    /// - Parameter limitBytes: The largest output that is accepted, at least 0.
    public init(_ format: Format, limitBytes: Int) throws(CompressionError) {
        guard let stream = czlib_inflate_new(format.windowBits) else {
            throw CompressionError(.outOfMemory, "no memory to decompress")
        }
        self.stream = stream
        self.format = format
        self.limitBytes = limitBytes
        buffer = .allocate(capacity: Self.bufferBytes)
    }

    deinit {
        czlib_inflate_free(stream)
        buffer.deallocate()
    }

    /// Decompresses the next chunk and appends what comes out.
    ///
    /// - Throws: `corrupt` or `tooLarge`; the output then holds what came before, and the inflater
    ///   must not be fed again.
    public mutating func feed(
        _ chunk: borrowing RawSpan, into output: inout [UInt8]
    ) throws(CompressionError) {
        try chunk.withUnsafeBytes { bytes throws(CompressionError) in
            try feed(bytes, into: &output)
        }
    }

    /// Ends the input.
    ///
    /// - Throws: `truncated` when it was not whole.
    public mutating func finish() throws(CompressionError) {
        let isWhole = phase == .ended || (phase == .betweenMembers && memberCount > 0)
        guard isWhole else { throw CompressionError(.truncated, "compressed data is truncated") }
    }

    private mutating func feed(
        _ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(CompressionError) {
        // A chunk beyond what zlib's 32-bit count can say goes in by parts.
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(1 << 30)
            rest = rest.dropFirst(part.count)
            try feed(part: UnsafeRawBufferPointer(rebasing: part), into: &output)
        }
    }

    /// The part's bytes are zlib's for the time of the call only: all are consumed, or it throws.
    private mutating func feed(
        part: UnsafeRawBufferPointer, into output: inout [UInt8]
    ) throws(CompressionError) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: part.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(part.count)
        defer {
            stream.pointee.next_in = nil
            stream.pointee.avail_in = 0
        }
        var isOutputFull = false
        while stream.pointee.avail_in > 0 || isOutputFull {
            if phase == .ended {
                throw CompressionError(.corrupt, "bytes follow the end of the compressed data")
            }
            phase = .inMember
            stream.pointee.next_out = buffer.baseAddress
            stream.pointee.avail_out = UInt32(buffer.count)
            let result = CZlib.inflate(stream, Z_NO_FLUSH)
            let count = buffer.count - Int(stream.pointee.avail_out)
            isOutputFull = stream.pointee.avail_out == 0
            guard count <= limitBytes - outputBytes else {
                throw .tooLarge(limitBytes: limitBytes)
            }
            outputBytes += count
            output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<count]))
            switch result {
            case Z_STREAM_END:
                try endMember()
                isOutputFull = false
            case Z_OK, Z_BUF_ERROR: break  // Z_BUF_ERROR: no progress without more input, no error
            default: throw corrupt(result)
            }
        }
    }

    private mutating func endMember() throws(CompressionError) {
        memberCount += 1
        guard format == .gzip || format == .gzipOrZlib else {
            phase = .ended
            return
        }
        phase = .betweenMembers
        let result = inflateReset(stream)
        guard result == Z_OK else { throw corrupt(result) }
    }

    private func corrupt(_ result: Int32) -> CompressionError {
        if result == Z_MEM_ERROR { return CompressionError(.outOfMemory, "no memory to decompress") }
        guard result != Z_NEED_DICT else {
            return CompressionError(.corrupt, "compressed with a preset dictionary")
        }
        let text = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(result)"
        return CompressionError(.corrupt, text)
    }
}

extension Inflater {
    /// Decompresses data that is there as a whole.
    public static func inflate(
        _ bytes: borrowing RawSpan, _ format: Format, limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        var inflater = try Inflater(format, limitBytes: limitBytes)
        var output: [UInt8] = []
        try inflater.feed(bytes, into: &output)
        try inflater.finish()
        return output
    }

    public static func inflate(
        _ bytes: [UInt8], _ format: Format, limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        try inflate(bytes.span.bytes, format, limitBytes: limitBytes)
    }
}
