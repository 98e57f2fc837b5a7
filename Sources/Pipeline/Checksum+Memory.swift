import CSystem

/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41), with the processor's own instruction where it has one.
enum Checksum {
    /// Of bytes that follow those whose checksum is `seed`.
    ///
    /// - Parameter range: Checked: it must lie within the bytes.
    static func crc32c(_ bytes: [UInt8], _ range: Range<Int>, seed: UInt32 = 0) -> UInt32 {
        precondition(0 <= range.lowerBound && range.upperBound <= bytes.count)
        // The pointer lives for this call; the array keeps the bytes alive.
        return bytes.withUnsafeBytes { buffer in
            guard !range.isEmpty, let base = buffer.baseAddress else { return seed }
            return tss_crc32c(seed, base + range.lowerBound, range.count)
        }
    }
}
