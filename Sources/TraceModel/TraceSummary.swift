/// What is known of a buffered trace without reading its spans again: the slot of the trace index.
public struct TraceSummary: Sendable, Hashable {
    public var traceID: TraceID
    public var spanCount: UInt32
    /// Nanoseconds since 1970 of the earliest start.
    public var startTimeUnixNano: UInt64
    /// Nanoseconds since 1970 of the latest end.
    public var endTimeUnixNano: UInt64
    /// Matcher bits of all spans, or-ed.
    public var matches: UInt64
    /// The first force rule, in the order of their ranks, that a span satisfies, or `SpanRecord.noForceRule`.
    public var forceRule: UInt16
    /// Bit n is set when a span has status code n (0 unset, 1 ok, 2 error).
    public var statusCodes: UInt8
    /// Whether a span without a parent has arrived.
    public var hasRoot: Bool
    /// Whether a span has the W3C sampled flag (`flags & 1`).
    public var isFlaggedSampled: Bool
    /// The smallest `ot=rv` of the spans (56 bits), or `SpanRecord.noRandomness`.
    public var explicitRandomness: UInt64
    /// Bytes of the spans' bodies, without resource and scope.
    public var spanBytes: UInt64
    /// Offset of the message that opened the trace, and of the last one that added to it.
    public var firstOffset: Int64
    public var lastOffset: Int64
    /// Arrival of the first and of the last span on the stream clock.
    public var firstTick: StreamTick
    public var lastTick: StreamTick

    public init(opening record: SpanRecord, offset: Int64, tick: StreamTick) {
        traceID = record.traceID
        spanCount = 0
        startTimeUnixNano = .max
        endTimeUnixNano = 0
        matches = 0
        forceRule = SpanRecord.noForceRule
        statusCodes = 0
        hasRoot = false
        isFlaggedSampled = false
        explicitRandomness = SpanRecord.noRandomness
        spanBytes = 0
        firstOffset = offset
        lastOffset = offset
        firstTick = tick
        lastTick = tick
        add(record, offset: offset, tick: tick)
    }

    public mutating func add(_ record: SpanRecord, offset: Int64, tick: StreamTick) {
        spanCount += 1
        startTimeUnixNano = min(startTimeUnixNano, record.startTimeUnixNano)
        endTimeUnixNano = max(endTimeUnixNano, record.endTimeUnixNano)
        matches |= record.matches
        forceRule = min(forceRule, record.forceRule)
        if record.statusCode < 8 { statusCodes |= 1 << record.statusCode }
        hasRoot = hasRoot || record.isRoot
        isFlaggedSampled = isFlaggedSampled || record.flags & 1 != 0
        explicitRandomness = min(explicitRandomness, record.randomness)
        spanBytes += UInt64(record.span.count)
        lastOffset = offset
        lastTick = tick
    }

    /// 56 bits: `ot=rv` when a span carries it, else those of the trace id.
    public var randomness: UInt64 {
        explicitRandomness == SpanRecord.noRandomness ? traceID.randomness : explicitRandomness
    }

    /// Latest end minus earliest start in whole milliseconds; negative when every end lies before every start.
    public var durationMilliseconds: Int64 {
        if endTimeUnixNano >= startTimeUnixNano {
            return Int64((endTimeUnixNano - startTimeUnixNano) / 1_000_000)
        }
        return -Int64((startTimeUnixNano - endTimeUnixNano) / 1_000_000)
    }
}

/// Why a trace was decided when it was.
public enum RipeCause: UInt8, Sendable, CaseIterable {
    /// No span for the inactivity time-out.
    case inactivity
    /// The root was seen and no span followed for the root time-out.
    case root
    /// The trace was as old as a trace may become.
    case duration
    /// The budget was full and nothing was ripe.
    case early
}
