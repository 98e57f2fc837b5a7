internal import TraceModel

/// FNV-1a, 64 bits: the hash of the Collector's probabilistic policy.
///
/// Source: Fowler, Noll, Vo, draft-eastlake-fnv, section 2 and 5.
struct FNV1a {
    var state: UInt64

    static let offsetBasis: UInt64 = 0xCBF2_9CE4_8422_2325
    static let prime: UInt64 = 0x0000_0100_0000_01B3

    init(state: UInt64 = Self.offsetBasis) {
        self.state = state
    }

    func adding(_ byte: UInt8) -> FNV1a {
        FNV1a(state: (state ^ UInt64(byte)) &* Self.prime)
    }

    func adding(_ text: String) -> FNV1a {
        text.utf8.reduce(self) { $0.adding($1) }
    }

    /// The sixteen bytes of the id, in the order they are sent.
    func adding(_ id: TraceID) -> FNV1a {
        adding(bigEndian: id.high).adding(bigEndian: id.low)
    }

    private func adding(bigEndian word: UInt64) -> FNV1a {
        var hash = self
        var shift: UInt64 = 64
        while shift > 0 {
            shift -= 8
            hash = hash.adding(UInt8(truncatingIfNeeded: word >> shift))
        }
        return hash
    }
}
