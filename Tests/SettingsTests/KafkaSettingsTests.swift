import Configuration
import Testing

@testable import Settings

/// Section `kafka`: what the client is given, and what is refused.
struct KafkaSettingsTests {
    private func kafka(_ yaml: String, _ environment: [String: String] = [:]) throws -> Settings.Kafka {
        try load(yaml, environment).settings.kafka
    }

    @Test func `without brokers there is no source, and a key for it is said to have no effect`() throws {
        #expect(try kafka("").brokers == nil)
        let loaded = try load("kafka: {input_topic: spans}")
        #expect(loaded.warnings.map(\.key) == ["kafka.input_topic"])
    }

    @Test func `properties of the client come from the file and from variables, the later over the earlier`() throws {
        let kafka = try kafka(
            "kafka: {brokers: 'a:1', librdkafka: {fetch.max.bytes: 1000000, client.id: mine}}",
            [
                "TSS__KAFKA__LIBRDKAFKA__FETCH_MAX_BYTES": "2000000",
                "TSS__KAFKA__LIBRDKAFKA__SOCKET_NAGLE_DISABLE": "true",
            ])
        #expect(kafka.clientProperties["fetch.max.bytes"] == "2000000")
        #expect(kafka.clientProperties["client.id"] == "mine")
        #expect(kafka.clientProperties["socket.nagle.disable"] == "true")
        #expect(kafka.clientProperties["bootstrap.servers"] == "a:1")
    }

    @Test(arguments: [
        ("kafka: {librdkafka: {group.id: g}}", "use kafka.consumer_group in its place"),
        ("kafka: {librdkafka: {enable.auto.commit: 'true'}}", "is decided by the program"),
        ("kafka: {librdkafka: {no.such.property: 1}}", "no.such.property"),
        ("kafka: {librdkafka: {compression.codec: rar}}", "compression.codec"),
        ("kafka: {auto_offset_reset: newest}", "none of earliest, latest"),
        ("kafka: {security_protocol: tls}", "none of plaintext, ssl, sasl_plaintext, sasl_ssl"),
        ("kafka: {security_protocol: sasl_ssl}", "needs kafka.sasl_mechanism"),
        ("kafka: {sasl_mechanism: PLAIN, sasl_username: u}", "needs kafka.sasl_password"),
        ("kafka: {ssl_cert_path: a.pem}", "certificate and key belong together"),
    ])
    func `what cannot work is refused before anything starts`(yaml: String, words: String) {
        let problems = refusal(yaml)
        #expect(problems.contains { $0.contains(words) }, "\(problems)")
    }

    @Test func `a mechanism alone goes over TLS, and no secret is printed`() throws {
        let yaml = """
            kafka:
              brokers: a:1
              sasl_mechanism: SCRAM-SHA-256
              sasl_username: u
              sasl_password: hidden1
              librdkafka: {ssl.key.password: hidden2}
            """
        let loaded = try load(yaml)
        #expect(loaded.settings.kafka.clientProperties["security.protocol"] == "sasl_ssl")
        #expect(!loaded.printed.contains("hidden"))
    }

    @Test func `only a chosen instance name makes a member static`() throws {
        #expect(try kafka("kafka: {brokers: 'a:1'}").instanceID == nil)
        #expect(try kafka("{app: {instance_id: one}, kafka: {brokers: 'a:1'}}").instanceID == "one")
        #expect(
            try kafka("{app: {instance_id: one}, kafka: {brokers: 'a:1', leave_on_shutdown: true}}").instanceID == nil)
    }
}
