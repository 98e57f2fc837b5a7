internal import Configuration

/// What one key alone cannot show.
extension Loader {
    /// - Parameter readFile: The text of a file that a key names.
    mutating func check(_ readFile: (String) throws(ReadError) -> String) {
        settings.app.maximumBufferBytes = max(settings.app.maximumBufferBytes, Self.smallestBufferBytes)
        checkSampling(readFile)
        checkWaits()
        checkDisk()
        checkAdmin(readFile)
        checkKafka()
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

    /// The token of the admin calls, from its file when it lies in one.
    private mutating func checkAdmin(_ readFile: (String) throws(ReadError) -> String) {
        let key = "admin.token"
        if let path = settings.admin.tokenFile {
            let fileKey = "admin.token_file"
            let place = places[fileKey] ?? .builtIn
            if let other = places[key] {
                problems.error(at: place, key: fileKey, "the same as \(key), which is given at \(other)")
            }
            do throws(ReadError) {
                settings.admin.token = Self.withoutFinalNewline(try readFile(path))
            } catch {
                problems.error(at: place, key: fileKey, error.message)
                return
            }
        }
        guard let token = settings.admin.token else { return }
        // RFC 6750, section 2.1: what a bearer token consists of, and so what a client can send.
        let isToken = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        if token.isEmpty || !isToken {
            problems.error(
                at: places[key] ?? places["admin.token_file"] ?? .builtIn, key: key,
                "a token consists of visible ASCII characters, at least one")
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
