/// The files of the embedded log. Integers are little endian; offsets count records, positions count bytes.
///
/// Folder of one partition: `superblock`, and segments named by their number (16 digits, `.seg`).
///
///     superblock, 64 bytes                      segment header, 64 bytes
///      0  8  "TSSLOG", 0, 1                      0  8  "TSSSEG", 0, 1
///      8  4  format version                      8 16  log uuid
///     12  4  partition                          24  4  partition
///     16 16  log uuid                           28  4  0
///     32 16  key of the body hashes             32  8  number of this segment
///     48  8  made at, ms since 1970             40  8  number of the segment before it, or the same: none
///     56  4  0                                  48  8  end of the log before it: what older segments hold
///     60  4  CRC-32C of the 60 before                  at or above this offset was never answered
///                                               56  4  base offset − that end (not 0 after a failed sync)
///                                               60  4  CRC-32C of the 60 before
///
///     record, 48 bytes and its body
///      0  4  body length
///      4  4  CRC-32C of: segment id (8 bytes), bytes 0 ..< 4 and 8 ..< 48, body
///      8  8  offset
///     16  8  stamp, ms since 1970: the stamp before it + monotonic time elapsed since
///     24  8  synced through: every record below this offset was durable when this one was written
///     32 16  hash of the body
///
/// The segment id is the CRC-32C of the segment's header beside its number: a record that lay in a block of the
/// disk before the block came to this file does not pass for one of its own.
enum LogFormat {
    static let version: UInt32 = 1
    static let superblockName = "superblock"
    static let superblockBytes = 64
    static let segmentHeaderBytes = 64
    static let recordHeaderBytes = 48
    static let superblockMagic: UInt64 = 0x0100_474F_4C53_5354
    static let segmentMagic: UInt64 = 0x0100_4745_5353_5354

    static func segmentName(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 16 - digits.utf8.count)) + digits + ".seg"
    }

    /// Nil for a name that is none of ours.
    static func segmentNumber(_ name: String) -> UInt64? {
        guard name.hasSuffix(".seg"), name.utf8.count == 20 else { return nil }
        return UInt64(name.dropLast(4))
    }
}

/// 128 bits that name an embedded log for ever.
public struct LogUUID: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    /// Makes a version 4 UUID of random bits.
    public init(random: some Sequence<UInt64>) {
        var words = random.makeIterator()
        high = (words.next() ?? 0) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        low = (words.next() ?? 0) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 8-4-4-4-12 hexadecimal digits.
    public var description: String {
        let digits = Array(hexadecimal(high) + hexadecimal(low))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }

    private func hexadecimal(_ word: UInt64) -> String {
        let text = String(word, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}

/// What makes a log this log.
public struct LogSuperblock: Hashable, Sendable {
    public var partition: Int32
    public var uuid: LogUUID
    public var key: LogKey
    public var createdMilliseconds: Int64

    public init(partition: Int32, uuid: LogUUID, key: LogKey, createdMilliseconds: Int64) {
        self.partition = partition
        self.uuid = uuid
        self.key = key
        self.createdMilliseconds = createdMilliseconds
    }

    var bytes: [UInt8] {
        var bytes = LittleEndian.bytes(LogFormat.superblockMagic)
        bytes += LittleEndian.bytes(LogFormat.version)
        bytes += LittleEndian.bytes(UInt32(bitPattern: partition))
        bytes += LittleEndian.bytes(uuid.high) + LittleEndian.bytes(uuid.low)
        bytes += LittleEndian.bytes(key.low) + LittleEndian.bytes(key.high)
        bytes += LittleEndian.bytes(UInt64(bitPattern: createdMilliseconds))
        bytes += LittleEndian.bytes(UInt32(0))
        return bytes + LittleEndian.bytes(Checksum.crc32c(bytes, 0..<60))
    }

    /// Nil when the bytes are not a whole, undamaged superblock of this version.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == LogFormat.superblockBytes,
            LittleEndian.word64(bytes, 0) == LogFormat.superblockMagic,
            LittleEndian.word32(bytes, 8) == LogFormat.version,
            LittleEndian.word32(bytes, 60) == Checksum.crc32c(bytes, 0..<60)
        else { return nil }
        self.init(
            partition: Int32(bitPattern: LittleEndian.word32(bytes, 12)),
            uuid: LogUUID(high: LittleEndian.word64(bytes, 16), low: LittleEndian.word64(bytes, 24)),
            key: LogKey(low: LittleEndian.word64(bytes, 32), high: LittleEndian.word64(bytes, 40)),
            createdMilliseconds: Int64(bitPattern: LittleEndian.word64(bytes, 48)))
    }
}

/// The first 64 bytes of a segment.
struct SegmentHeader: Hashable, Sendable {
    var uuid: LogUUID
    var partition: Int32
    var number: UInt64
    /// Equal to `number` in the first segment of a log.
    var previousNumber: UInt64
    /// What older segments hold at or above this offset was never answered, and is dead.
    var previousEnd: Int64
    /// Offset of the first record.
    var base: Int64

    var bytes: [UInt8] {
        var bytes = LittleEndian.bytes(LogFormat.segmentMagic)
        bytes += LittleEndian.bytes(uuid.high) + LittleEndian.bytes(uuid.low)
        bytes += LittleEndian.bytes(UInt32(bitPattern: partition)) + LittleEndian.bytes(UInt32(0))
        bytes += LittleEndian.bytes(number) + LittleEndian.bytes(previousNumber)
        bytes += LittleEndian.bytes(UInt64(bitPattern: previousEnd))
        bytes += LittleEndian.bytes(UInt32(base - previousEnd))
        return bytes + LittleEndian.bytes(Checksum.crc32c(bytes, 0..<60))
    }

    /// What goes into the checksum of every record.
    var id: UInt64 { UInt64(Checksum.crc32c(bytes, 0..<60)) << 32 | number & 0xFFFF_FFFF }

    /// Nil when the bytes do not begin with a whole, undamaged header.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= LogFormat.segmentHeaderBytes,
            LittleEndian.word64(bytes, 0) == LogFormat.segmentMagic,
            LittleEndian.word32(bytes, 60) == Checksum.crc32c(bytes, 0..<60)
        else { return nil }
        uuid = LogUUID(high: LittleEndian.word64(bytes, 8), low: LittleEndian.word64(bytes, 16))
        partition = Int32(bitPattern: LittleEndian.word32(bytes, 24))
        number = LittleEndian.word64(bytes, 32)
        previousNumber = LittleEndian.word64(bytes, 40)
        previousEnd = Int64(bitPattern: LittleEndian.word64(bytes, 48))
        base = previousEnd + Int64(LittleEndian.word32(bytes, 56))
    }

    init(
        uuid: LogUUID, partition: Int32, number: UInt64, previousNumber: UInt64, previousEnd: Int64, base: Int64
    ) {
        self.uuid = uuid
        self.partition = partition
        self.number = number
        self.previousNumber = previousNumber
        self.previousEnd = previousEnd
        self.base = base
    }
}

