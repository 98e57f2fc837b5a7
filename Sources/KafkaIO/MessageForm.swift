internal import JSON
internal import OTLPJSON

/// How the spans of a message are written.
///
/// An `ExportTraceServiceRequest` has only field 1; a bare `ResourceSpans` always has field 2, and may have 1 and 3;
/// OTLP/JSON starts with a brace.
enum MessageForm {
    /// A request, as everything behind this module reads it.
    case request
    /// One `ResourceSpans`: wrapped into a request.
    case resourceSpans
    case json

    /// Looks at the top level's tags only.
    init(_ message: borrowing RawSpan) {
        self = .request
        var offset = 0
        // JSON may begin with white space.
        while offset < message.byteCount, [0x20, 0x09, 0x0A, 0x0D].contains(message.byte(offset)) { offset += 1 }
        if offset < message.byteCount, message.byte(offset) == UInt8(ascii: "{") {
            self = .json
            return
        }
        offset = 0
        while offset < message.byteCount {
            let tag = message.byte(offset)
            // scope_spans or schema_url: a request has neither.
            if tag == 0x12 || tag == 0x1A {
                self = .resourceSpans
                return
            }
            guard tag == 0x0A, let next = Self.end(of: message, field: offset + 1) else { return }
            offset = next
        }
    }

    /// Where the length-delimited field ends whose length stands at `offset`; nil when it does not.
    private static func end(of message: borrowing RawSpan, field offset: Int) -> Int? {
        var (offset, length, shift) = (offset, 0, 0)
        while offset < message.byteCount, shift < 35 {
            let byte = message.byte(offset)
            length |= Int(byte & 0x7F) << shift
            offset += 1
            if byte < 0x80 { return length <= message.byteCount - offset ? offset + length : nil }
            shift += 7
        }
        return nil
    }

    /// The message as a request; nil when it is one already, or is nothing that can be read: then the scanner says so.
    func request(of message: borrowing RawSpan) -> [UInt8]? {
        switch self {
        case .request: return nil
        case .resourceSpans:
            var bytes: [UInt8] = [0x0A]
            var length = UInt64(message.byteCount)
            while length >= 0x80 {
                bytes.append(UInt8(length & 0x7F) | 0x80)
                length >>= 7
            }
            bytes.append(UInt8(length))
            message.withUnsafeBytes { bytes.append(contentsOf: $0) }
            return bytes
        case .json:
            return try? TracesJSON.protobuf(message.withUnsafeBytes { [UInt8]($0) })
        }
    }
}

extension RawSpan {
    fileprivate func byte(_ offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
