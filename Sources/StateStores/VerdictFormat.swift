import CSystem
import Pipeline
import TraceModel

/// One verdict, 24 bytes, little endian:
///
///      0  8  trace id, high half
///      8  8  trace id, low half
///     16  5  tick of T(p), 40 bits: until the year 5454
///     21  1  verdict, bits 0 … 3; reason, bits 4 … 7
///     22  2  lower half of the CRC-32C of: the 22 bytes before
///
/// Records have one size and a checksum each: a torn or rotten one costs itself, not those behind it.
enum VerdictFormat {
    static let recordBytes = 24
    private static let tickMask: Int64 = (1 << 40) - 1
    /// So that a record of zeros is none.
    private static let checksumSeed: UInt32 = 0x7473_7301

    static func append(_ record: VerdictRecord, to bytes: inout [UInt8]) {
        let start = bytes.count
        put(record.traceID.high, 8, &bytes)
        put(record.traceID.low, 8, &bytes)
        put(UInt64(bitPattern: record.tick.value & tickMask), 5, &bytes)
        bytes.append(record.verdict.rawValue & 15 | record.reason.rawValue << 4)
        put(UInt64(checksum(bytes, start)), 2, &bytes)
    }

    /// Nil when the 24 bytes are not what was written.
    static func record(_ bytes: [UInt8], at start: Int) -> VerdictRecord? {
        guard start + recordBytes <= bytes.count, get(bytes, start + 22, 2) == UInt64(checksum(bytes, start)),
            let verdict = Verdict(rawValue: bytes[start + 21] & 15),
            let reason = Reason(rawValue: bytes[start + 21] >> 4)
        else { return nil }
        return VerdictRecord(
            traceID: TraceID(high: get(bytes, start, 8), low: get(bytes, start + 8, 8)),
            tick: StreamTick(Int64(get(bytes, start + 16, 5))), verdict: verdict, reason: reason)
    }

    private static func checksum(_ bytes: [UInt8], _ start: Int) -> UInt16 {
        precondition(start >= 0 && start + 22 <= bytes.count)
        // The pointer lives for this call; the array keeps the bytes alive.
        return bytes.withUnsafeBytes { buffer in
            UInt16(truncatingIfNeeded: tss_crc32c(checksumSeed, buffer.baseAddress! + start, 22))
        }
    }

    private static func put(_ word: UInt64, _ byteCount: Int, _ bytes: inout [UInt8]) {
        for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index))) }
    }

    private static func get(_ bytes: [UInt8], _ start: Int, _ byteCount: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<byteCount { word |= UInt64(bytes[start + index]) << UInt64(8 * index) }
        return word
    }
}
