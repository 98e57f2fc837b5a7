/// Where traces are sent, by the variables that every OpenTelemetry SDK reads.
///
/// Source: OpenTelemetry, "OTLP Exporter Configuration".
struct OTLPTarget: Equatable {
    /// The whole URL of the traces endpoint.
    var url: String
    var headers: [Header] = []
    var timeout: Duration = .seconds(10)
    var usesGzip = false
    /// PEM files.
    var certificateAuthorityPath: String?
    var certificatePath: String?
    var keyPath: String?

    struct Header: Equatable {
        var name: String
        var value: String
    }

    /// The address of a server with embedded defaults.
    static let defaultEndpoint = "http://127.0.0.1:4318"

    init(environment: [String: String]) throws(ProduceFailure) {
        func variable(_ name: String) -> String? {
            for key in ["OTEL_EXPORTER_OTLP_TRACES_\(name)", "OTEL_EXPORTER_OTLP_\(name)"] {
                if let value = environment[key], !value.isEmpty { return value }
            }
            return nil
        }
        let protocolName = variable("PROTOCOL") ?? "http/protobuf"
        guard protocolName == "http/protobuf" else {
            throw ProduceFailure(
                message: "OTEL_EXPORTER_OTLP_PROTOCOL is \(protocolName): this version sends http/protobuf only")
        }
        if let whole = environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], !whole.isEmpty {
            url = whole
        } else {
            let base = variable("ENDPOINT") ?? Self.defaultEndpoint
            url = (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/v1/traces"
        }
        for pair in (variable("HEADERS") ?? "").split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw ProduceFailure(message: "OTEL_EXPORTER_OTLP_HEADERS: \"\(pair)\" is no name=value")
            }
            headers.append(Header(name: Self.trimmed(parts[0]), value: Self.percentDecoded(Self.trimmed(parts[1]))))
        }
        if let text = variable("TIMEOUT") {
            guard let milliseconds = Int64(text), milliseconds > 0 else {
                throw ProduceFailure(message: "OTEL_EXPORTER_OTLP_TIMEOUT: \"\(text)\" is no number of milliseconds")
            }
            timeout = .milliseconds(milliseconds)
        }
        switch variable("COMPRESSION") ?? "none" {
        case "gzip": usesGzip = true
        case "none": usesGzip = false
        case let other:
            throw ProduceFailure(message: "OTEL_EXPORTER_OTLP_COMPRESSION: \"\(other)\" is none of gzip, none")
        }
        certificateAuthorityPath = variable("CERTIFICATE")
        certificatePath = variable("CLIENT_CERTIFICATE")
        keyPath = variable("CLIENT_KEY")
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    /// Values are written as in W3C Baggage: octets beyond the plain ones as `%20`.
    private static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
