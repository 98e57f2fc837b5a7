import Foundation
import TraceGenerator
import TraceModel

/// What a reader must see of a span, made from what the sender meant and not from bytes.
///
/// Values are tagged: `["int","5"]`, `["double","<bits>"]`, `["bytes","<hex>"]`, `["list",[…]]`,
/// `["map",[[key, value], …]]`.
enum ExpectedRows {
    struct Origin {
        var request: GeneratedRequest
        var offset: Int
        var serviceName: String
        var decidedAtMilliseconds: Int64
    }

    static func json(_ origins: [Origin]) throws -> Data {
        let rows = origins.flatMap { origin in
            origin.request.spans.enumerated().map { row($1, index: $0, origin) }
        }
        return try JSONSerialization.data(withJSONObject: rows, options: [.sortedKeys])
    }

    private static func row(_ span: GeneratedSpan, index: Int, _ origin: Origin) -> [String: Any] {
        let start = Int64(span.startTimeUnixNano)
        let end = Int64(span.endTimeUnixNano)
        return [
            "trace_id": hex(span.traceID.high) + hex(span.traceID.low), "span_id": hex(span.spanID.value),
            "parent_span_id": span.parentSpanID.isValid ? hex(span.parentSpanID.value) : NSNull(),
            "timestamp_ms": start / 1_000_000, "duration_ms": (end - start) / 1_000_000,
            "status_code": span.statusCode, "span_kind": span.kind, "service_name": origin.serviceName,
            "operation_name": span.name, "start_time": start / 1000, "start_time_unix_nano": start,
            "end_time_unix_nano": end, "status_message": orNull(span.statusMessage),
            "trace_state": orNull(span.traceState), "flags": Int64(span.flags),
            "attributes": set(span.attributes), "dropped_attributes_count": Int64(span.droppedAttributesCount),
            "events": span.events.map(event), "dropped_events_count": Int64(span.droppedEventsCount),
            "links": span.links.map(link), "dropped_links_count": Int64(span.droppedLinksCount),
            "resource_attributes": set(origin.request.resource), "resource_dropped_attributes_count": 0,
            "resource_schema_url": NSNull(), "scope_name": orNull(origin.request.scopeName),
            "scope_version": orNull(origin.request.scopeVersion), "scope_attributes": [String: Any](),
            "scope_dropped_attributes_count": 0, "scope_schema_url": NSNull(), "decision_reason": "latency",
            "decision_policy": "slow", "adjusted_count": ["double", hex((2.5).bitPattern)],
            "decided_at": origin.decidedAtMilliseconds * 1000, "source_topic": "otlp:readers",
            "source_generation": 3, "source_partition": 2, "source_offset": origin.offset,
            "source_index": index, "otlp_original": NSNull(), "otlp_original_cause": NSNull(),
        ]
    }

    private static func event(_ event: GeneratedEvent) -> [String: Any] {
        [
            "time_unix_nano": Int64(event.timeUnixNano), "name": event.name, "attributes": set(event.attributes),
            "dropped_attributes_count": Int64(event.droppedAttributesCount),
        ]
    }

    private static func link(_ link: GeneratedLink) -> [String: Any] {
        [
            "trace_id": hex(link.traceID.high) + hex(link.traceID.low), "span_id": hex(link.spanID.value),
            "trace_state": orNull(link.traceState), "attributes": set(link.attributes),
            "dropped_attributes_count": Int64(link.droppedAttributesCount), "flags": Int64(link.flags),
        ]
    }

    private static func set(_ attributes: [GeneratedAttribute]) -> [String: Any] {
        Dictionary(uniqueKeysWithValues: attributes.map { ($0.key, tagged($0.value)) })
    }

    private static func tagged(_ value: GeneratedValue) -> Any {
        switch value {
        case .empty: ["empty"]
        case .string(let text): ["text", text]
        case .bool(let truth): ["bool", truth ? "true" : "false"]
        case .int(let number): ["int", String(number)]
        case .double(let number): ["double", number.isNaN ? "nan" : hex(number.bitPattern)]
        case .bytes(let bytes): ["bytes", bytes.map { String(format: "%02x", $0) }.joined()]
        case .array(let values): ["list", values.map(tagged)] as [Any]
        case .keyValueList(let members): ["map", members.map { [$0.key, tagged($0.value)] as [Any] }] as [Any]
        }
    }

    private static func orNull(_ text: String) -> Any { text.isEmpty ? NSNull() : text }

    private static func hex(_ word: UInt64) -> String { String(format: "%016lx", word) }
}
