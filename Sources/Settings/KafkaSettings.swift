internal import Configuration
internal import RDKafka

extension Settings {
    /// Section `kafka`: the topic that spans come from.
    public struct Kafka: Sendable {
        /// nil: no Kafka source.
        public var brokers: String?
        public var inputTopic = "otel-traces-raw"
        public var consumerGroup = "tail-sampling-selector"
        /// `earliest` or `latest`.
        public var offsetReset = "earliest"
        public var sessionTimeoutMilliseconds = 30_000
        var securityProtocol: String?
        var saslMechanism: String?
        var saslUsername: String?
        var saslPassword: String?
        var certificateAuthorityPath: String?
        var certificatePath: String?
        var keyPath: String?
        /// librdkafka's own properties, as the operator gave them.
        var properties: [String: String] = [:]
        /// Leave the group at the end, in place of keeping the partitions over a restart.
        var leavesOnShutdown = false
        /// Name of the instance in the group; nil unless the operator named it. Resolved by `load`.
        public internal(set) var instanceID: String?

        /// Properties of a client, for the input as for everything else that talks to these brokers. Holds secrets.
        public var clientProperties: [String: String] {
            var result = ["ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"]
            result.merge(properties) { $1 }
            func set(_ name: String, _ value: String?) {
                if let value { result[name] = value }
            }
            set("bootstrap.servers", brokers)
            set("security.protocol", effectiveSecurityProtocol)
            set("sasl.mechanism", saslMechanism)
            set("sasl.username", saslUsername)
            set("sasl.password", saslPassword)
            set("ssl.ca.location", certificateAuthorityPath)
            set("ssl.certificate.location", certificatePath)
            set("ssl.key.location", keyPath)
            return result
        }

        /// A mechanism without a protocol means TLS: a password does not go over the wire in the clear by default.
        var effectiveSecurityProtocol: String? { securityProtocol ?? (saslMechanism == nil ? nil : "sasl_ssl") }
    }
}

extension Declaration {
    static let kafka: [Declaration] = [
        Declaration(
            "kafka.brokers", .optionalText(\.kafka.brokers), default: "none: no Kafka source",
            "Brokers to begin with, `host:port` with commas between."),
        Declaration(
            "kafka.input_topic", .text(\.kafka.inputTopic),
            "Topic with OTLP messages: requests or bare resource spans as protobuf, or OTLP/JSON. It need not be there "
                + "yet."
        ),
        Declaration("kafka.consumer_group", .text(\.kafka.consumerGroup), "Group whose members share the partitions."),
        Declaration(
            "kafka.auto_offset_reset", .text(\.kafka.offsetReset),
            "`earliest` or `latest`: where a partition begins that neither the table nor the group has a place for."),
        Declaration(
            "kafka.session_timeout_ms", .integer(\.kafka.sessionTimeoutMilliseconds, 1000...3_600_000),
            "A member that is silent for so long loses its partitions. Well above the 9 s after which a broker's loss "
                + "is noticed."),
        Declaration(
            "kafka.security_protocol", .optionalText(\.kafka.securityProtocol),
            default: "`plaintext`; `sasl_ssl` when there is a mechanism",
            "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`."),
        Declaration(
            "kafka.sasl_mechanism", .optionalText(\.kafka.saslMechanism), default: "none",
            "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."),
        Declaration(
            "kafka.sasl_username", .optionalText(\.kafka.saslUsername), default: "none", "User of the mechanism."),
        Declaration(
            "kafka.sasl_password", .optionalText(\.kafka.saslPassword), default: "none", isSecret: true,
            "Password of the user."),
        Declaration(
            "kafka.ssl_ca_path", .optionalPath(\.kafka.certificateAuthorityPath), default: "the system's certificates",
            "File of trusted certificates (PEM)."),
        Declaration(
            "kafka.ssl_cert_path", .optionalPath(\.kafka.certificatePath), default: "none",
            "Certificate of this client (PEM), where the brokers ask for one."),
        Declaration("kafka.ssl_key_path", .optionalPath(\.kafka.keyPath), default: "none", "Its key (PEM)."),
        Declaration(
            "kafka.leave_on_shutdown", .boolean(\.kafka.leavesOnShutdown),
            "Leave the group at the end even where `app.instance_id` names the instance: for scaling down."),
        Declaration(
            "kafka.librdkafka", .properties(\.kafka.properties),
            "Further properties of the client by librdkafka's names, except those that the program decides itself. "
                + "As a variable: `TSS__KAFKA__LIBRDKAFKA__FETCH_MAX_BYTES`."),
    ]
}

