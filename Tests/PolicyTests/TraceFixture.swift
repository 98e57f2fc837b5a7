import Configuration
import TraceModel

@testable import Sampling

/// SplitMix64: the same numbers on every machine for a seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    mutating func traceID() -> TraceID { TraceID(high: next(), low: next()) }
}

extension TraceSummary {
    /// A trace of one second after 1970 with the given properties.
    static func fixture(
        id: TraceID = TraceID(high: 1, low: 2), spans: UInt32 = 1, milliseconds: Int64 = 10,
        statuses: [StatusCode.Code] = [.unset], isFlagged: Bool = false, randomness: UInt64? = nil,
        matches: UInt64 = 0
    ) -> TraceSummary {
        var record = SpanRecord(traceID: id, spanID: SpanID(1))
        record.startTimeUnixNano = 1_000_000_000
        record.endTimeUnixNano = UInt64(1_000_000_000 + milliseconds * 1_000_000)
        record.matches = matches
        record.flags = isFlagged ? 1 : 0
        record.randomness = randomness ?? SpanRecord.noRandomness
        var summary = TraceSummary(opening: record, offset: 0, tick: StreamTick(0))
        summary.spanCount = spans
        summary.statusCodes = statuses.reduce(0) { $0 | $1.bit }
        return summary
    }

    static func random(using generator: inout SeededGenerator) -> TraceSummary {
        let statuses = StatusCode.Code.allCases.filter { _ in Bool.random(using: &generator) }
        let hasRandomness = Bool.random(using: &generator)
        return fixture(
            id: generator.traceID(), spans: UInt32.random(in: 1...6, using: &generator),
            milliseconds: Int64.random(in: -2...8, using: &generator),
            statuses: statuses.isEmpty ? [.unset] : statuses, isFlagged: Bool.random(using: &generator),
            randomness: hasRandomness ? UInt64.random(in: 0..<Rate.randomnessEnd, using: &generator) : nil)
    }
}
