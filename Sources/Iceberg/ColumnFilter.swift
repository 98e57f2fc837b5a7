/// One condition on a column; several are joined by "and".
///
/// Filters only leave out files that surely hold no matching row. What cannot be judged leaves out nothing.
public struct ColumnFilter: Hashable, Sendable {
    public enum Test: Hashable, Sendable {
        case equal(Literal)
        case less(Literal)
        case lessOrEqual(Literal)
        case greater(Literal)
        case greaterOrEqual(Literal)
        case oneOf([Literal])
        /// A text that begins so.
        case startsWith(String)
        case isNull
        case isNotNull
    }

    /// Name of a top-level column.
    public var column: String
    public var test: Test

    public init(_ column: String, _ test: Test) {
        self.column = column
        self.test = test
    }
}

/// What is known of the values that a file or a manifest has in a column: an outer bound.
struct ValueRange {
    /// Nil: unknown.
    var lower: Literal?
    var upper: Literal?
    var mayHaveNull = true
    var mayHaveValue = true

    /// A single partition value.
    init(partition value: Literal?) {
        lower = value
        upper = value
        mayHaveNull = value == nil
        mayHaveValue = value != nil
    }

    init(lower: Literal?, upper: Literal?, mayHaveNull: Bool, mayHaveValue: Bool) {
        self.lower = lower
        self.upper = upper
        self.mayHaveNull = mayHaveNull
        self.mayHaveValue = mayHaveValue
    }

    /// From the statistics of a file.
    init(_ file: DataFile, column id: Int32, type: FieldType) {
        lower = file.lowerBounds[id].flatMap { Literal(bound: $0, type: type) }
        upper = file.upperBounds[id].flatMap { Literal(bound: $0, type: type) }
        // Bounds leave out not-a-number, which query engines sort above everything.
        if type == .float || type == .double { upper = nil }
        guard let nulls = file.nullValueCounts[id], let values = file.valueCounts[id] else { return }
        mayHaveNull = nulls > 0
        mayHaveValue = nulls < values
    }
}

extension ColumnFilter.Test {
    /// Whether some value within the range may pass.
    func mayMatch(_ range: ValueRange) -> Bool {
        switch self {
        case .isNull: range.mayHaveNull
        case .isNotNull: range.mayHaveValue
        case .equal(let value):
            range.mayHaveValue && Self.isAtMost(range.lower, value) && Self.isAtLeast(range.upper, value)
        case .lessOrEqual(let value): range.mayHaveValue && Self.isAtMost(range.lower, value)
        case .greaterOrEqual(let value): range.mayHaveValue && Self.isAtLeast(range.upper, value)
        case .less(let value): range.mayHaveValue && Self.isAtMost(range.lower, value, strictly: true)
        case .greater(let value): range.mayHaveValue && Self.isAtLeast(range.upper, value, strictly: true)
        case .oneOf(let values): values.contains { Self.equal($0).mayMatch(range) }
        case .startsWith(let prefix): range.mayHaveValue && Self.mayStart(range, with: Array(prefix.utf8))
        }
    }

    private static func isAtMost(_ lower: Literal?, _ value: Literal, strictly: Bool = false) -> Bool {
        guard let order = lower?.order(against: value) else { return true }
        return order < 0 || order == 0 && !(strictly && value.isExact)
    }

    private static func isAtLeast(_ upper: Literal?, _ value: Literal, strictly: Bool = false) -> Bool {
        guard let order = upper?.order(against: value) else { return true }
        return order > 0 || order == 0 && !(strictly && value.isExact)
    }

    private static func mayStart(_ range: ValueRange, with prefix: [UInt8]) -> Bool {
        let value = Literal.bytes(prefix)
        func head(_ bound: Literal?) -> Literal? {
            guard case .string(let text)? = bound else { return nil }
            return .bytes(Array(text.utf8.prefix(prefix.count)))
        }
        return isAtMost(head(range.lower), value) && isAtLeast(head(range.upper), value)
    }

