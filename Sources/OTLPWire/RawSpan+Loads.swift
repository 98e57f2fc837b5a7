import TraceModel

// Little-endian loads with bounds checks: RawSpan traps on an offset outside of its bytes, in
// release builds too, so no input can make a parser read what is not its own.
extension RawSpan {
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func word16(at offset: Int) -> UInt16 {
        UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    func word32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func word64(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether `count` bytes, a constant, lie at the offset: the bounds check of a load, as a question.
    @inline(__always)
    func holds(_ count: Int, at offset: Int) -> Bool {
        // Unsigned, so that a negative offset is out of bounds as well.
        byteCount >= count && UInt(bitPattern: offset) <= UInt(bitPattern: byteCount &- count)
    }

    /// Of a loop whose condition is or implies `holds(8, at: offset)`: checking the bounds once more
    /// took 5 % of a scan.
    @inline(__always)
    func heldWord64(at offset: Int) -> UInt64 {
        assert(holds(8, at: offset), "the loop's condition")
        return UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }
}

extension ByteRange {
    /// A range whose bounds are known to fit; an absent and an empty field are the same.
    @inline(__always)
    init(from start: Int, to end: Int) {
        self.init(
            offset: start == end ? 0 : UInt32(truncatingIfNeeded: start),
            count: UInt32(truncatingIfNeeded: end &- start))
    }
}
