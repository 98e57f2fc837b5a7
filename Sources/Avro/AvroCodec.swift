internal import Compression

/// How the blocks of a file are compressed.
public enum AvroCodec: String, Hashable, Sendable {
    case null
    /// Raw deflate, what pyiceberg and Java write by default.
    case deflate
    case zstandard

    init(name: [UInt8]?) throws(AvroError) {
        let name = name.map { String(decoding: $0, as: UTF8.self) } ?? AvroCodec.null.rawValue
        guard let codec = AvroCodec(rawValue: name) else { throw AvroError("codec \(name) is not supported") }
        self = codec
    }

    func decompress(_ bytes: [UInt8], limitBytes: Int) throws(AvroError) -> [UInt8] {
        guard self != .null else {
            guard bytes.count <= limitBytes else { throw AvroError("block exceeds \(limitBytes) bytes") }
            return bytes
        }
        do {
            return self == .deflate
                ? try Self.inflate(bytes, limitBytes: limitBytes)
                : try Zstd.decompress(bytes, limitBytes: limitBytes)
        } catch {
            throw AvroError("block: \(error.message)")
        }
    }

    /// Python's writers leave three bytes of a zlib checksum behind the raw deflate data: at most so many are ignored.
    private static let ignoredBytes = 3

    private static func inflate(_ bytes: [UInt8], limitBytes: Int) throws(CompressionError) -> [UInt8] {
        var inflater = try Inflater(.raw, limitBytes: limitBytes)
        var output: [UInt8] = []
        let certain = max(0, bytes.count - ignoredBytes)
        try inflater.feed(bytes.span.bytes.extracting(0..<certain), into: &output)
        for index in certain..<bytes.count where (try? inflater.finish()) == nil {
            try inflater.feed(bytes.span.bytes.extracting(index..<index + 1), into: &output)
        }
        try inflater.finish()
        return output
    }

    func compress(_ bytes: [UInt8]) throws(AvroError) -> [UInt8] {
        do {
            switch self {
            case .null: return bytes
            case .deflate: return try Deflater.deflate(bytes, .raw)
            case .zstandard: return try Zstd.compress(bytes)
            }
        } catch {
            throw AvroError("block: \(error.message)")
        }
    }
}
