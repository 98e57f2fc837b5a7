/// How much an Avro file may ask of its reader.
public struct AvroLimits: Hashable, Sendable {
    /// Of one block, decompressed.
    public var blockBytes: Int
    /// Of all blocks together, decompressed.
    public var totalBytes: Int
    /// Objects in the file.
    public var objects: Int
    /// Elements of arrays and maps in one block: they can take no byte at all.
    public var elements: Int

    public init(
        blockBytes: Int = 128 << 20, totalBytes: Int = 1 << 30, objects: Int = 20_000_000, elements: Int = 100_000_000
    ) {
        self.blockBytes = blockBytes
        self.totalBytes = totalBytes
        self.objects = objects
        self.elements = elements
    }
}

/// Reads an object container file block by block.
///
///     ┌───────┬──────────────────────┬──────┬───────┬───────┬──────┬───────┬──────┬───
///     │ Obj 1 │ metadata: map<bytes> │ sync │ count │ bytes │ data │ sync  │ count│ …
///     └───────┴──────────────────────┴──────┴───────┴───────┴──────┴───────┴──────┴───
///      4 B     schema, codec, others  16 B   long    long           16 B
///
/// Source: Apache Avro 1.12 specification, "Object Container Files".
public struct AvroFileReader {
    /// Objects that follow one another.
    public struct Block {
        public var count: Int
        public var cursor: AvroCursor
    }

    static let magic: [UInt8] = [UInt8(ascii: "O"), UInt8(ascii: "b"), UInt8(ascii: "j"), 1]

    /// With which the objects were written.
    public let schema: AvroSchema
    /// All entries of the header, `avro.schema` and `avro.codec` among them.
    public let metadata: [String: [UInt8]]
    private let codec: AvroCodec
    private let sync: [UInt8]
    private let limits: AvroLimits
    private var cursor: AvroCursor
    private var totalBytes = 0
    private var objects = 0

    public init(_ bytes: [UInt8], limits: AvroLimits = AvroLimits()) throws(AvroError) {
        cursor = AvroCursor(bytes, elementLimit: 10_000)
        guard try cursor.fixed(4) == Self.magic else { throw AvroError("not an Avro object container file") }
        var metadata: [String: [UInt8]] = [:]
        try cursor.forEachElement { (cursor) throws(AvroError) in
            let key = try cursor.string()
            metadata[key] = try cursor.bytes()
        }
        sync = try cursor.fixed(16)
        guard let json = metadata["avro.schema"] else { throw AvroError("file without a schema") }
        schema = try AvroSchema(json: json)
        codec = try AvroCodec(name: metadata["avro.codec"])
        self.metadata = metadata
        self.limits = limits
    }

    /// The text of a header entry; nil when it is absent or not UTF-8.
    public func text(_ key: String) -> String? {
        metadata[key].flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The next block; nil at the end of the file.
    public mutating func nextBlock() throws(AvroError) -> Block? {
        guard !cursor.isAtEnd else { return nil }
        let count = try cursor.long()
        guard count >= 0, count <= Int64(limits.objects - objects) else {
            throw AvroError("block of \(count) objects: the file may hold \(limits.objects)")
        }
        objects += Int(count)
        let data = try cursor.bytes()
        guard try cursor.fixed(16) == sync else { throw AvroError("block does not end with the file's sync marker") }
        let limitBytes = min(limits.blockBytes, limits.totalBytes - totalBytes)
        let plain = try codec.decompress(data, limitBytes: limitBytes)
        totalBytes += plain.count
        return Block(count: Int(count), cursor: AvroCursor(plain, elementLimit: limits.elements))
    }

    /// Calls `body` once for each object with a cursor that stands before it; `body` must read exactly the object.
    public mutating func forEachObject(
        _ body: (inout AvroCursor) throws(AvroError) -> Void
    ) throws(AvroError) {
        while var block = try nextBlock() {
            for _ in 0..<block.count { try body(&block.cursor) }
            guard block.cursor.isAtEnd else { throw AvroError("block is longer than its objects") }
        }
    }

    /// All objects of the file.
    public mutating func values() throws(AvroError) -> [AvroValue] {
        var values: [AvroValue] = []
        let schema = schema
        try forEachObject { (cursor) throws(AvroError) in values.append(try cursor.value(schema)) }
        return values
    }
}
