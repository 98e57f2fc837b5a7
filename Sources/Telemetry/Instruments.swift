import Synchronization
import Threads

/// A count that only rises. Any thread.
public final class Counter: Sendable {
    private let cell = Atomic<UInt64>(0)

    public init() {}

    public func add(_ count: Int) {
        assert(count >= 0, "a counter only rises")
        cell.add(UInt64(max(0, count)), ordering: .relaxed)
    }

    public var value: Int { Int(clamping: cell.load(ordering: .relaxed)) }
}

/// A value that rises and falls. Any thread.
public final class Gauge: Sendable {
    private let cell = Atomic<Int64>(0)

    public init() {}

    public func set(_ value: Int) { cell.store(Int64(value), ordering: .relaxed) }

    /// For gauges that several owners share: each adds its own changes.
    public func add(_ change: Int) { cell.add(Int64(change), ordering: .relaxed) }

    public var value: Int { Int(cell.load(ordering: .relaxed)) }
}

/// How long things took, in fixed buckets. Any thread.
public final class Histogram: Sendable {
    /// Upper bounds in seconds, ascending; the last bucket, +Inf, is not among them.
    public let bounds: [Double]
    private let buckets: [Counter]
    private let nanoseconds = Atomic<UInt64>(0)

    /// - Parameter bounds: Seconds, ascending.
    public init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds ascend")
        self.bounds = bounds
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// A negative duration counts as none.
    public func observe(_ duration: Duration) {
        let duration = max(.zero, duration)
        let seconds = duration.inSeconds
        buckets[bounds.firstIndex { seconds <= $0 } ?? bounds.count].add(1)
        nanoseconds.add(UInt64(duration.wholeNanoseconds), ordering: .relaxed)
    }

    /// Adds what one thread has gathered, and empties it.
    public func add(_ local: inout LocalHistogram) {
        precondition(local.bounds == bounds, "the same buckets")
        for (bucket, count) in zip(buckets, local.counts) where count > 0 { bucket.add(count) }
        nanoseconds.add(UInt64(local.nanoseconds), ordering: .relaxed)
        local.clear()
    }

    /// Observations at or below each bound; the last is all of them, so the count agrees with the buckets.
    var cumulative: [Int] {
        var sum = 0
        return buckets.map { bucket in
            sum += bucket.value
            return sum
        }
    }

    /// Seconds in all.
    var sum: Double { Double(nanoseconds.load(ordering: .relaxed)) / 1e9 }

    public var count: Int { cumulative.last ?? 0 }
}

/// Observations of one thread on their way into a `Histogram`: nothing shared is touched for each of them.
public struct LocalHistogram: Sendable {
    let bounds: [Double]
    fileprivate(set) var counts: [Int]
    fileprivate(set) var nanoseconds = 0

    public init(like histogram: Histogram) {
        bounds = histogram.bounds
        counts = Array(repeating: 0, count: histogram.bounds.count + 1)
    }

    /// - Parameter count: How many of that duration; a negative duration counts as none.
    public mutating func observe(nanoseconds duration: Int, count: Int = 1) {
        let duration = max(0, duration)
        let seconds = Double(duration) / 1e9
        var bucket = 0
        while bucket < bounds.count, seconds > bounds[bucket] { bucket += 1 }
        counts[bucket] += count
        let (sum, overflow) = duration.multipliedReportingOverflow(by: count)
        nanoseconds &+= overflow ? 0 : sum
    }

    fileprivate mutating func clear() {
        for bucket in counts.indices { counts[bucket] = 0 }
        nanoseconds = 0
    }
}

/// A label whose values are known: all series are there at zero from the start.
public protocol MetricLabel: CaseIterable, Hashable, RawRepresentable, Sendable where RawValue == String {}

/// Instruments of one metric, one for each value of a label.
public struct Labelled<Label: MetricLabel, Instrument: Sendable>: Sendable {
    private let instruments: [Label: Instrument]

    init(_ make: () -> Instrument) {
        instruments = Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, make()) })
    }

    public subscript(label: Label) -> Instrument { instruments[label]! }
}

/// Instruments of one metric, one for each pair of values of two labels.
public struct LabelledTwice<First: MetricLabel, Second: MetricLabel, Instrument: Sendable>: Sendable {
    private let instruments: [First: [Second: Instrument]]

    init(_ make: () -> Instrument) {
        instruments = Dictionary(
            uniqueKeysWithValues: First.allCases.map { first in
                (first, Dictionary(uniqueKeysWithValues: Second.allCases.map { ($0, make()) }))
            })
    }

    public subscript(first: First, second: Second) -> Instrument { instruments[first]![second]! }
}

/// Counters of one metric whose first label has values that come with the configuration, such as a policy's name.
public final class NamedCounters<Second: MetricLabel>: Sendable {
    /// More names share the name `other`.
    public static var maxNames: Int { 1000 }

    private let counters = Lock<[String: [Second: Counter]]>([:])

    init() {}

    /// The counter; all of a name's series appear together, at zero, with the first call. Keep it: this takes a lock.
    public func counter(_ name: String, _ second: Second) -> Counter {
        counters.withLock { counters in
            let key = counters[name] != nil || counters.count < Self.maxNames ? name : "other"
            if let counter = counters[key]?[second] { return counter }
            let made = Dictionary(uniqueKeysWithValues: Second.allCases.map { ($0, Counter()) })
            counters[key] = made
            return made[second]!
        }
    }

    /// Makes the series of a name appear.
    public func declare(_ name: String) {
        guard let second = Second.allCases.first else { return }
        _ = counter(name, second)
    }

    /// Removes the series of a name; counters that somebody still holds count on unseen.
    public func remove(_ name: String) {
        counters.withLock { $0[name] = nil }
    }

    var all: [(name: String, second: Second, counter: Counter)] {
        counters.withLock { counters in
            counters.sorted { $0.key < $1.key }.flatMap { name, series in
                Second.allCases.map { (name, $0, series[$0]!) }
            }
        }
    }
}

/// Counters of one metric whose only label has values that come and go, such as a rule's id.
public final class CountersByName: Sendable {
    /// More names share the name `other`.
    public static let maxNames = 1000

    private let counters = Lock<[String: Counter]>([:])

    init() {}

    /// The counter; it appears, at zero, with the first call. Takes a lock.
    public func counter(_ name: String) -> Counter {
        counters.withLock { counters in
            let key = counters[name] != nil || counters.count < Self.maxNames ? name : "other"
            if let counter = counters[key] { return counter }
            let made = Counter()
            counters[key] = made
            return made
        }
    }

    /// Makes the series of a name appear.
    public func declare(_ name: String) { _ = counter(name) }

    /// Removes the series of a name.
    public func remove(_ name: String) { counters.withLock { $0[name] = nil } }

    var all: [(name: String, counter: Counter)] {
        counters.withLock { counters in counters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }
}
