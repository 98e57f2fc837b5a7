internal import JSON

/// Writes an object container file.
///
/// Source: Apache Avro 1.12 specification, "Object Container Files".
public struct AvroFileWriter {
    /// A block is closed when it is larger; readers hold one block in memory.
    static let blockBytes = 64 * 1024

    public let schema: AvroSchema
    private let codec: AvroCodec
    private let sync: [UInt8]
    private var file = AvroEncoder()
    private var block = AvroEncoder()
    private var count = 0

    /// - Parameters:
    ///   - metadata: Entries of the header besides schema and codec; written in the order of their keys.
    ///   - sync: 16 bytes that do not occur in the data by chance: random, or part of a random id.
    public init(
        schema: AvroSchema, metadata: [String: String] = [:], codec: AvroCodec = .deflate, sync: [UInt8]
    ) throws(AvroError) {
        precondition(sync.count == 16, "a sync marker has 16 bytes")
        self.schema = schema
        self.codec = codec
        self.sync = sync
        var entries = metadata.mapValues { Array($0.utf8) }
        do {
            entries["avro.schema"] = try schema.json.bytes()
        } catch {
            throw AvroError("schema: \(error)")
        }
        entries["avro.codec"] = Array(codec.rawValue.utf8)
        file.raw(AvroFileReader.magic)
        file.long(Int64(entries.count))
        for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
            file.string(key)
            file.bytes(value)
        }
        file.long(0)
        file.raw(sync)
    }

    /// Appends one object, which `write` encodes by the file's schema.
    public mutating func append(_ write: (inout AvroEncoder) throws(AvroError) -> Void) throws(AvroError) {
        try write(&block)
        count += 1
        if block.bytes.count >= Self.blockBytes { try closeBlock() }
    }

    public mutating func append(_ value: AvroValue) throws(AvroError) {
        let schema = schema
        try append { (encoder) throws(AvroError) in try encoder.value(value, as: schema) }
    }

    /// The whole file.
    public mutating func finish() throws(AvroError) -> [UInt8] {
        try closeBlock()
        return file.bytes
    }

    private mutating func closeBlock() throws(AvroError) {
        guard count > 0 else { return }
        file.long(Int64(count))
        file.bytes(try codec.compress(block.bytes))
        file.raw(sync)
        block = AvroEncoder()
        count = 0
    }
}
