import Iceberg
import Parquet

// What a published file's footer says, as the manifest entry wants it.
extension DataFile {
    /// Characters of a text bound; Iceberg's own default.
    static let boundCharacters = 16

    /// Takes over sizes, counts and bounds.
    ///
    /// - Parameters:
    ///   - leaves: Of the flat columns, by field id; repeated ones get their size only.
    mutating func take(_ summary: ParquetSummary, flat leaves: [Int32: ParquetType]) {
        splitOffsets = summary.rowGroupOffsets
        for column in summary.columns {
            guard let id = column.fieldID else { continue }
            columnSizes[id] = column.compressedBytes
            guard let type = leaves[id] else { continue }
            valueCounts[id] = column.valueCount
            nullValueCounts[id] = column.nullCount
            guard let bounds = column.bounds else { continue }
            // Numbers: Parquet's plain encoding is Iceberg's single-value serialization, little endian.
            guard type == .text else {
                lowerBounds[id] = bounds.minimum
                upperBounds[id] = bounds.maximum
                continue
            }
            lowerBounds[id] = TextBound.lower(bounds.minimum, characters: Self.boundCharacters)
            upperBounds[id] = TextBound.upper(bounds.maximum, characters: Self.boundCharacters)
        }
    }
}

/// Bounds of texts, cut at a number of characters (Unicode scalars).
///
/// Source: Apache Iceberg table specification, "Bound Serialization"; `truncate` in "Appendix B".
enum TextBound {
    /// The first characters: not above the value.
    static func lower(_ value: [UInt8], characters: Int) -> [UInt8] {
        let text = String(decoding: value, as: UTF8.self)
        return Array(String(String.UnicodeScalarView(text.unicodeScalars.prefix(characters))).utf8)
    }

    /// The value when it is short, else the smallest text of at most that many characters above all that begin like
    /// it: the last character that can be raised is raised and the rest cut. Nil when there is none.
    static func upper(_ value: [UInt8], characters: Int) -> [UInt8]? {
        let text = String(decoding: value, as: UTF8.self)
        var scalars = Array(text.unicodeScalars.prefix(characters))
        guard text.unicodeScalars.count > scalars.count else { return value }
        while let last = scalars.popLast() {
            guard let raised = successor(of: last) else { continue }
            scalars.append(raised)
            return Array(String(String.UnicodeScalarView(scalars)).utf8)
        }
        return nil
    }

    /// The next Unicode scalar: surrogates are none.
    private static func successor(of scalar: Unicode.Scalar) -> Unicode.Scalar? {
        scalar.value == 0xD7FF ? "\u{E000}" : Unicode.Scalar(scalar.value + 1)
    }
}
