public import TraceModel

/// What a shard counted since it began; the metrics are made of it.
///
/// Within one life: `spansIngested` = sampled + dropped + buffered now, spans of the shadow region left out.
public struct ShardCounters: Sendable, Hashable {
    public var messages: UInt64 = 0
    public var messageBytes: UInt64 = 0
    /// Offered again below the read position.
    public var messagesRead: UInt64 = 0
    public var deadLetters: UInt64 = 0
    /// Traces opened in the buffer.
    public var tracesIngested: UInt64 = 0
    /// Spans accepted: buffered, or late.
    public var spansIngested: UInt64 = 0
    /// Spans without a usable id; the entrance told the sender.
    public var spansRejected: UInt64 = 0
    /// By `Reason.rawValue`.
    public var tracesSampled = [UInt64](repeating: 0, count: Reason.allCases.count)
    public var spansSampled = [UInt64](repeating: 0, count: Reason.allCases.count)
    public var tracesDropped = [UInt64](repeating: 0, count: Reason.allCases.count)
    public var spansDropped = [UInt64](repeating: 0, count: Reason.allCases.count)
    public var lateSpansKept: UInt64 = 0
    public var lateSpansDropped: UInt64 = 0
    /// Verdicts that left the memory for room before their time: their late spans are judged anew.
    public var verdictsForgotten: UInt64 = 0
    public var earlyDecisions: UInt64 = 0
    /// Spans between `resume` and `settled`: decided in an earlier life.
    public var shadowSpans: UInt64 = 0
    /// Rows that were not written because the table has them.
    public var presentSpans: UInt64 = 0
    /// Decision events that nobody took in time.
    public var decisionEventsDropped: UInt64 = 0
    /// Traces that were matched against newer rules on their own, before their segments were passed.
    public var tracesRematched: UInt64 = 0

    public init() {}

    mutating func sampled(_ reason: Reason, traces: Int, spans: Int) {
        tracesSampled[Int(reason.rawValue)] += UInt64(traces)
        spansSampled[Int(reason.rawValue)] += UInt64(spans)
    }

    mutating func dropped(_ reason: Reason, traces: Int, spans: Int) {
        tracesDropped[Int(reason.rawValue)] += UInt64(traces)
        spansDropped[Int(reason.rawValue)] += UInt64(spans)
    }
}

/// What a shard holds now.
public struct ShardGauges: Sendable, Hashable {
    public var bufferedTraces: Int
    public var bufferedSpans: Int
    /// Payload in memory.
    public var bufferBytes: Int
    /// Payload that was written out.
    public var writtenBytes: Int
    /// Kept traces that wait for their commit, the batch in flight included.
    public var keptTraces: Int
    public var keptBytes: Int
    public var rememberedVerdicts: Int
    public var memoryBytes: Int
    /// The next offset to read.
    public var next: Int64
    /// Buffered bytes that the newest rules have not seen.
    public var rematchBytes: Int
    /// Segments on their way to disk.
    public var segmentsInFlight: Int
    /// Kept traces whose bytes are being read.
    public var tracesReadBack: Int
    /// As the table has them.
    public var resume: Int64
    public var settled: Int64
    public var clock: StreamTick
    public var clockHealth: ClockHealth
}
