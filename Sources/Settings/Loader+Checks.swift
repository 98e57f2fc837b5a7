internal import Configuration
internal import Sampling

/// What one key alone cannot show.
extension Loader {
    mutating func check() {
        settings.app.maximumBufferBytes = max(settings.app.maximumBufferBytes, Self.smallestBufferBytes)
        checkWaits()
        checkDisk()
        checkSampling()
        resolveCatalog()
        checkPorts()
    }

    /// A quarter of a tiny machine's memory may be less than one request.
    static let smallestBufferBytes = 1 << 20

    private mutating func checkWaits() {
        let key = "app.root_inactivity_timeout_secs"
        guard settings.app.rootInactivityTimeout > settings.app.inactivityTimeout else { return }
        settings.app.rootInactivityTimeout = settings.app.inactivityTimeout
        if let place = places[key] {
            problems.warning(at: place, key: key, "longer than app.inactivity_timeout_secs, which is taken")
        }
    }

    /// What flush and commit alone may use of the disk budget: two files on their way, and what belongs to them.
    static func diskReserveBytes(targetFileBytes: Int) -> Int { 2 * targetFileBytes + (64 << 20) }

    /// A budget that the reserve eats up would refuse every request.
    private mutating func checkDisk() {
        let reserve = Self.diskReserveBytes(targetFileBytes: settings.storage.iceberg.targetFileBytes)
        guard settings.app.maximumDiskBytes <= reserve else { return }
        let key = "app.max_disk_bytes"
        problems.error(
            at: places[key] ?? places["storage.iceberg.target_file_bytes"] ?? .builtIn, key: key,
            "\(settings.app.maximumDiskBytes) leaves no room for spans: \(reserve) are kept for commits "
                + "(2 × storage.iceberg.target_file_bytes + 64 MiB)")
    }

    private mutating func checkSampling() {
        let simple = settings.sampling.simple
        if simple.alwaysSampleErrors, let rate = simple.errorSampleRate, rate < 1 {
            let key = "sampling.error_sample_rate"
            problems.error(
                at: places[key] ?? .builtIn, key: key,
                "\(NumberText.of(rate)) contradicts sampling.always_sample_errors: set that to false")
        }
        if !simple.sampleLatency {
            warnIdle(["latency_threshold_ms", "latency_sample_rate"], without: "sample_latency")
        }
        if !simple.sampleCardinality { warnIdle(["max_span_count"], without: "sample_cardinality") }
        let places = places
        var written: [PolicyConfiguration] = []
        if let node = settings.sampling.policies {
            written = PolicyCatalog.policies(in: node, path: "sampling.policies", problems: &problems)
        }
        let effective = simple.policies(written: written) { places["sampling.\($0)"] ?? .builtIn }
        do throws(SamplingError) {
            settings.sampling.sampler = try Sampler(policies: effective)
            problems.add(settings.sampling.sampler.warnings)
        } catch {
            problems.add(error.problems)
        }
    }

    /// Warns of keys that were changed and need another one to act.
    private mutating func warnIdle(_ names: [String], without name: String) {
        let defaults = Settings(machine: machine)
        for declaration in vocabulary.declarations {
            let key = declaration.key
            guard names.contains(where: { key == "sampling." + $0 }), let place = places[key],
                declaration.form.text(in: settings) != declaration.form.text(in: defaults)
            else { continue }
            problems.warning(at: place, key: key, "has no effect while sampling.\(name) is false")
        }
    }

    private mutating func resolveCatalog() {
        let iceberg = settings.storage.iceberg
        let folder = settings.app.dataFolder
        settings.storage.iceberg.catalogDatabase = folder + "/catalog.db"
        settings.storage.iceberg.warehouseFolder = folder + "/warehouse"
        if let uri = iceberg.catalogURI {
            let key = "storage.iceberg.catalog_uri"
            if let path = Self.path(uri, scheme: "sqlite") {
                settings.storage.iceberg.catalogDatabase = path
                if iceberg.warehouse == nil {
                    problems.error(
                        at: places[key] ?? .builtIn, key: key,
                        "needs storage.iceberg.warehouse beside it: file:///absolute/path")
                }
            } else {
                problems.error(
                    at: places[key] ?? .builtIn, key: key,
                    Self.isWeb(uri)
                        ? "the REST catalog is not built yet; sqlite:///absolute/path/catalog.db is"
                        : "expected sqlite:///absolute/path/catalog.db, found \"\(uri)\"")
            }
        }
        if let uri = iceberg.warehouse {
            let key = "storage.iceberg.warehouse"
            if let path = Self.path(uri, scheme: "file") {
                settings.storage.iceberg.warehouseFolder = path
            } else {
                problems.error(
                    at: places[key] ?? .builtIn, key: key,
                    "expected file:///absolute/path, found \"\(uri)\"; "
                        + "a warehouse's name belongs to a REST catalog, which is not built yet")
            }
        }
    }

    private static func isWeb(_ uri: String) -> Bool { uri.hasPrefix("http://") || uri.hasPrefix("https://") }

    /// The absolute path of `scheme:///path`, nil for another scheme, a host or the root.
    private static func path(_ uri: String, scheme: String) -> String? {
        guard uri.hasPrefix(scheme + ":///") else { return nil }
        let path = AbsolutePath.of(String(uri.dropFirst(scheme.count + 3)), in: "/")
        return path == "/" ? nil : path
    }

    /// Two entrances on one port would be found only when the second is opened.
    private mutating func checkPorts() {
        var ports: [(key: String, address: String, port: Int)] = []
        if settings.otlp.isEnabled {
            ports.append(("otlp.http_port", settings.otlp.address, settings.otlp.httpPort))
        }
        let observability = settings.observability
        ports.append(("observability.health_port", observability.healthAddress, observability.healthPort))
        ports.append(("observability.metrics_port", observability.metricsAddress, observability.metricsPort))
        for (index, one) in ports.enumerated() where one.port != 0 {
            for other in ports[..<index] where other.port == one.port && Self.overlap(one.address, other.address) {
                problems.error(
                    at: places[one.key] ?? places[other.key] ?? .builtIn, key: one.key,
                    "port \(one.port) is that of \(other.key) too")
            }
        }
    }

    private static func overlap(_ one: String, _ other: String) -> Bool {
        let wild: Set<String> = ["0.0.0.0", "::", "[::]"]
        return one == other || wild.contains(one) || wild.contains(other)
    }
}