extension Loader {
    /// Properties that the program decides, and what to use in their place.
    private static let owned: [String: String] = [
        "bootstrap.servers": "kafka.brokers", "metadata.broker.list": "kafka.brokers",
        "group.id": "kafka.consumer_group", "group.instance.id": "app.instance_id",
        "session.timeout.ms": "kafka.session_timeout_ms", "auto.offset.reset": "kafka.auto_offset_reset",
        "enable.auto.commit": "", "enable.auto.offset.store": "", "enable.partition.eof": "",
        "partition.assignment.strategy": "", "group.protocol": "", "security.protocol": "kafka.security_protocol",
        "sasl.mechanism": "kafka.sasl_mechanism", "sasl.mechanisms": "kafka.sasl_mechanism",
        "sasl.username": "kafka.sasl_username", "sasl.password": "kafka.sasl_password",
    ]

    mutating func checkKafka() {
        let kafka = settings.kafka
        checkWord("kafka.auto_offset_reset", kafka.offsetReset, ["earliest", "latest"])
        if let text = kafka.securityProtocol {
            checkWord("kafka.security_protocol", text, ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
        }
        if let text = kafka.saslMechanism {
            checkWord("kafka.sasl_mechanism", text, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        }
        checkCredentials()
        checkProperties()
        // Only a name that somebody chose keeps partitions over a restart: a host's may be another pod's tomorrow.
        if places["app.instance_id"] != nil, !kafka.leavesOnShutdown {
            settings.kafka.instanceID = settings.app.instanceID
        }
        let defaults = Settings(machine: machine)
        let given = Declaration.kafka.first { declaration in
            places[declaration.key] != nil && declaration.form.text(in: settings) != declaration.form.text(in: defaults)
        }?.key
        if kafka.brokers == nil, let given {
            problems.warning(
                at: places[given] ?? .builtIn, key: given, "no effect: without kafka.brokers there is no Kafka source")
        }
    }

    private mutating func checkWord(_ key: String, _ text: String, _ words: [String]) {
        guard !words.contains(text) else { return }
        problems.error(
            at: places[key] ?? .builtIn, key: key,
            "\"\(text)\" is none of \(words.joined(separator: ", "))" + NearestName.hint(text, among: words))
    }

    private mutating func checkCredentials() {
        let kafka = settings.kafka
        if kafka.saslMechanism != nil {
            for (key, value) in [
                ("kafka.sasl_username", kafka.saslUsername), ("kafka.sasl_password", kafka.saslPassword),
            ] where value == nil {
                problems.error(
                    at: places["kafka.sasl_mechanism"] ?? .builtIn, key: "kafka.sasl_mechanism",
                    "needs \(key) beside it")
            }
        } else if kafka.securityProtocol?.hasPrefix("sasl") == true {
            problems.error(
                at: places["kafka.security_protocol"] ?? .builtIn, key: "kafka.security_protocol",
                "needs kafka.sasl_mechanism beside it")
        }
        if (kafka.certificatePath == nil) != (kafka.keyPath == nil) {
            let key = kafka.certificatePath == nil ? "kafka.ssl_key_path" : "kafka.ssl_cert_path"
            problems.error(at: places[key] ?? .builtIn, key: key, "certificate and key belong together")
        }
    }

    /// What librdkafka itself says of its properties, before anything starts.
    private mutating func checkProperties() {
        let place = places["kafka.librdkafka"] ?? .builtIn
        for (name, value) in settings.kafka.properties.sorted(by: { $0.key < $1.key }) {
            let key = "kafka.librdkafka.\(name)"
            if let other = Self.owned[name] {
                problems.error(
                    at: place, key: key, other.isEmpty ? "is decided by the program" : "use \(other) in its place")
            } else if let problem = KafkaConfiguration.problem(with: name, value) {
                problems.error(at: place, key: key, problem)
            }
        }
    }
}
