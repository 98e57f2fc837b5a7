/// Several patterns that are asked of the same texts: one search tells whether any of them matches at all.
///
///     text ─▶ set ─ none ─▶ no
///                └─ some ─▶ one pattern after the other
///
/// Most texts match none, and one automaton for all costs hardly more than one for a single pattern. When the set as a
/// whole takes more than its memory, or runs out of it in a text, the patterns are asked one by one, which is correct
/// and slower; `exhaustedCount` tells. (RE2 makes room by forgetting states, so the latter is not known to happen.)
public struct PatternSet: Sendable {
    /// For the set as a whole, as much as for eight patterns: its states are those of all together.
    public static let memoryLimitBytes: Int64 = 16 << 20

    public let patterns: [Pattern]
    /// nil when there are fewer than two patterns, or the set is too large.
    let compiled: CompiledSet?

    public init(_ patterns: [Pattern], memoryLimitBytes: Int64 = Self.memoryLimitBytes) {
        self.patterns = patterns
        compiled = patterns.count < 2 ? nil : CompiledSet(patterns, memoryLimitBytes: memoryLimitBytes)
    }

    /// Whether one search serves all patterns; otherwise they are asked one by one.
    public var isCompiled: Bool { compiled != nil }

    /// Texts for which the memory of the set was not enough.
    public var exhaustedCount: UInt64 { compiled?.exhaustedCount ?? 0 }

    /// Whether some pattern may match in the bytes `start ..< end`; when false, none does.
    public func mayMatch(_ bytes: borrowing RawSpan, from start: Int, to end: Int) -> Bool {
        guard let compiled else { return true }
        return compiled.reference.mayMatch(bytes, from: start, to: end)
    }

    /// The places in `patterns` of those that match somewhere in the text.
    public func matches(_ text: String) -> [Int] {
        let bytes = Array(text.utf8)
        guard mayMatch(bytes.span.bytes, from: 0, to: bytes.count) else { return [] }
        return patterns.indices.filter { patterns[$0].matches(bytes.span.bytes, from: 0, to: bytes.count) }
    }

    /// For loops in which the set is known to live: no reference is counted. nil when there is no set to ask.
    public var reference: PatternSetReference? { compiled?.reference }
}
