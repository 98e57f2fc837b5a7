internal import Compression

/// Metadata files may be gzip-compressed: `<n>-<uuid>.gz.metadata.json`.
enum MetadataCompression {
    /// Tells compressed files by their first two bytes, because their names are not to be trusted.
    static func decompress(_ bytes: [UInt8], limitBytes: Int) throws(TableFormatError) -> [UInt8] {
        guard bytes.starts(with: [0x1F, 0x8B]) else { return bytes }
        do {
            return try Inflater.inflate(bytes, .gzip, limitBytes: limitBytes)
        } catch {
            throw TableFormatError("table metadata: \(error.message)")
        }
    }
}
