/// 128 bits that stand for the body of a request, so that its repetition is recognized.
///
/// Keyed by the log's superblock, for senders are not trusted: with a hash that they can compute, somebody could
/// make two requests of which the log takes one and answers 200 to both. With a key that never leaves the
/// machine a collision is a matter of chance: 10⁶ requests remembered, 10⁻²⁶ for each new one.
public struct BodyHash: Hashable, Sendable {
    public var low: UInt64
    public var high: UInt64

    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}

/// SipHash-2-4 with 128 bits of output.
///
/// Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (2012); 128 bits as in the authors' reference
/// implementation. Chosen because it is a keyed function with a proof of nothing better known than guessing, 30
/// lines long, and fast enough: one word of 8 bytes costs two rounds of 14 operations.
struct SipHash128 {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    private init(key: LogKey) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        // The 0xee tells the 128-bit variant apart.
        v1 = key.high ^ 0x646f_7261_6e64_6f6d ^ 0xee
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    static func hash(_ bytes: borrowing RawSpan, key: LogKey) -> BodyHash {
        var state = SipHash128(key: key)
        let wholeBytes = bytes.byteCount & ~7
        var offset = 0
        while offset < wholeBytes {
            state.take(UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var last = UInt64(truncatingIfNeeded: bytes.byteCount) << 56
        while offset < bytes.byteCount {
            last |= UInt64(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) << UInt64(8 * (offset & 7))
            offset += 1
        }
        state.take(last)
        return state.finish()
    }

    private mutating func take(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func finish() -> BodyHash {
        v2 ^= 0xee
        for _ in 0..<4 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<4 { round() }
        return BodyHash(low: low, high: v0 ^ v1 ^ v2 ^ v3)
    }

    private mutating func round() {
        v0 &+= v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 &+= v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 &+= v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }
}

/// The secret of a log's body hashes.
public struct LogKey: Hashable, Sendable {
    public var low: UInt64
    public var high: UInt64

    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}
