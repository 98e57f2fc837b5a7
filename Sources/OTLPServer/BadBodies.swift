internal import Telemetry
internal import Threads

/// The newest request bodies that could not be decoded, for somebody who wants to know what a sender sends.
///
/// Bounded: `limit` of them, the first `sampleBytes` of each.
public final class BadBodies: Sendable {
    public static let limit = 16
    public static let sampleBytes = 4096

    public struct Sample: Sendable {
        /// Wall clock, milliseconds since 1970.
        public var atMilliseconds: Int64
        public var peer: String
        /// What is wrong, and at which byte.
        public var message: String
        public var byteCount: Int
        /// The first bytes of the body.
        public var start: [UInt8]
    }

    private let samples = Lock<[Sample]>([])

    func keep(_ body: [UInt8], peer: String, message: String) {
        let sample = Sample(
            atMilliseconds: WallClock.milliseconds, peer: peer, message: message, byteCount: body.count,
            start: Array(body.prefix(Self.sampleBytes)))
        samples.withLock { samples in
            if samples.count == Self.limit { samples.removeFirst() }
            samples.append(sample)
        }
    }

    /// Oldest first.
    public var newest: [Sample] { samples.withLock { $0 } }
}
