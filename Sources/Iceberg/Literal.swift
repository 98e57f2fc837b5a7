/// One value of a primitive type: a partition value, a column bound, or the right side of a comparison.
public enum Literal: Hashable, Sendable {
    case boolean(Bool)
    /// int, date.
    case int(Int32)
    /// long, time, timestamps.
    case long(Int64)
    case float(Float)
    case double(Double)
    case string(String)
    /// binary, fixed, uuid (16 bytes), decimal (two's complement, big endian).
    case bytes([UInt8])
}

extension Literal {
    /// Reads a column bound; nil when the bytes are none of the type, or the type is not one that has bounds.
    ///
    /// A bound may have been written when the column was narrower (int before long, float before double).
    ///
    /// Source: Apache Iceberg table specification, "Appendix D: Single-value serialization".
    public init?(bound bytes: [UInt8], type: FieldType) {
        switch (type, bytes.count) {
        case (.boolean, 1): self = .boolean(bytes[0] != 0)
        case (.int, 4), (.date, 4): self = .int(Int32(truncatingIfNeeded: Self.littleEndian(bytes)))
        case (.long, 4):
            self = .long(Int64(Int32(truncatingIfNeeded: Self.littleEndian(bytes))))
        case (.long, 8), (.time, 8), (.timestamp, 8), (.timestampTZ, 8), (.timestampNanoseconds, 8),
            (.timestampTZNanoseconds, 8):
            self = .long(Int64(bitPattern: Self.littleEndian(bytes)))
        case (.float, 4): self = .float(Float(bitPattern: UInt32(truncatingIfNeeded: Self.littleEndian(bytes))))
        case (.double, 4):
            self = .double(Double(Float(bitPattern: UInt32(truncatingIfNeeded: Self.littleEndian(bytes)))))
        case (.double, 8): self = .double(Double(bitPattern: Self.littleEndian(bytes)))
        case (.string, _):
            guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
            self = .string(text)
        case (.uuid, 16), (.binary, _), (.fixed, _): self = .bytes(bytes)
        default: return nil
        }
    }

    /// The bytes of a column bound.
    public var bound: [UInt8] {
        switch self {
        case .boolean(let flag): [flag ? 1 : 0]
        case .int(let number): Self.littleEndian(UInt64(UInt32(bitPattern: number)), byteCount: 4)
        case .long(let number): Self.littleEndian(UInt64(bitPattern: number), byteCount: 8)
        case .float(let number): Self.littleEndian(UInt64(number.bitPattern), byteCount: 4)
        case .double(let number): Self.littleEndian(number.bitPattern, byteCount: 8)
        case .string(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        }
    }

    private static func littleEndian(_ bytes: [UInt8]) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func littleEndian(_ word: UInt64, byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
}

extension Literal {
    /// Negative, zero or positive as this is less than, equal to or greater than the other.
    ///
    /// Nil when they cannot be compared: different kinds, or not-a-number. Texts go by their UTF-8 bytes.
    public func order(against other: Literal) -> Int? {
        switch (self, other) {
        case (.boolean(let one), .boolean(let two)): Self.order(one ? 1 : 0, two ? 1 : 0)
        case (.int(let one), .int(let two)): Self.order(one, two)
        case (.long(let one), .long(let two)): Self.order(one, two)
        case (.float(let one), .float(let two)) where !one.isNaN && !two.isNaN: Self.order(one, two)
        case (.double(let one), .double(let two)) where !one.isNaN && !two.isNaN: Self.order(one, two)
        case (.string(let one), .string(let two)): Self.order(bytes: one.utf8, two.utf8)
        case (.bytes(let one), .bytes(let two)): Self.order(bytes: one, two)
        default: nil
        }
    }

    private static func order<Value: Comparable>(_ one: Value, _ two: Value) -> Int {
        one < two ? -1 : one == two ? 0 : 1
    }

    private static func order(bytes one: some Sequence<UInt8>, _ two: some Sequence<UInt8>) -> Int {
        var others = two.makeIterator()
        for byte in one {
            guard let other = others.next() else { return 1 }
            if byte != other { return byte < other ? -1 : 1 }
        }
        return others.next() == nil ? 0 : -1
    }
}
