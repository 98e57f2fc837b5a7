/// A moment on a partition's own clock, in ticks of 100 ms since 1970.
///
/// The stream clock is made from the records' timestamps (Documentation/Positions.md, "Clock"); it is
/// not the wall clock, and never goes back.
public struct StreamTick: Hashable, Comparable, Sendable {
    public var value: Int64

    public static let millisecondsPerTick: Int64 = 100

    @inlinable
    public init(_ value: Int64) {
        self.value = value
    }

    /// Rounds down: a tick begins at its first millisecond.
    @inlinable
    public init(milliseconds: Int64) {
        let quotient = milliseconds / Self.millisecondsPerTick
        value = milliseconds % Self.millisecondsPerTick < 0 ? quotient - 1 : quotient
    }

    /// First millisecond of the tick, since 1970.
    @inlinable
    public var milliseconds: Int64 { value * Self.millisecondsPerTick }

    @inlinable
    public static func < (one: StreamTick, other: StreamTick) -> Bool { one.value < other.value }

    @inlinable
    public func advanced(by ticks: Int64) -> StreamTick { StreamTick(value + ticks) }
}
