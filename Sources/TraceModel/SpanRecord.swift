/// A range of bytes inside one message, or inside the arena of one kept trace.
///
/// Messages are at most 2 GiB (protobuf's own limit), so 32 bits do.
public struct ByteRange: Hashable, Sendable {
    public var offset: UInt32
    public var count: UInt32

    @inlinable
    public init(offset: UInt32, count: UInt32) {
        self.offset = offset
        self.count = count
    }

    /// Absent: no such field in the message.
    @inlinable
    public static var none: ByteRange { ByteRange(offset: 0, count: 0) }

    @inlinable
    public var isEmpty: Bool { count == 0 }

    @inlinable
    public var lowerBound: Int { Int(offset) }

    @inlinable
    public var upperBound: Int { Int(offset) + Int(count) }
}

/// What the pipeline needs to know of one span, in a fixed layout, made by scanning raw bytes.
///
/// The ranges point into the message; a range at or above the message's length points into
/// `SpanBatch.merged`, where the pieces of a field that the sender split are put together.
public struct SpanRecord: Sendable {
    public var traceID: TraceID
    public var spanID: SpanID
    public var parentSpanID: SpanID
    /// Nanoseconds since 1970, as sent.
    public var startTimeUnixNano: UInt64
    /// Nanoseconds since 1970, as sent; may lie before the start.
    public var endTimeUnixNano: UInt64
    /// One bit for each matcher of the program that this span satisfies.
    public var matches: UInt64
    /// The first force rule, in the order of their ranks, that this span satisfies, or `SpanRecord.noForceRule`.
    public var forceRule: UInt16
    /// `ot=rv` of the span's trace state (56 bits), or `SpanRecord.noRandomness`.
    public var randomness: UInt64
    /// The body of `ScopeSpans.spans`.
    public var span: ByteRange
    /// The body of `ResourceSpans.resource`; empty when absent.
    public var resource: ByteRange
    /// The body of `ScopeSpans.scope`; empty when absent.
    public var scope: ByteRange
    /// `ResourceSpans.schema_url`, UTF-8.
    public var resourceSchemaURL: ByteRange
    /// `ScopeSpans.schema_url`, UTF-8.
    public var scopeSchemaURL: ByteRange
    /// Position of the span in its message, in wire order, rejected spans counted too.
    public var index: UInt32
    /// `Span.flags`.
    public var flags: UInt32
    /// OTLP status code 0 unset, 1 ok, 2 error; other values are clamped to 255.
    public var statusCode: UInt8
    /// OTLP span kind 0…5; other values are clamped to 255.
    public var kind: UInt8
    /// Where the span goes; the pipeline's passes over a batch fill it in.
    public var route: Route

    /// What becomes of a span of a scanned message.
    public enum Route: UInt8, Sendable {
        /// Belongs to an undecided or a new trace.
        case buffer
        /// Its trace was decided and is kept: a row of its own follows.
        case lateKept
        /// Its trace was decided and is not kept.
        case lateDropped
        /// Already in the table, or settled before the restart: nothing to do.
        case settled
    }

    /// Value of `randomness` when the span carries no `ot=rv`.
    public static let noRandomness: UInt64 = .max
    /// Value of `forceRule` when the span satisfies none.
    public static let noForceRule: UInt16 = .max

    public init(traceID: TraceID, spanID: SpanID) {
        self.traceID = traceID
        self.spanID = spanID
        parentSpanID = SpanID(0)
        startTimeUnixNano = 0
        endTimeUnixNano = 0
        matches = 0
        forceRule = Self.noForceRule
        randomness = Self.noRandomness
        span = .none
        resource = .none
        scope = .none
        resourceSchemaURL = .none
        scopeSchemaURL = .none
        index = 0
        flags = 0
        statusCode = 0
        kind = 0
        route = .buffer
    }

    /// A span without a parent opens its trace.
    @inlinable
    public var isRoot: Bool { !parentSpanID.isValid }
}

/// Room in which a scan works out which force rules hold; its contents mean nothing between scans.
public struct MatcherScratch: Sendable {
    /// One bit for each term of the rules.
    public var termBits: [UInt64] = []
    /// One bit for each rule.
    public var ruleBits: [UInt64] = []
    public var terms: [UInt16] = []
    public var rules: [UInt16] = []

    public init() {}
}

/// The spans of one message, scanned. Reused from message to message: it allocates only while it grows.
public struct SpanBatch: Sendable {
    public var records: [SpanRecord]
    /// Bytes of fields that the sender split over several occurrences, concatenated; addressed behind the message.
    public var merged: [UInt8]
    /// Spans of the message that have no usable trace id or span id (absent, wrong length, all zero).
    public var rejectedCount: Int
    /// Of a scan that matches force rules.
    public var scratch = MatcherScratch()

    public init(capacity: Int = 1024) {
        records = []
        records.reserveCapacity(capacity)
        merged = []
        rejectedCount = 0
    }

    public mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        merged.removeAll(keepingCapacity: true)
        rejectedCount = 0
    }
}
