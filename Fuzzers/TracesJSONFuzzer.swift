import JSON
import OTLPJSON
import OTLPWire
import TraceModel

/// Called by libFuzzer with every input. A trap, an address error or a broken promise is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let text = Array(UnsafeBufferPointer(start: data, count: size))
    let message: [UInt8]
    do {
        message = try TracesJSON.protobuf(text)
    } catch {
        precondition(!error.message.isEmpty, "a refusal without a word")
        return 0
    }
    precondition(message.count <= 2 * text.count, "a message larger than its text")
    do {
        let summary = try MessageValidator.validate(message.span.bytes)
        var batch = SpanBatch(capacity: 16)
        try SpanScanner.scan(message.span.bytes, matching: .empty, into: &batch)
        precondition(batch.records.count == summary.spanCount, "spans counted otherwise")
    } catch {
        // Values nested deeper than the wire allows are JSON's to read and the entrance's to refuse.
        guard case .tooDeep = error else { preconditionFailure("written, and yet refused: \(error)") }
    }
    return 0
}
