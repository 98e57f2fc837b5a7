import Configuration
import Sampling
import Telemetry
import Testing

@testable import Settings

let testMachine = MachineFacts(hostName: "box", memoryBytes: 8 << 30, workingFolder: "/srv/app")

func load(
    _ yaml: String = "", _ environment: [String: String] = [:], isDevelopment: Bool = false,
    path: String = "conf/tss.yaml"
) throws(SettingsError) -> LoadedSettings {
    let sources = SettingsSources(
        file: SettingsSources.File(path: path, text: Array(yaml.utf8)), environment: environment)
    return try Settings.load(sources, machine: testMachine, isDevelopment: isDevelopment) { path throws(ReadError) in
        throw ReadError("cannot read \(path)")
    }
}

func refusal(_ yaml: String = "", _ environment: [String: String] = [:]) -> [String] {
    do throws(SettingsError) {
        _ = try load(yaml, environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

struct SettingsLoadingTests {
    @Test func `without a source everything has its default`() throws {
        let loaded = try Settings.load(SettingsSources(), machine: testMachine) { _ in "" }
        let settings = loaded.settings
        #expect(loaded.warnings.isEmpty)
        #expect(loaded.places.isEmpty)
        #expect(settings.app.instanceID == "box")
        #expect(settings.app.maximumBufferBytes == 2 << 30)
        #expect(settings.app.inactivityTimeout == .seconds(60))
        #expect(settings.app.rootInactivityTimeout == .seconds(30))
        #expect(settings.app.dataFolder == "/srv/app/data")
        #expect(settings.otlp.httpPort == 4318)
        #expect(settings.otlp.maximumBodyBytes == 20_971_520)
        #expect(settings.storage.iceberg.targetFileBytes == 134_217_728)
        #expect(settings.storage.iceberg.effectiveCatalogURI == "sqlite:///srv/app/data/catalog.db")
        #expect(settings.storage.iceberg.warehouseFolder == "/srv/app/data/warehouse")
        #expect(
            settings.sampling.sampler.policies.map(\.name) == [
                "always_sample_errors", "sample_latency", "base_sample_rate",
            ])
    }

    @Test func `a disk budget that the reserve for commits eats up is refused`() {
        #expect(
            refusal("app: {max_disk_bytes: 104857600}") == [
                "conf/tss.yaml:1:23: app.max_disk_bytes: 104857600 leaves no room for spans: 335544320 are kept for "
                    + "commits (2 × storage.iceberg.target_file_bytes + 64 MiB)"
            ])
        #expect(
            refusal("app: {max_disk_bytes: 104857600}\nstorage: {iceberg: {target_file_bytes: 1048576}}") == [])
    }

    @Test func `the environment stands above the file`() throws {
        let yaml = "app: {instance_id: file, evaluation_workers: 2}\notlp: {http_port: 1}\n"
        let loaded = try load(yaml, ["TSS__APP__INSTANCE_ID": "42", "TSS__OTLP__HTTP_PORT": "2"])
        #expect(loaded.settings.app.instanceID == "42", "a number stays text where text is wanted")
        #expect(loaded.settings.otlp.httpPort == 2)
        #expect(loaded.settings.app.evaluationWorkers == 2)
        #expect(loaded.places["otlp.http_port"] == .variable("TSS__OTLP__HTTP_PORT"))
        #expect(loaded.places["app.evaluation_workers"] == .file("conf/tss.yaml", line: 1, column: 46))
    }

    @Test func `arguments stand above the environment`() throws {
        let sources = SettingsSources(
            environment: ["TSS__OTLP__HTTP_PORT": "2"], arguments: ["otlp.http_port": "3", "app.data_dir": "d"])
        let loaded = try Settings.load(sources, machine: testMachine) { _ in "" }
        #expect(loaded.settings.otlp.httpPort == 3)
        #expect(loaded.settings.app.dataFolder == "/srv/app/d")
    }

    @Test func `all mistakes are reported at once, each with its place`() {
        let yaml = """
            app:
              inactivity_timout_secs: 5
              evaluation_workers: many
            otlp:
              health_port: 80
              grpc_port: 4317
            sampling:
              base_sample_rate: 5
              policies:
                - {name: a, type: latncy}
            nonsense: 1
            """
        let problems = refusal(yaml, ["TSS__KAFKA__OUTPUT_TOPIC": "t", "TSS__APP__DATA_DIT": "x"])
        #expect(
            problems == [
                "conf/tss.yaml:2:3: app.inactivity_timout_secs: unknown key; did you mean app.inactivity_timeout_secs?",
                "conf/tss.yaml:5:3: otlp.health_port: unknown key; did you mean observability.health_port?",
                "conf/tss.yaml:6:3: otlp.grpc_port: OTLP over gRPC is not built yet",
                "conf/tss.yaml:11:1: nonsense: unknown key",
                "TSS__APP__DATA_DIT: app.data_dit: unknown key; did you mean app.data_dir?",
                "TSS__KAFKA__OUTPUT_TOPIC: kafka.output_topic: sending kept traces to Kafka is not built yet",
                "conf/tss.yaml:3:23: app.evaluation_workers: expected a whole number, found \"many\"",
                "conf/tss.yaml:8:21: sampling.base_sample_rate: 5: did you mean 0.05?",
                "conf/tss.yaml:10:23: sampling.policies[0].type: unknown kind \"latncy\"; did you mean latency?",
            ])
    }

    @Test(arguments: [
        "oidc: {enabled: false}", "kafka: {output_topic: t}", "redis: {url: r}",
        "app: {max_buffer_spans: 5}", "force_sampling: {use_pubsub: true}", "datadog: {api_key: k}",
        "span_compression: {enabled: true}", "storage: {iceberg: {s3_endpoint: e}}", "otlp: {tls_cert_path: c}",
        "storage: {storage_type: memory}",
        "storage: {iceberg: {catalog_uri: 'http://lakekeeper:8181/catalog'}}",
        "storage: {iceberg: {warehouse: traces}}",
    ])
    func `what is not built is refused by name`(yaml: String) {
        let problems = refusal(yaml)
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.allSatisfy { $0.contains("not built yet") || $0.contains("app.max_buffer_bytes limits") })
    }

    @Test(arguments: Declaration.all.map(\.key) + UnbuiltKey.all.map(\.key))
    func `every key has a variable, and none is in both lists`(key: String) {
        #expect(Declaration.all.count { $0.key == key } + UnbuiltKey.all.count { $0.key == key } == 1)
        guard !key.hasSuffix(".") else { return }
        let problems = refusal("", [Declaration.variable(key): "{"])
        #expect(!problems.contains { $0.contains("unknown key") }, "\(problems)")
    }

    @Test func `variables with one underscore count when they are known keys`() throws {
        let loaded = try load(
            "",
            [
                "TSS_OTLP_HTTP_PORT": "99", "TSS_PORT": "tcp://10.0.0.1:80", "TSS_SERVICE_HOST": "10.0.0.1",
                "TSS_APP_INSTANCE_ID": "a", "TSS__APP__INSTANCE_ID": "b",
            ])
        #expect(loaded.settings.otlp.httpPort == 99)
        #expect(loaded.settings.app.instanceID == "b")
        #expect(loaded.ignoredVariables == ["TSS_PORT", "TSS_SERVICE_HOST"])
        #expect(
            loaded.warnings.map(\.description) == [
                "TSS_APP_INSTANCE_ID: app.instance_id: TSS__APP__INSTANCE_ID is taken instead",
                "TSS_OTLP_HTTP_PORT: otlp.http_port: taken, but the name to use is TSS__OTLP__HTTP_PORT",
            ])
    }

    @Test func `lists and sections are given as JSON`() throws {
        let policies = #"[{"name": "slow", "type": "latency", "latency": {"threshold_ms": 7}}]"#
        let loaded = try load(
            "", ["TSS__SAMPLING__POLICIES": policies, "TSS__OTLP": #"{"http_port": 7, "enabled": true}"#])
        #expect(loaded.settings.otlp.httpPort == 7)
        #expect(loaded.settings.sampling.sampler.policies.map(\.name).contains("slow"))
        #expect(loaded.places["otlp.http_port"] == .variable("TSS__OTLP"))
        #expect(
            refusal("", ["TSS__SAMPLING__POLICIES": #"[{"name": "x", "type": "rat"}]"#])
                == [#"TSS__SAMPLING__POLICIES: sampling.policies[0].type: unknown kind "rat"; did you mean rate?"#])
        #expect(refusal("", ["TSS__SAMPLING__POLICIES": "[{"]).first?.contains("no JSON") == true)
        #expect(refusal("", ["TSS__SAMPLING": "5"]) == [#"TSS__SAMPLING: sampling: expected a map, found "5""#])
    }

    @Test func `relative paths lie in the file's folder, or the working folder`() throws {
        #expect(try load("app: {data_dir: ../d/./x}").settings.app.dataFolder == "/srv/app/d/x")
        #expect(try load("app: {data_dir: /d}").settings.app.dataFolder == "/d")
        #expect(try load("app: {data_dir: d}", path: "/etc/tss.yaml").settings.app.dataFolder == "/etc/d")
        #expect(try load("", ["TSS__APP__DATA_DIR": "d"]).settings.app.dataFolder == "/srv/app/d")
    }

    @Test func `the log level has its order of sources`() throws {
        func level(_ environment: [String: String]) throws(SettingsError) -> String {
            let yaml = "observability: {log_level: 'warn'}"
            return try load(yaml, environment).settings.observability.logFilter.description
        }
        #expect(try load().settings.observability.logFilter.description == "info")
        #expect(try level([:]) == "warning")
        #expect(try level(["LOG_LEVEL": "debug"]) == "debug")
        #expect(try level(["LOG_LEVEL": "debug", "RUST_LOG": "info,tail_sampling_selector=trace"]) == "trace")
        #expect(try level(["RUST_LOG": "debug", "TSS__OBSERVABILITY__LOG_LEVEL": "error"]) == "error")
        // Another program's filter is no reason not to start.
        #expect(try level(["RUST_LOG": "hyper[span]=loud"]) == "warning")
        #expect(try load("", ["RUST_LOG": "loud"]).warnings.count == 1)
        #expect(refusal("", ["TSS__OBSERVABILITY__LOG_LEVEL": "loud"]).count == 1)
    }

    @Test func `an empty variable is as if absent`() throws {
        #expect(
            try load("otlp: {http_port: 7}", ["TSS__OTLP__HTTP_PORT": "", "TSS__KAFKA": ""]).settings.otlp.httpPort == 7
        )
    }

    @Test func `an alias is the key, and not beside it`() throws {
        #expect(try !load("sampling: {sample_errors: false}").settings.sampling.simple.alwaysSampleErrors)
        #expect(
            refusal("sampling:\n  always_sample_errors: true\n  sample_errors: false\n") == [
                "conf/tss.yaml:3:3: sampling.sample_errors: the same as sampling.always_sample_errors, "
                    + "which is given at conf/tss.yaml:2:25"
            ])
    }

    @Test func `the development profile waits briefly, and what is given still counts`() throws {
        let settings = try load("", isDevelopment: true).settings
        #expect(settings.app.inactivityTimeout == .seconds(2))
        #expect(settings.app.rootInactivityTimeout == .seconds(2))
        #expect(settings.storage.iceberg.commitInterval == .seconds(1))
        #expect(settings.observability.logsDecisions)
        let given = try load("app: {inactivity_timeout_secs: 0.25}", isDevelopment: true).settings
        #expect(given.app.inactivityTimeout == .milliseconds(250))
        #expect(given.app.rootInactivityTimeout == .milliseconds(250))
    }

    @Test(arguments: ["- a\n", "just text\n", "app: 5\n", "a: [\n", "app: {data_dir: ''}\n", "app: {data_dir: [x]}\n"])
    func `a file of another shape is refused`(yaml: String) {
        #expect(refusal(yaml).count == 1, "\(refusal(yaml))")
    }

    @Test func `ports that collide are found before they are opened`() throws {
        #expect(refusal("observability: {metrics_port: 8080}").count == 1)
        #expect(refusal("otlp: {http_port: 8080, addr: 0.0.0.0}").count == 1)
        #expect(refusal("otlp: {http_port: 8080, enabled: false}").isEmpty)
        #expect(refusal("otlp: {http_port: 0}\nobservability: {metrics_port: 0, health_port: 0}").isEmpty)
        #expect(refusal("observability: {metrics_port: 8080, metrics_addr: 10.0.0.1}").isEmpty)
    }

    @Test func `a shared catalog needs its warehouse`() throws {
        let yaml = "storage: {iceberg: {catalog_uri: 'sqlite:///srv/c.db', warehouse: 'file:///srv/w'}}"
        let iceberg = try load(yaml).settings.storage.iceberg
        #expect(iceberg.catalogDatabase == "/srv/c.db")
        #expect(iceberg.warehouseFolder == "/srv/w")
        #expect(refusal("storage: {iceberg: {catalog_uri: 'sqlite:///srv/c.db'}}").count == 1)
        #expect(refusal("storage: {iceberg: {catalog_uri: 'sqlite://c.db', warehouse: 'file:///w'}}").count == 1)
        #expect(refusal("storage: {iceberg: {namespace: 'a b', table_name: 'x;y'}}").count == 2)
    }
}

struct SamplingSettingsTests {
    @Test func `errors at a rate need the rule for all of them switched off`() throws {
        #expect(
            refusal("sampling: {error_sample_rate: 0.5}") == [
                "conf/tss.yaml:1:31: sampling.error_sample_rate: 0.5 contradicts "
                    + "sampling.always_sample_errors: set that to false"
            ])
        let simple = try load("sampling: {error_sample_rate: 0.5, always_sample_errors: false}").settings.sampling
        #expect(
            simple.words.first
                == "error_sample_rate keeps traces in which a span has status ERROR, of these a share of 0.5")
        #expect(try load("sampling: {error_sample_rate: 1}").settings.sampling.words.count == 3)
    }

    @Test func `suspicious sets are warned of`() throws {
        func warnings(_ yaml: String) throws(SettingsError) -> [String] { try load(yaml).warnings.map(\.message) }
        #expect(
            try warnings("sampling: {always_sample_errors: false}").first?.hasPrefix("nothing keeps errors") == true)
        #expect(
            try warnings("sampling: {always_sample_errors: false, sample_latency: false}").first?
                .hasPrefix("nothing keeps anything") == true)
        #expect(
            try warnings("sampling: {max_span_count: 5}") == [
                "has no effect while sampling.sample_cardinality is false"
            ])
        #expect(try warnings("sampling: {policies: []}").isEmpty)
    }

    @Test func `a policy cannot take the name of a simple key`() {
        let yaml = "sampling:\n  policies: [{name: sample_latency, type: always_sample}]\n"
        #expect(refusal(yaml).count == 1)
    }
}