    /// The test with its values as the column's type has them; nil when they have no place there.
    func converted(to type: FieldType) -> ColumnFilter.Test? {
        switch self {
        case .isNull, .isNotNull: return self
        case .startsWith: return type == .string ? self : nil
        case .equal(let value): return value.converted(to: type).map { .equal($0) }
        case .less(let value): return value.converted(to: type).map { .less($0) }
        case .lessOrEqual(let value): return value.converted(to: type).map { .lessOrEqual($0) }
        case .greater(let value): return value.converted(to: type).map { .greater($0) }
        case .greaterOrEqual(let value): return value.converted(to: type).map { .greaterOrEqual($0) }
        case .oneOf(let values):
            let converted = values.compactMap { $0.converted(to: type) }
            return converted.count == values.count ? .oneOf(converted) : nil
        }
    }

    /// The weaker test that the partition values of matching rows pass; nil when the transform says nothing.
    ///
    /// Days and hours keep the order of times, so each comparison becomes one with "or equal".
    func projected(through transform: Transform, sourceType: FieldType) -> ColumnFilter.Test? {
        switch (self, transform) {
        case (_, .identity), (.isNull, .day), (.isNull, .hour), (.isNotNull, .day), (.isNotNull, .hour): return self
        case (_, .day), (_, .hour): break
        default: return nil
        }
        func project(_ value: Literal) -> Literal? { value.projected(through: transform, sourceType: sourceType) }
        switch self {
        case .equal(let value): return project(value).map { .equal($0) }
        case .less(let value), .lessOrEqual(let value): return project(value).map { .lessOrEqual($0) }
        case .greater(let value), .greaterOrEqual(let value): return project(value).map { .greaterOrEqual($0) }
        case .oneOf(let values):
            let projected = values.compactMap(project)
            return projected.count == values.count ? .oneOf(projected) : nil
        default: return nil
        }
    }
}

extension Literal {
    /// Floating-point zeros have two signs that query engines tell apart and this order does not.
    var isExact: Bool {
        switch self {
        case .float, .double: false
        default: true
        }
    }

    /// The same value in the type of a column; nil when it cannot be represented exactly.
    func converted(to type: FieldType) -> Literal? {
        switch (self, type) {
        case (.boolean, .boolean), (.string, .string), (.bytes, .binary), (.bytes, .fixed), (.bytes, .uuid): self
        case (.int, .int), (.int, .date), (.long, .long), (.float, .float), (.double, .double): self
        case (.long, .time), (.long, .timestamp), (.long, .timestampTZ), (.long, .timestampNanoseconds),
            (.long, .timestampTZNanoseconds):
            self
        case (.int(let number), .long): .long(Int64(number))
        case (.long(let number), .int), (.long(let number), .date): Int32(exactly: number).map { .int($0) }
        case (.int(let number), .double): .double(Double(number))
        case (.long(let number), .double): Double(exactly: number).map { .double($0) }
        case (.double(let number), .long): Int64(exactly: number).map { .long($0) }
        case (.double(let number), .int): Int32(exactly: number).map { .int($0) }
        case (.float(let number), .double): .double(Double(number))
        case (.double(let number), .float): Float(exactly: number).map { .float($0) }
        default: nil
        }
    }

    /// Day or hour since 1970 of a date or time.
    func projected(through transform: Transform, sourceType: FieldType) -> Literal? {
        let unit: Int64
        switch (sourceType, transform) {
        case (.date, .day): return self
        case (.timestamp, .day), (.timestampTZ, .day): unit = 86_400_000_000
        case (.timestamp, .hour), (.timestampTZ, .hour): unit = 3_600_000_000
        case (.timestampNanoseconds, .day), (.timestampTZNanoseconds, .day): unit = 86_400_000_000_000
        case (.timestampNanoseconds, .hour), (.timestampTZNanoseconds, .hour): unit = 3_600_000_000_000
        default: return nil
        }
        guard case .long(let time) = self else { return nil }
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: unit)
        return Int32(exactly: remainder < 0 ? quotient - 1 : quotient).map { .int($0) }
    }
}
