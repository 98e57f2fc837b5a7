import Glibc

/// A moment of the clock that never goes back; comparable within one boot of the machine only.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Since some moment before the process started.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// `CLOCK_MONOTONIC`.
    public static var now: MonotonicInstant { MonotonicInstant(nanoseconds: read(CLOCK_MONOTONIC)) }

    public var milliseconds: Int64 { nanoseconds / 1_000_000 }

    public static func < (one: MonotonicInstant, other: MonotonicInstant) -> Bool {
        one.nanoseconds < other.nanoseconds
    }

    /// Saturates: a deadline centuries away is never, not a trap.
    public static func + (instant: MonotonicInstant, duration: Duration) -> MonotonicInstant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return MonotonicInstant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    public static func - (one: MonotonicInstant, other: MonotonicInstant) -> Duration {
        .nanoseconds(one.nanoseconds) - .nanoseconds(other.nanoseconds)
    }
}

/// The clock people read; it may jump.
public enum WallClock {
    /// Since 1970.
    public static var nanoseconds: Int64 { read(CLOCK_REALTIME) }
    /// Since 1970.
    public static var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

extension Duration {
    /// Whole nanoseconds, saturated at the ends of `Int64` (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, tooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        if tooLarge || overflow { return seconds < 0 ? .min : .max }
        return sum
    }

    /// Whole milliseconds, saturated at the ends of nanoseconds in `Int64`.
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }

    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
