/// Up to 256 terms that hold, one bit each.
struct TermSet: Hashable, Sendable {
    var words: SIMD4<UInt64> = .zero

    static let capacity = 256

    @inline(__always)
    static func | (one: TermSet, other: TermSet) -> TermSet {
        TermSet(words: one.words | other.words)
    }

    @inline(__always)
    static func & (one: TermSet, other: TermSet) -> TermSet {
        TermSet(words: one.words & other.words)
    }

    @inline(__always)
    mutating func formUnion(_ other: TermSet) {
        words |= other.words
    }

    mutating func insert(_ term: Int) {
        words[term >> 6] |= 1 << UInt64(term & 63)
    }

    func contains(_ term: Int) -> Bool {
        words[term >> 6] >> UInt64(term & 63) & 1 != 0
    }

    @inline(__always)
    var isEmpty: Bool { (words[0] | words[1] | words[2] | words[3]) == 0 }

    @inline(__always)
    func isSuperset(of other: TermSet) -> Bool { (words & other.words) == other.words }

    @inline(__always)
    func isDisjoint(with other: TermSet) -> Bool { (self & other).isEmpty }
}
