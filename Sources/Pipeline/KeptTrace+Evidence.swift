import OTLPWire
import TraceModel

extension KeptTrace {
    /// OTLP's status code of a failed span.
    private static var errorStatus: Int32 { 2 }

    /// Name of the first span, in the order of arrival, whose status is error; nil when none is or its bytes do
    /// not decode.
    var nameOfErrorSpan: String? {
        let bytes = arena.span.bytes
        var contents = SpanContents()
        for span in spans {
            do throws(WireError) {
                try contents.decode(span.span, in: bytes)
            } catch {
                continue
            }
            guard contents.statusCode == Self.errorStatus else { continue }
            return String(decoding: arena[contents.name.lowerBound..<contents.name.upperBound], as: UTF8.self)
        }
        return nil
    }
}
