/// Keys that are known and do not act in this version: each is refused by name, never ignored.
struct UnbuiltKey: Sendable {
    /// A key, or the beginning of keys when it ends in a dot.
    var key: String
    /// What to say, as in "the Kafka source is not built yet".
    var reason: String

    func covers(_ other: String) -> Bool {
        key.hasSuffix(".") ? other.hasPrefix(key) || other == key.dropLast() : other == key
    }

    static let all: [UnbuiltKey] =
        list("app.", ["max_buffer_spans"], "there is no such limit; app.max_buffer_bytes limits the buffer")
        + list("otlp.", ["grpc_port"], "OTLP over gRPC is not built yet")
        + list("otlp.", ["tls_cert_path", "tls_key_path", "tls_client_ca_path"], "TLS is not built yet")
        + list("kafka.", ["output_topic"], "sending kept traces to Kafka is not built yet")
        + list("kafka.", ["repartition.enabled"], "keying a topic anew by trace is not built yet")
        + list("kafka.", ["take_over"], "taking over another group's positions is not built yet")
        + list(
            "redis.", ["url", "password", "db", "pool_size", "connection_timeout_secs", "trace_ttl_secs"],
            "the Redis store is not built yet")
        + list(
            "force_sampling.",
            ["poll_interval_secs", "use_pubsub", "pubsub_channel"],
            "rules live in the embedded store; sharing them over Redis is not built yet")
        + list(
            "storage.iceberg.",
            [
                "project_id", "token", "oauth2.", "oauth2_credential", "credential", "oauth2_server_uri",
            ], "the REST catalog is not built yet")
        + list(
            "storage.iceberg.",
            ["s3_endpoint", "s3_access_key_id", "s3_secret_access_key", "s3_region", "s3_path_style"],
            "S3 is not built yet")
        + list(
            "datadog.",
            [
                "api_endpoint", "api_key", "request_timeout_secs", "max_retries", "retry_initial_delay_ms",
                "batch_size", "batch_timeout_secs",
            ], "the Datadog sink is not built yet")
        + list(
            "span_compression.",
            [
                "enabled", "min_compression_count", "compression_window_secs", "max_span_duration_secs",
                "compress_operations", "exclude_operations", "sql_patterns",
            ], "span compression is not built yet")
        + list(
            "oidc.",
            [
                "enabled", "issuer_url", "client_id", "audience", "required_scopes", "required_roles", "roles_claim",
                "jwks_cache_secs",
            ], "checking tokens is not built yet, and a start without it would leave the admin calls open")

    private static func list(_ section: String, _ names: [String], _ reason: String) -> [UnbuiltKey] {
        names.map { UnbuiltKey(key: section + $0, reason: reason) }
    }
}
