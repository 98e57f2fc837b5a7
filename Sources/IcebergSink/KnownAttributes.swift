import OTLPWire
import Parquet
import TraceModel

/// Where the key and the value of an attribute stand in the columns.
struct KnownAttribute {
    var key: Int32
    /// Of the value's struct: text, integer or truth.
    var member: UInt8
    /// The number of a text, an integer, or 0 and 1.
    var value: Int64
}

/// Attributes that have come before in the row group, found by their bytes, key and value at once: most attributes of a
/// span have, and are then neither decoded nor looked up any further.
///
/// An attribute enters when its text comes for the second time, so that those which never come again stay out.
struct KnownAttributes: ~Copyable {
    /// More would fall out of the nearest caches.
    static let entryLimit = 8192
    static let byteLimit: UInt32 = 256
    /// Integers that are worth it: codes, ports, numbers of threads, but not sizes and times.
    static let usual: Range<Int64> = 0..<65_536

    private var index = BytesIndex()
    private var attributes: [KnownAttribute] = []

    @inline(__always)
    func find(_ body: ByteRange, in source: borrowing Span<UInt8>) -> Int? {
        guard body.count <= Self.byteLimit else { return nil }
        return index.find(source.bytes, from: body.lowerBound, to: body.upperBound)
    }

    mutating func add(_ body: ByteRange, in source: borrowing Span<UInt8>, _ attribute: KnownAttribute) {
        guard body.count <= Self.byteLimit, attributes.count < Self.entryLimit else { return }
        let number = index.number(of: source.bytes, from: body.lowerBound, to: body.upperBound)
        // Twice in one span: the first has it already.
        if number == attributes.count { attributes.append(attribute) }
    }

    subscript(number: Int) -> KnownAttribute { attributes[number] }

    mutating func removeAll() {
        index.removeAll()
        attributes.removeAll(keepingCapacity: true)
    }
}
