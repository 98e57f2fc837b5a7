/// The log's name for the place a span came from; with the partition, offset and index it is the row's identity.
public struct SourceID: Hashable, Sendable {
    /// `otlp:<log uuid>` or `kafka:<cluster id>/<topic>`; the column `source_topic`.
    public var topic: String
    /// Starts at 1 and rises when the topic turns out to be another one; the column `source_generation`.
    public var generation: Int64

    public init(topic: String, generation: Int64) {
        self.topic = topic
        self.generation = generation
    }

    /// The name in the table's property keys: a Kafka topic's generation belongs to it, an embedded log's uuid says
    /// it all.
    public var key: String { topic.hasPrefix("otlp:") ? topic : "\(topic)#\(generation)" }
}

/// One span of a kept trace: where it came from and where its bytes lie in the trace's arena.
public struct KeptSpan: Sendable {
    public var spanID: SpanID
    /// Offset of the message in its partition.
    public var offset: Int64
    /// Position in the message, wire order.
    public var index: UInt32
    /// The body of `ScopeSpans.spans`.
    public var span: ByteRange
    public var resource: ByteRange
    public var scope: ByteRange
    public var resourceSchemaURL: ByteRange
    public var scopeSchemaURL: ByteRange

    public init(
        spanID: SpanID, offset: Int64, index: UInt32, span: ByteRange, resource: ByteRange, scope: ByteRange,
        resourceSchemaURL: ByteRange, scopeSchemaURL: ByteRange
    ) {
        self.spanID = spanID
        self.offset = offset
        self.index = index
        self.span = span
        self.resource = resource
        self.scope = scope
        self.resourceSchemaURL = resourceSchemaURL
        self.scopeSchemaURL = scopeSchemaURL
    }
}

/// A trace, or late spans of one, that were decided to be kept: the unit that sinks take.
///
/// Ranges of its spans point into `arena`; spans of one message share the bytes of their resource and scope.
public struct KeptTrace: Sendable {
    public var traceID: TraceID
    public var partition: Int32
    public var arena: [UInt8]
    public var spans: [KeptSpan]

    public init(traceID: TraceID, partition: Int32, arena: [UInt8] = [], spans: [KeptSpan] = []) {
        self.traceID = traceID
        self.partition = partition
        self.arena = arena
        self.spans = spans
    }
}
