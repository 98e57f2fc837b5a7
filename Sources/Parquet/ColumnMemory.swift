/// Flat memory that grows by doubling and keeps what it has when it is emptied.
///
/// Owned by one column and freed with it; no pointer into it outlives a call. Columns are filled from other modules,
/// value by value: what does that is inlinable.
@usableFromInline
struct ColumnMemory<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var count = 0
    @usableFromInline var capacity: Int

    init(capacity: Int) {
        self.capacity = max(capacity, 16)
        base = .allocate(capacity: self.capacity)
    }

    @inlinable
    deinit { base.deallocate() }

    @inlinable @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow(toHold: count + 1) }
        (base + count).initialize(to: element)
        count &+= 1
    }

    mutating func append(repeating element: Element, count added: Int) {
        reserve(added)
        (base + count).initialize(repeating: element, count: added)
        count += added
    }

    /// Appends elements that are there already once more.
    mutating func append(copyOf range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        reserve(range.count)
        (base + count).initialize(from: base + range.lowerBound, count: range.count)
        count += range.count
    }

    /// Room for `added` more elements; they are written through `base` and announced by `extend`.
    @inline(__always)
    mutating func reserve(_ added: Int) {
        if added > capacity &- count { grow(toHold: count + added) }
    }

    @inline(__always)
    mutating func extend(by added: Int) {
        precondition(added >= 0 && added <= capacity &- count)
        count &+= added
    }

    mutating func removeAll() { count = 0 }

    mutating func remove(behind kept: Int) {
        precondition(kept >= 0 && kept <= count)
        count = kept
    }

    @usableFromInline @inline(never)
    mutating func grow(toHold needed: Int) {
        let larger = max(capacity * 2, needed)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        moved.moveInitialize(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = larger
    }
}
