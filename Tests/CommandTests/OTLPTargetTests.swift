import Testing

@testable import Commands

@Suite struct OTLPTargetTests {
    @Test func `without variables it is the embedded server`() throws {
        let target = try OTLPTarget(environment: [:])
        #expect(target.url == "http://127.0.0.1:4318/v1/traces")
        #expect(target.timeout == .seconds(10))
        #expect(!target.usesGzip && target.headers.isEmpty)
    }

    @Test func `a base endpoint gets the path, a traces endpoint stands as it is and wins`() throws {
        let base = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"]
        #expect(try OTLPTarget(environment: base).url == "http://collector:4318/v1/traces")
        var both = base
        both["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://other/custom"
        #expect(try OTLPTarget(environment: both).url == "http://other/custom")
    }

    @Test func `headers are trimmed and percent-decoded`() throws {
        let target = try OTLPTarget(environment: [
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key = a%20b , x=1",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        ])
        #expect(target.headers == [.init(name: "api-key", value: "a b"), .init(name: "x", value: "1")])
        #expect(target.timeout == .milliseconds(2500))
        #expect(target.usesGzip)
    }

    @Test(arguments: [
        ["OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"], ["OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"],
        ["OTEL_EXPORTER_OTLP_TIMEOUT": "soon"], ["OTEL_EXPORTER_OTLP_HEADERS": "nothing"],
    ])
    func `what it cannot do is refused by name`(environment: [String: String]) {
        let error = #expect(throws: ProduceFailure.self) { try OTLPTarget(environment: environment) }
        #expect(error?.message.contains(environment.keys.first ?? "?") == true)
    }
}
