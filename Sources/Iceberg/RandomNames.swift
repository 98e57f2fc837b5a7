/// Ids made of random words, which come from the caller: nothing here draws a random number.
public enum RandomNames {
    /// A version 4 UUID in its usual form.
    ///
    /// Source: RFC 9562, section 5.4.
    public static func uuid(_ words: (UInt64, UInt64)) -> String {
        let high = words.0 & ~0xF000 | 0x4000
        let low = words.1 & ~(0b11 << 62) | 0b10 << 62
        let digits = Array((hexadecimal(high) + hexadecimal(low)).utf8)
        var text: [UInt8] = []
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    public static func uuid(using generator: inout some RandomNumberGenerator) -> String {
        uuid((generator.next(), generator.next()))
    }

    /// A snapshot id: positive, because some engines take negative ones for "none".
    public static func snapshotID(_ word: UInt64) -> Int64 { max(1, Int64(word >> 1)) }

    private static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
