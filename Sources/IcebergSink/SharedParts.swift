import OTLPWire
import Parquet
import TraceModel

/// The parts that many rows of a row group have in common, their resources or their scopes, found by their bytes: a
/// part is decoded and put into the columns once, then its values there are copied.
struct SharedParts<Part>: ~Copyable {
    private var index = BytesIndex()
    /// Nil until the part stands in the columns.
    private var parts: [Part?] = []
    /// Ranges of the arena at hand that were looked up last, the oldest is replaced: spans of one message share them.
    private var recent: [(range: ByteRange, number: Int)] = []
    private var oldest = 0

    private static var recentLimit: Int { 8 }

    /// Another arena: ranges are of other bytes.
    mutating func forgetRanges() {
        recent.removeAll(keepingCapacity: true)
        oldest = 0
    }

    mutating func number(of range: ByteRange, in source: borrowing Span<UInt8>) -> Int {
        for known in recent where known.range == range { return known.number }
        let number = index.number(of: source.bytes, from: range.lowerBound, to: range.upperBound)
        if number == parts.count { parts.append(nil) }
        if recent.count < Self.recentLimit {
            recent.append((range, number))
        } else {
            recent[oldest] = (range, number)
            oldest = (oldest + 1) % Self.recentLimit
        }
        return number
    }

    subscript(number: Int) -> Part? {
        get { parts[number] }
        set { parts[number] = newValue }
    }

    /// Another row group: nothing stands in the columns.
    mutating func removeAll() {
        index.removeAll()
        parts.removeAll(keepingCapacity: true)
        forgetRanges()
    }
}

/// Where a resource stands in the columns.
struct ResourcePart {
    var from: AttributeColumns.Counts
    var to: AttributeColumns.Counts
    /// Of the text in the column `service_name`.
    var serviceName: Int32
    var droppedCount: Int64
    var defects: RowDefects
}

/// Where a scope stands in the columns.
struct ScopePart {
    var from: AttributeColumns.Counts
    var to: AttributeColumns.Counts
    /// Of the text in the column; nil for null.
    var name: Int32?
    var version: Int32?
    var droppedCount: Int64
    var defects: RowDefects
}
