public import JSON
public import ProtobufWriter

/// Reads OTLP/JSON traces and writes them as protobuf, the one form that everything behind the entrance knows.
///
/// What is accepted is what the OTLP specification and proto3's JSON mapping allow together:
///
/// - ids (`traceId`, `spanId`, `parentSpanId`) are hexadecimal in either case, of any even length: whether an id is
///   usable is judged where spans are judged, so that one bad id costs one span and not the request;
/// - 64-bit integers are texts or numbers, and so are the smaller ones; `1.0` and `1e3` are whole numbers too;
/// - enumerations are numbers, as OTLP says, or names, as proto3 says;
/// - `bytesValue` is base64, standard or URL-safe, padded or not;
/// - doubles may be `"NaN"`, `"Infinity"`, `"-Infinity"` or a number in quotes;
/// - members are named `startTimeUnixNano` or `start_time_unix_nano`; unknown ones are skipped; `null` is absent.
///
/// Refused are a member that comes twice under whatever name, two values in one `AnyValue`, and everything that is
/// no JSON. The output has no field with its default value, so equal requests in another order of members differ in
/// the order of fields only, and the same text always gives the same bytes.
///
/// Source: OpenTelemetry Protocol specification, "JSON Protobuf Encoding"; protobuf.dev, "ProtoJSON Format".
public enum TracesJSON {
    /// Levels of arrays and objects. A list inside a list costs three, a map inside a map four; ten lie above the
    /// attributes, and values may nest 64 deep (`WireLimits.nestingDepth`).
    public static let depthLimit = 300

    /// An `ExportTraceServiceRequest` (the same as `TracesData`) as protobuf.
    ///
    /// - Parameter bytes: UTF-8, one object.
    /// - Throws: What is wrong, with line and column.
    public static func protobuf(_ bytes: [UInt8], limitBytes: Int = 64 << 20) throws(JSONError) -> [UInt8] {
        var reader = try reader(of: bytes, limitBytes: limitBytes)
        var writer = MessageWriter(capacity: bytes.count / 2)
        try append(&reader, to: &writer)
        try reader.end()
        return writer.bytes
    }

    /// A reader with this module's limits, for texts that hold a request inside of something else.
    public static func reader(of bytes: [UInt8], limitBytes: Int = 64 << 20) throws(JSONError) -> JSONReader {
        try JSONReader(bytes, limits: JSONLimits(bytes: limitBytes, depth: depthLimit))
    }

    /// What a span's trace id and span id are written as when they are missing, empty or all zero.
    ///
    /// For those who want to judge such spans all the same: everything behind the entrance refuses them.
    public struct ZeroIDs: Sendable {
        /// 16 bytes.
        public var traceID: [UInt8]
        /// 8 bytes.
        public var spanID: [UInt8]

        public init(traceID: [UInt8], spanID: [UInt8]) {
            self.traceID = traceID
            self.spanID = spanID
        }
    }

    /// Reads the next value, a request, and appends its fields.
    public static func append(
        _ reader: inout JSONReader, to writer: inout MessageWriter, zeroIDs: ZeroIDs? = nil
    ) throws(JSONError) {
        try MessageReading(zeroIDs: zeroIDs).message(.request, &reader, &writer)
    }

    /// Reads the value of one member of a request, whose key was read already.
    ///
    /// - Returns: Whether the key is a request's; if not, nothing was read.
    public static func append(
        member key: String, _ reader: inout JSONReader, to writer: inout MessageWriter, zeroIDs: ZeroIDs? = nil
    ) throws(JSONError) -> Bool {
        guard let field = MessageType.request.fields[key] else { return false }
        try MessageReading(zeroIDs: zeroIDs).field(field, &reader, &writer)
        return true
    }
}
