/// The 16-byte id that all spans of a trace share.
///
/// Source: OpenTelemetry trace.proto, `Span.trace_id`; W3C Trace Context Level 2.
public struct TraceID: Hashable, Comparable, Sendable {
    /// Bytes 0-7, big endian.
    public var high: UInt64
    /// Bytes 8-15, big endian.
    public var low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// All-zero ids are invalid by W3C Trace Context.
    @inlinable
    public var isValid: Bool { (high | low) != 0 }

    /// The 56 bits that OpenTelemetry's consistent sampling takes as randomness when `ot=rv` is absent.
    ///
    /// Source: OpenTelemetry, TraceState: Probability Sampling.
    @inlinable
    public var randomness: UInt64 { low & 0x00FF_FFFF_FFFF_FFFF }

    @inlinable
    public static func < (one: TraceID, other: TraceID) -> Bool {
        (one.high, one.low) < (other.high, other.low)
    }
}

/// The 8-byte id of a span; 0 stands for "no parent".
public struct SpanID: Hashable, Sendable {
    /// Big endian.
    public var value: UInt64

    @inlinable
    public init(_ value: UInt64) {
        self.value = value
    }

    @inlinable
    public var isValid: Bool { value != 0 }
}

extension TraceID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public var description: String { Hexadecimal.text(high) + Hexadecimal.text(low) }

    /// Reads exactly 32 hexadecimal digits of either case; nil for anything else.
    public init?(hexadecimal text: String) {
        guard let words = Hexadecimal.words(text), words.count == 2 else { return nil }
        self.init(high: words[0], low: words[1])
    }
}

extension SpanID: CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    public var description: String { Hexadecimal.text(value) }

    /// Reads exactly 16 hexadecimal digits of either case; nil for anything else.
    public init?(hexadecimal text: String) {
        guard let words = Hexadecimal.words(text), words.count == 1 else { return nil }
        self.init(words[0])
    }
}

/// Fixed-width hexadecimal text of 64-bit words.
public enum Hexadecimal {
    /// 16 lower-case digits.
    public static func text(_ word: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            write(word, into: buffer)
            return 16
        }
    }

    /// Big-endian words of a text whose length is a multiple of 16 digits; nil when a character is no digit.
    public static func words(_ text: String) -> [UInt64]? {
        let digits = Array(text.utf8)
        guard !digits.isEmpty, digits.count % 16 == 0 else { return nil }
        var words: [UInt64] = []
        var word: UInt64 = 0
        for (index, digit) in digits.enumerated() {
            guard let value = value(of: digit) else { return nil }
            word = word << 4 | UInt64(value)
            if index % 16 == 15 { words.append(word) }
        }
        return words
    }

    static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    static func write(_ word: UInt64, into buffer: UnsafeMutableBufferPointer<UInt8>) {
        for index in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: word >> (60 - 4 * UInt64(index))) & 0xF
            buffer[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
    }
}
