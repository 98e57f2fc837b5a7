import Foundation
import HTTPClient
import JSON
import Testing
import TraceGenerator
import TraceModel
import Workers

extension WholeProgram {
    /// What the program says of its configuration, without starting anything.
    @Suite struct ConfigurationTests {
        private func serve(
            _ arguments: [String], _ environment: [String: String] = [:], _ folder: TestFolder
        ) throws -> Program.Outcome {
            try Program.run(Program.path, ["serve"] + arguments, environment: environment, folder: folder)
        }

        @Test func `says that a configuration is fine`() throws {
            try TestFolder.with("check") { folder in
                let outcome = try serve(["--check-config"], [:], folder)
                #expect(outcome.status == .exited(code: 0) && outcome.output.contains("fine"))
                #expect(!FileManager.default.fileExists(atPath: folder.file("data")), "checking makes nothing")
            }
        }

        @Test func `reads a file, and the environment stands above it`() throws {
            try TestFolder.with("print") { folder in
                let file = folder.file("tss.yaml")
                let yaml = "app:\n  inactivity_timeout_secs: 7\notlp:\n  http_port: 4999\n  partitions: 3\n"
                try yaml.write(toFile: file, atomically: true, encoding: .utf8)
                let outcome = try serve(
                    ["--print-config", "--config", "tss.yaml"], ["TSS__OTLP__PARTITIONS": "2"], folder)
                #expect(outcome.status == .exited(code: 0), "\(outcome.errors)")
                for line in [
                    "inactivity_timeout_secs: 7 ", "http_port: 4999 ", "partitions: 2 ", "always_sample_errors: true",
                ] {
                    #expect(outcome.output.contains(line), "\(line): \(outcome.output)")
                }
                #expect(outcome.output.contains("data_dir: \(folder.path)/data"))
                #expect(outcome.output.contains("#   always_sample_errors keeps traces"))
            }
        }

        @Test func `an unknown key is an error that names the nearest`() throws {
            try TestFolder.with("unknown") { folder in
                let outcome = try serve(["--check-config"], ["TSS__APP__INACTIVITY_TIMEOUT_SEC": "3"], folder)
                #expect(outcome.status == .exited(code: 2))
                #expect(outcome.errors.contains("inactivity_timeout_secs"), "\(outcome.errors)")
            }
        }

        @Test func `tells all that is wrong at once`() throws {
            try TestFolder.with("problems") { folder in
                let outcome = try serve(
                    ["--check-config"],
                    [
                        "TSS__SAMPLING__BASE_SAMPLE_RATE": "5", "TSS__OTLP__HTTP_PORT": "http",
                        "TSS__SAMPLING__POLICIS": "[]",
                    ], folder)
                #expect(outcome.status == .exited(code: 2))
                for text in ["3 problems", "did you mean 0.05?", "http_port", "sampling.policies"] {
                    #expect(outcome.errors.localizedCaseInsensitiveContains(text), "\(text): \(outcome.errors)")
                }
            }
        }

        @Test(arguments: [
            ("TSS__KAFKA__OUTPUT_TOPIC", "t", "kafka.output_topic"), ("TSS__REDIS__URL", "redis://a", "redis.url"),
            ("TSS__OIDC__ENABLED", "true", "oidc.enabled"), ("TSS__OTLP__GRPC_PORT", "4317", "otlp.grpc_port"),
            ("TSS__STORAGE__ICEBERG__S3_ENDPOINT", "http://a", "storage.iceberg.s3_endpoint"),
            ("TSS__STORAGE__ICEBERG__CATALOG_URI", "http://lakekeeper:8181/catalog", "storage.iceberg.catalog_uri"),
            ("TSS__DATADOG__API_KEY", "k", "datadog.api_key"),
            ("TSS__STORAGE__STORAGE_TYPE", "memory", "storage.storage_type"),
            ("TSS__SPAN_COMPRESSION__ENABLED", "true", "span_compression.enabled"),
            ("TSS__FORCE_SAMPLING__USE_PUBSUB", "true", "force_sampling.use_pubsub"),
        ])
        func `a key whose part is not built is refused by name, never ignored`(
            variable: String, value: String, key: String
        ) throws {
            try TestFolder.with("unbuilt") { folder in
                let server = try ServerUnderTest(folder, [variable: value])
                let outcome = try serve([], server.environment, folder)
                #expect(outcome.status == .exited(code: 2))
                #expect(outcome.errors.contains("not built yet"), "\(outcome.errors)")
                #expect(outcome.errors.contains(key) || outcome.errors.contains(variable), "\(outcome.errors)")
            }
        }

        @Test func `a policy kind that is not built is refused by name`() throws {
            try TestFolder.with("policy") { folder in
                let policies =
                    #"[{"name":"o","type":"ottl_condition","ottl_condition":{"span":["true"]}}]"#
                let outcome = try serve(["--check-config"], ["TSS__SAMPLING__POLICIES": policies], folder)
                #expect(outcome.status == .exited(code: 2))
                #expect(outcome.errors.contains("ottl_condition"), "\(outcome.errors)")
            }
        }

        @Test func `a pasted Collector block runs, and waits from the first span`() throws {
            try TestFolder.with("collector") { folder in
                let block = """
                    processors:
                      tail_sampling/pasted:
                        decision_wait: 500ms
                        policies:
                          - {name: all, type: always_sample}
                          - name: no errors
                            type: drop
                            drop:
                              drop_sub_policy: [{name: e, type: status_code, status_code: {status_codes: [ERROR]}}]
                      batch: {}
                    """
                try block.write(toFile: folder.file("policies.yaml"), atomically: true, encoding: .utf8)
                let server = try ServerUnderTest(
                    folder, ["TSS__SAMPLING__POLICIES_FILE": folder.file("policies.yaml")])
                try server.startAndWait()
                let traces = Traces(seed: .random(in: 0 ... .max))
                let (normal, failed) = (traces.next(.ok), traces.next(.error))
                for trace in [normal, failed] { try #require(server.export(trace.requestBytes).status == 200) }
                let kept = try server.waitForDecision(normal.traceID)
                #expect(kept["verdict"] == "sampled" && kept["policy"] == "all")
                let dropped = try server.waitForDecision(failed.traceID)
                #expect(dropped["verdict"] == "dropped" && dropped["policy"] == "no errors")
                #expect(try server.json("/health")["policies"]?.array?.count == 2)
                #expect(server.log.contains("policy: no errors drops traces in which a span has status ERROR"))
                #expect(try server.stop() == .exited(code: 0))
                let second = try serve(
                    ["--check-config"],
                    [
                        "TSS__SAMPLING__POLICIES_FILE": folder.file("policies.yaml"),
                        "TSS__SAMPLING__BASE_SAMPLE_RATE": "0.1",
                    ], folder)
                #expect(second.status == .exited(code: 2))
                #expect(second.errors.contains("sampling.base_sample_rate: does not apply beside"), "\(second.errors)")
            }
        }
    }
}