struct SecretTests {
    private static let secret = Declaration(
        "app.instance_id", .text(\.app.instanceID), isSecret: true, "A secret in this test.")
    private static let vocabulary = Layer.Vocabulary(declarations: [secret], unbuilt: [])

    private func read(_ environment: [String: String], yaml: String? = nil) -> Loader {
        var loader = Loader(
            vocabulary: Self.vocabulary, machine: testMachine, settings: Settings(machine: testMachine))
        let file = yaml.map { SettingsSources.File(path: "f", text: Array($0.utf8)) }
        loader.read(SettingsSources(file: file, environment: environment)) { path throws(ReadError) in
            if path == "/run/secrets/id" { return "s3cret\n" }
            throw ReadError("cannot read \(path)")
        }
        return loader
    }

    @Test func `a secret can lie in a file`() {
        let loader = read(["TSS__APP__INSTANCE_ID_FILE": "/run/secrets/id"])
        #expect(loader.problems.list.isEmpty)
        #expect(loader.settings.app.instanceID == "s3cret")
        #expect(
            read(["TSS__APP__INSTANCE_ID_FILE": "gone"]).problems.list.map(\.description)
                == ["TSS__APP__INSTANCE_ID_FILE: app.instance_id: cannot read /srv/app/gone"])
    }

    @Test func `a secret is given once`() {
        let loader = read(["TSS__APP__INSTANCE_ID_FILE": "/run/secrets/id", "TSS__APP__INSTANCE_ID": "x"])
        #expect(loader.problems.errors.count == 1)
    }

    @Test func `a secret is neither printed nor repeated in a message`() {
        let loader = read([:], yaml: "app: {instance_id: s3cret}")
        let printed = LoadedSettings.printed(loader.settings, loader.places, [Self.secret])
        #expect(printed.contains("instance_id: <redacted>  # f:1:20"))
        #expect(!printed.contains("s3cret"))
        let wrong = read([:], yaml: "app: {instance_id: [s3cret]}")
        #expect(wrong.problems.errors.count == 1)
        #expect(!"\(wrong.problems.list)".contains("s3cret"))
    }
}