/// The 48 bytes before a body.
struct RecordHeader: Hashable, Sendable {
    var bodyBytes: Int
    var offset: Int64
    var stampMilliseconds: Int64
    var syncedThrough: Int64
    var hash: BodyHash

    /// Appends header and body.
    ///
    /// - Returns: The record's checksum.
    @discardableResult
    func append(_ body: [UInt8], segment id: UInt64, to bytes: inout [UInt8]) -> UInt32 {
        let length = LittleEndian.bytes(UInt32(bodyBytes))
        var rest = LittleEndian.bytes(UInt64(bitPattern: offset))
        rest += LittleEndian.bytes(UInt64(bitPattern: stampMilliseconds))
        rest += LittleEndian.bytes(UInt64(bitPattern: syncedThrough))
        rest += LittleEndian.bytes(hash.low) + LittleEndian.bytes(hash.high)
        let before = LittleEndian.bytes(id) + length + rest
        let checksum = Checksum.crc32c(body, 0..<body.count, seed: Checksum.crc32c(before, 0..<before.count))
        bytes += length
        bytes += LittleEndian.bytes(checksum)
        bytes += rest
        bytes += body
        return checksum
    }

    /// Reads the header at a position; says nothing about whether it is true. Nil when it is cut off.
    init?(_ bytes: [UInt8], at position: Int) {
        guard position >= 0, bytes.count - position >= LogFormat.recordHeaderBytes else { return nil }
        bodyBytes = Int(LittleEndian.word32(bytes, position))
        offset = Int64(bitPattern: LittleEndian.word64(bytes, position + 8))
        stampMilliseconds = Int64(bitPattern: LittleEndian.word64(bytes, position + 16))
        syncedThrough = Int64(bitPattern: LittleEndian.word64(bytes, position + 24))
        hash = BodyHash(
            low: LittleEndian.word64(bytes, position + 32), high: LittleEndian.word64(bytes, position + 40))
    }

    init(bodyBytes: Int, offset: Int64, stampMilliseconds: Int64, syncedThrough: Int64, hash: BodyHash) {
        self.bodyBytes = bodyBytes
        self.offset = offset
        self.stampMilliseconds = stampMilliseconds
        self.syncedThrough = syncedThrough
        self.hash = hash
    }

    var byteCount: Int { LogFormat.recordHeaderBytes + bodyBytes }

    /// The checksum that stands in the record at the position, if it is the right one and the body is all there.
    static func verifiedChecksum(_ bytes: [UInt8], at position: Int, segment id: UInt64) -> UInt32? {
        guard let header = RecordHeader(bytes, at: position),
            bytes.count - position - LogFormat.recordHeaderBytes >= header.bodyBytes
        else { return nil }
        let stored = LittleEndian.word32(bytes, position + 4)
        let before = LittleEndian.bytes(id)
        var checksum = Checksum.crc32c(before, 0..<before.count)
        checksum = Checksum.crc32c(bytes, position..<position + 4, seed: checksum)
        checksum = Checksum.crc32c(bytes, position + 8..<position + header.byteCount, seed: checksum)
        return checksum == stored ? stored : nil
    }
}

/// Fixed-width integers in bytes.
enum LittleEndian {
    static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }

    static func bytes(_ word: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
    }

    static func word64(_ bytes: [UInt8], _ position: Int) -> UInt64 {
        UInt64(word32(bytes, position)) | UInt64(word32(bytes, position + 4)) << 32
    }

    static func word32(_ bytes: [UInt8], _ position: Int) -> UInt32 {
        UInt32(bytes[position]) | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2]) << 16
            | UInt32(bytes[position + 3]) << 24
    }
}
