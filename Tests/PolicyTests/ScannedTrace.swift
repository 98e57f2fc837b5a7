import Configuration
import OTLPWire
import ProtobufWriter
import TraceModel

/// Makes spans with attributes as a sender would, and scans them as the product does.
enum ScannedTrace {
    /// Bits of the program that a trace gets whose spans have these attributes.
    ///
    /// - Parameter states: The trace state of each span, as far as given.
    ///
    /// The type follows from how a value is written: `5` int, `5.0` double, `true` bool, `"5"` string.
    static func matches(
        _ program: MatcherProgram, spans: [Node], resource: Node?, states: [String] = []
    ) throws -> UInt64 {
        var request = MessageWriter()
        try request.message(1) { resourceSpans throws in
            try resourceSpans.message(1) { message throws in
                for entry in try resource?.map() ?? [] { try attribute(entry, field: 1, in: &message) }
            }
            try resourceSpans.message(2) { scopeSpans throws in
                for (index, node) in spans.enumerated() {
                    try scopeSpans.message(2) { span throws in
                        span.bytes(1, Array(repeating: 7, count: 16))
                        span.bytes(2, Array(repeating: UInt8(index + 1), count: 8))
                        if index < states.count { span.string(3, states[index]) }
                        for entry in try node.map() { try attribute(entry, field: 9, in: &span) }
                    }
                }
            }
        }
        var batch = SpanBatch()
        try SpanScanner.scan(request.bytes.span.bytes, matching: program, into: &batch)
        return batch.records.reduce(0) { $0 | $1.matches }
    }

    private static func attribute(_ entry: Node.Entry, field: UInt32, in message: inout MessageWriter) throws {
        try message.message(field) { pair throws in
            pair.string(1, entry.key)
            try pair.message(2) { value throws in
                if let number = try? entry.value.integer() {
                    value.int(3, number)
                } else if let flag = try? entry.value.boolean() {
                    value.bool(2, flag)
                } else if let number = try? entry.value.number() {
                    value.double(4, number)
                } else {
                    value.string(1, try entry.value.text())
                }
            }
        }
    }
}
