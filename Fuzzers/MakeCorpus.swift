import Compression
import Foundation
import OTLPWire
import ProtobufWriter
import TraceGenerator
import TraceModel

/// Writes the seeds that fuzzing starts from: `MakeCorpus DIRECTORY`, run by scripts/fuzz --corpus.
@main struct MakeCorpus {
    static func main() throws {
        let directory = URL(fileURLWithPath: CommandLine.arguments[1])
        try write(messages, to: directory.appendingPathComponent("otlp"))
        let text = Array("text that is text that is text".utf8)
        let seeds: [String: [UInt8]] = [
            "gzip": [0, 255] + (try Deflater.deflate(text, .gzip)),
            "gzip-members": [0, 5] + (try Deflater.deflate(text, .gzip)) + (try Deflater.deflate([], .gzip)),
            "zlib": [1, 3] + (try Deflater.deflate(text, .zlib)),
            "either": [2, 0] + (try Deflater.deflate(text, .zlib, level: 0)),
            "raw": [3, 9] + (try Deflater.deflate([UInt8](repeating: 7, count: 5000), .raw)),
            "zstd": [5, 0] + (try Zstd.compress(text)),
        ]
        try write(seeds, to: directory.appendingPathComponent("inflate"))
    }

    static func write(_ files: [String: [UInt8]], to directory: URL) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: directory.appendingPathComponent(name))
        }
    }

    static var messages: [String: [UInt8]] {
        var options = DemoTraceOptions(seed: 1, startUnixNano: 1_780_000_000_000_000_000)
        options.spanCount = 2
        let demo = DemoTraces(options)
        var scattered = ScatteredTraceOptions()
        scattered.traceCount = 3
        scattered.messageCount = 1
        return [
            "demo-error": demo.trace(at: 0).requestBytes,
            "demo-ok": demo.trace(at: 1).requestBytes,
            "late": demo.lateSpans(of: 1, count: 1).requestBytes,
            "scattered": ScatteredTraces(seed: 2, options: scattered).messages[0],
            "everything": everything, "pieces": pieces, "empty-span": [0x0A, 4, 0x12, 2, 0x12, 0],
        ]
    }

    /// A span with every field, and values of every kind.
    static var everything: [UInt8] {
        var span = GeneratedSpan(
            traceID: TraceID(high: 1, low: 2), spanID: SpanID(3), name: "operation",
            startTimeUnixNano: 1, endTimeUnixNano: 2)
        span.parentSpanID = SpanID(4)
        span.traceState = "a=b,ot=th:8;rv:0123456789abcd"
        span.attributes = [
            GeneratedAttribute("k", .array([.int(-1), .keyValueList([GeneratedAttribute("", .empty)])])),
            GeneratedAttribute("number", 5), GeneratedAttribute("late", .bool(true)),
            GeneratedAttribute("app.price", .double(0.5)), GeneratedAttribute("raw", .bytes([1, 2])),
            GeneratedAttribute("http.route", String(repeating: "/{id}", count: 30)),
        ]
        span.events = [GeneratedEvent(timeUnixNano: 1, name: "e", attributes: [GeneratedAttribute("a", 1)])]
        var link = GeneratedLink(traceID: TraceID(high: 5, low: 6), spanID: SpanID(7))
        link.attributes = [GeneratedAttribute("b", "c")]
        span.links = [link]
        span.statusCode = 2
        span.statusMessage = "m"
        span.droppedAttributesCount = 1
        span.droppedEventsCount = 2
        span.droppedLinksCount = 3
        return GeneratedRequest(
            resource: [GeneratedAttribute("service.name", "alpha")], scopeName: "s", scopeVersion: "v",
            spans: [span]
        ).encoded()
    }

    /// Resource and scope in two pieces and behind the spans, an unknown group, a split status.
    static var pieces: [UInt8] {
        var writer = MessageWriter()
        writer.message(1) { resourceSpans in
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(2) { span in
                    span.message(15) { $0.string(2, "m") }
                    span.bytes(2, SpanID(3).bytes)
                    span.bytes(1, TraceID(high: 1, low: 2).bytes)
                    span.message(15) { $0.int(3, 2) }
                    span.group(100) { $0.varint(1, 300) }
                }
                scopeSpans.message(1) { $0.string(1, "s") }
                scopeSpans.message(1) { $0.string(2, "v") }
                scopeSpans.string(3, "url")
            }
            resourceSpans.message(1) { $0.varint(2, 1) }
            resourceSpans.message(1) { $0.varint(2, 2) }
            resourceSpans.string(3, "url")
        }
        writer.varint(200, 1 << 40)
        return writer.bytes
    }
}
