import Parquet
import TraceModel

// Texts of a span, by their place in the arena.
extension TextColumn {
    mutating func append(
        _ range: ByteRange, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if !append(text: source.bytes, from: range.lowerBound, to: range.upperBound) {
            defects.insert(.invalidUTF8)
        }
    }

    /// In OTLP an absent and an empty text are the same: null.
    mutating func appendUnlessEmpty(
        _ range: ByteRange, in source: borrowing Span<UInt8>, _ defects: inout RowDefects
    ) {
        if range.isEmpty { appendNull() } else { append(range, in: source, &defects) }
    }

    mutating func append(numberOrNull number: Int32?) {
        if let number { append(number: number) } else { appendNull() }
    }
}
