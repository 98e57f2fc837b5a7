import OTLPWire
import Pipeline
import TraceModel

/// What is the same in all rows of a sampled trace, ready to be appended.
struct SampledRow {
    let traceID: TraceID
    let partition: Int32
    /// UTF-8.
    let reason: [UInt8]
    /// UTF-8.
    let policy: [UInt8]
    let adjustedCount: Double
    let decidedAtMicroseconds: Int64

    /// Of a trace about which nothing is known yet.
    init(_ trace: KeptTrace) {
        traceID = trace.traceID
        partition = trace.partition
        reason = []
        policy = []
        adjustedCount = 0
        decidedAtMicroseconds = 0
    }

    init(_ sampled: SampledTrace) {
        traceID = sampled.trace.traceID
        partition = sampled.trace.partition
        reason = Array(sampled.decision.reason.description.utf8)
        policy = Array(sampled.decision.policy.utf8)
        adjustedCount = sampled.decision.adjustedCount
        decidedAtMicroseconds = sampled.decidedAtMilliseconds.multipliedClamped(by: 1000)
    }
}

/// A span, and its resource and scope when they are asked for, decoded.
struct SpanView: ~Copyable {
    private(set) var span = SpanContents()
    private(set) var resource = ResourceContents()
    private(set) var scope = ScopeContents()
    /// Text of the resource's first `service.name`; empty when it has none.
    private(set) var serviceName = ByteRange.none

    /// All but the span's own attributes, which the columns know better.
    ///
    /// - Returns: Whether all of it could be read.
    mutating func decode(
        _ kept: KeptSpan, withResource: Bool, withScope: Bool, in source: borrowing Span<UInt8>
    ) -> Bool {
        do {
            try span.decode(kept.span, in: source.bytes, leavesAttributes: true)
            if withResource {
                try resource.decode(kept.resource, in: source.bytes)
                serviceName = Self.serviceName(resource.tape.nodes, in: source)
            }
            if withScope { try scope.decode(kept.scope, in: source.bytes) }
            return true
        } catch {
            return false
        }
    }

    private static let serviceNameKey = Array("service.name".utf8)

    private static func serviceName(
        _ nodes: [AttributeNode], in source: borrowing Span<UInt8>
    ) -> ByteRange {
        var next = 0
        while next < nodes.count {
            let node = nodes[next]
            if node.key.count == serviceNameKey.count, source.array(node.key) == serviceNameKey {
                return node.kind == .string ? node.content : .none
            }
            next = Int(node.next)
        }
        return .none
    }
}

extension Int64 {
    func multipliedClamped(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? (self < 0 ? .min : .max) : product
    }
}

/// A span as it was sent: an OTLP `TracesData` with it alone, which any OpenTelemetry tool reads.
enum OriginalMessage {
    static func bytes(of span: KeptSpan, in source: borrowing Span<UInt8>) -> [UInt8] {
        var scopeSpans: [UInt8] = []
        if !span.scope.isEmpty { append(1, source.array(span.scope), to: &scopeSpans) }
        append(2, source.array(span.span), to: &scopeSpans)
        if !span.scopeSchemaURL.isEmpty { append(3, source.array(span.scopeSchemaURL), to: &scopeSpans) }
        var resourceSpans: [UInt8] = []
        if !span.resource.isEmpty { append(1, source.array(span.resource), to: &resourceSpans) }
        append(2, scopeSpans, to: &resourceSpans)
        if !span.resourceSchemaURL.isEmpty {
            append(3, source.array(span.resourceSchemaURL), to: &resourceSpans)
        }
        var message: [UInt8] = []
        append(1, resourceSpans, to: &message)
        return message
    }

    /// One length-delimited field; numbers below 16 only.
    private static func append(_ number: UInt8, _ body: [UInt8], to message: inout [UInt8]) {
        message.append(number << 3 | 2)
        var count = body.count
        while count >= 0x80 {
            message.append(UInt8(count & 0x7F) | 0x80)
            count >>= 7
        }
        message.append(UInt8(count))
        message += body
    }
}
