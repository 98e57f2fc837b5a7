import CLibrdkafka

/// Properties of a client, by librdkafka's names.
///
/// Source: librdkafka, CONFIGURATION.md.
public struct KafkaConfiguration: Sendable {
    public private(set) var properties: [String: String]

    /// Properties whose values are never shown.
    public static let secrets: Set<String> = [
        "sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
    ]

    public init(_ properties: [String: String] = [:]) {
        self.properties = properties
    }

    public subscript(name: String) -> String? {
        get { properties[name] }
        set { properties[name] = newValue }
    }

    /// What librdkafka says of a property: nil when it takes the value.
    public static func problem(with name: String, _ value: String) -> String? {
        let configuration = rd_kafka_conf_new()!
        defer { rd_kafka_conf_destroy(configuration) }
        return set(name, value, in: configuration)
    }

    /// The properties, secrets replaced; for logs.
    public var redacted: [String: String] {
        var shown = properties
        for name in Self.secrets where shown[name] != nil { shown[name] = "***" }
        return shown
    }

    /// A configuration that librdkafka takes over.
    func make() throws(KafkaError) -> OpaquePointer {
        let configuration = rd_kafka_conf_new()!
        for (name, value) in properties.sorted(by: { $0.key < $1.key }) {
            if let problem = Self.set(name, value, in: configuration) {
                rd_kafka_conf_destroy(configuration)
                throw KafkaError(code: .invalidConfiguration, message: problem)
            }
        }
        return configuration
    }

    private static func set(_ name: String, _ value: String, in configuration: OpaquePointer) -> String? {
        var text = [CChar](repeating: 0, count: 512)
        guard rd_kafka_conf_set(configuration, name, value, &text, text.count) != RD_KAFKA_CONF_OK else { return nil }
        // librdkafka repeats the value in some of its messages.
        if secrets.contains(name) { return "\(name): the value is not valid" }
        return "\(name): \(words(text))"
    }
}

/// The library that is linked.
public enum KafkaLibrary {
    /// Such as 2.16.0.
    public static var version: String { String(cString: rd_kafka_version_str()) }

    /// The oldest version that keeps its place in rebalances (2.10.0).
    public static let oldestVersion: Int32 = 0x020A_00FF

    /// Nil when the library is new enough, else what to do.
    public static var problem: String? {
        guard rd_kafka_version() < oldestVersion else { return nil }
        return "librdkafka \(version) is linked, 2.10 or newer is needed: run the set-up script, which takes 2.16"
    }
}
