import ProtobufWriter

/// Attributes, names and resources of the workload, encoded once and put together for each span.
struct WorkloadVocabulary: Sendable {
    static let frontNames = ["storefront", "mobile-edge", "partner-gateway", "backoffice-ui"]
    static let middleNames = [
        "ordering", "catalogue", "search", "basket", "accounts", "recommender", "pricing", "delivery",
    ]
    static let backNames = [
        "payments", "stock", "identity", "bookkeeping", "messaging", "taxation", "images", "auditing",
    ]

    /// Method GET three times of five.
    let methods = ["GET", "GET", "GET", "POST", "PUT"]
    let methodAttributes: [[UInt8]]
    let scheme = Self.attribute("url.scheme", "https")
    /// Mostly 200.
    let successStatuses: [[UInt8]]
    let failureStatus = Self.attribute("http.response.status_code", 500)
    let protocolName = Self.attribute("network.protocol.name", "http")
    let protocolVersion = Self.attribute("network.protocol.version", "1.1")
    let clientAddresses: [[UInt8]]
    let peerAddresses: [[UInt8]]
    let userAgents: [[UInt8]]
    let tenants: [[UInt8]]
    let threadIDs: [[UInt8]]
    let threadNames: [[UInt8]]
    let serverPort = Self.attribute("server.port", 8080)
    let peerPort = Self.attribute("network.peer.port", 8080)
    let sqlPort = Self.attribute("server.port", 5432)
    let cachePort = Self.attribute("server.port", 6379)
    let sqlSystem = Self.attribute("db.system.name", "postgresql")
    let cacheSystem = Self.attribute("db.system.name", "redis")
    let rowCounts: [[UInt8]]
    let lineNumbers: [[UInt8]]
    let itemCounts: [[UInt8]]
    let prices: [[UInt8]]
    let currencies: [[UInt8]]
    let cacheHits: [[UInt8]]
    let variants: [[UInt8]]
    /// Name and attributes of the event of a failed span; the time is in front.
    let exception: [UInt8]
    /// The status of a failed span.
    let failure: [UInt8]
    let services: [WorkloadService]

    init(_ random: inout SeededRandom) {
        let methods = methods
        methodAttributes = methods.map { Self.attribute("http.request.method", $0) }
        successStatuses = (Array(repeating: 200, count: 8) + [201, 204, 404]).map {
            Self.attribute("http.response.status_code", $0)
        }
        let addresses = (0..<2000).map { _ in
            "10.\(random.below(16)).\(random.below(256)).\(1 + random.below(128))"
        }
        clientAddresses = addresses.map { Self.attribute("client.address", $0) }
        peerAddresses = addresses.map { Self.attribute("network.peer.address", $0) }
        userAgents = Self.userAgentTexts.map { Self.attribute("user_agent.original", $0) }
        tenants = (0..<500).map { Self.attribute("app.tenant.id", "tenant-\(1000 + $0)") }
        threadIDs = (0..<64).map { Self.attribute("thread.id", 20 + $0) }
        threadNames = (0..<64).map { Self.attribute("thread.name", "http-worker-8080-exec-\($0)") }
        rowCounts = (0..<100).map { Self.attribute("db.response.returned_rows", $0) }
        lineNumbers = (0..<50).map { Self.attribute("code.line.number", 30 + 7 * $0) }
        itemCounts = (1..<20).map { Self.attribute("app.basket.items", $0) }
        prices = (0..<300).map {
            Self.attribute(GeneratedAttribute("app.price", .double(Double($0) * 1.75 + 0.99)))
        }
        currencies = ["EUR", "USD", "GBP", "SEK"].map { Self.attribute("app.currency", $0) }
        cacheHits = [true, false].map { Self.attribute(GeneratedAttribute("app.cache.hit", .bool($0))) }
        variants = ["control", "variant-a", "variant-b"].map {
            Self.attribute("app.feature.variant", $0)
        }
        exception = Self.exceptionBody()
        var status = MessageWriter()
        status.message(15) {
            $0.string(2, "upstream request failed")
            $0.int(3, 2)
        }
        failure = status.bytes
        let names = Self.frontNames + Self.middleNames + Self.backNames
        services = names.enumerated().map { WorkloadService(name: $1, index: $0, &random) }
    }

    private static let userAgentTexts: [String] =
        (0..<8).map {
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                + "Chrome/1\(10 + $0).0.0.0 Safari/537.36"
        } + (0..<4).map { "okhttp/4.1\($0).0" }

    private static func exceptionBody() -> [UInt8] {
        let frames = (0..<14).map { "\tat org.shop.web.Handler.step\($0)(Handler.java:\(40 + 13 * $0))\n" }
        let type = "java.lang.IllegalStateException"
        var writer = MessageWriter()
        writer.string(2, "exception")
        writer.attributes(
            [
                GeneratedAttribute("exception.type", type),
                GeneratedAttribute("exception.message", "upstream request failed"),
                GeneratedAttribute(
                    "exception.stacktrace", "\(type): upstream request failed\n" + frames.joined()),
            ], field: 3)
        return writer.bytes
    }

    /// `Span.attributes`, field 9.
    static func attribute(_ attribute: GeneratedAttribute) -> [UInt8] {
        var writer = MessageWriter()
        writer.attributes([attribute], field: 9)
        return writer.bytes
    }

    static func attribute(_ key: String, _ text: String) -> [UInt8] {
        attribute(GeneratedAttribute(key, text))
    }

    static func attribute(_ key: String, _ number: Int) -> [UInt8] {
        attribute(GeneratedAttribute(key, number))
    }
}

/// One of the twenty services: its resource and what its spans say about it.
struct WorkloadService: Sendable {
    /// `ResourceSpans.resource`, field 1.
    let resource: [UInt8]
    /// `ScopeSpans.scope`, field 1.
    let scope: [UInt8]
    let name: String
    /// Without their last part, a parameter.
    let routes: [String]
    let routeAttributes: [[UInt8]]
    let address: [UInt8]
    let peer: [UInt8]
    /// Namespace and address of its database.
    let database: [UInt8]
    let queries: [(name: String, attributes: [UInt8])]
    let functions: [(name: String, attributes: [UInt8])]

    init(name: String, index: Int, _ random: inout SeededRandom) {
        self.name = name
        let language = ["java", "go", "nodejs", "python", "dotnet"][index % 5]
        let instance = UUIDText.text(random.next(), random.next())
        var writer = MessageWriter()
        writer.message(1) {
            $0.attributes(
                [
                    GeneratedAttribute("service.name", name),
                    GeneratedAttribute("service.version", "2.\(index % 7).\(index % 11)"),
                    GeneratedAttribute("service.instance.id", instance),
                    GeneratedAttribute("deployment.environment.name", "production"),
                    GeneratedAttribute(
                        "host.name", "ip-10-0-\(index)-\(10 + index).eu-north-1.compute.internal"),
                    GeneratedAttribute("telemetry.sdk.language", language),
                ], field: 1)
        }
        resource = writer.bytes
        writer.removeAll()
        writer.message(1) {
            $0.string(1, "io.opentelemetry.\(language)-http-instrumentation")
            $0.string(2, "2.\(10 + index % 5).0")
        }
        scope = writer.bytes
        let parts = ["items", "detail", "quote", "status", "list", "search", "summary", "batch"]
        routes = parts.map { "/api/v2/\(name)/\($0)/" }
        routeAttributes = routes.map { WorkloadVocabulary.attribute("http.route", $0 + "{id}") }
        address = WorkloadVocabulary.attribute("server.address", "\(name).prod.svc.cluster.local")
        peer = WorkloadVocabulary.attribute("peer.service", name)
        database =
            WorkloadVocabulary.attribute("db.namespace", "\(name)_prod")
            + WorkloadVocabulary.attribute("server.address", "db-\(name).prod.internal")
        queries = Self.tables.flatMap { Self.queries(on: $0) }
        let package = String(name.filter { $0 != "-" })
        functions = Self.functionNames.map { function in
            let attributes =
                WorkloadVocabulary.attribute(
                    "code.function.name", "com.example.\(package).Service.\(function)")
                + WorkloadVocabulary.attribute(
                    "code.file.path", "src/main/java/com/example/\(package)/Service.java")
            return (function, attributes)
        }
    }

    private static let tables = [
        "orders", "order_lines", "customers", "sessions", "stock_levels", "price_rules", "audit_log",
        "baskets",
    ]
    private static let functionNames = [
        "computeTotals", "applyRules", "renderView", "validateInput", "loadProfile", "mergeResults",
    ]

    private static func queries(on table: String) -> [(name: String, attributes: [UInt8])] {
        let texts = [
            (
                "SELECT",
                "SELECT id, created_at, updated_at, status, total FROM \(table) "
                    + "WHERE tenant_id = $1 AND id = $2 ORDER BY created_at DESC LIMIT 50"
            ),
            (
                "UPDATE",
                "UPDATE \(table) SET status = $1, updated_at = now() WHERE tenant_id = $2 AND id = $3"
            ),
            (
                "INSERT",
                "INSERT INTO \(table) (tenant_id, id, status, total, payload) VALUES ($1, $2, $3, $4, $5)"
            ),
        ]
        return texts.map { verb, text in
            let attributes =
                WorkloadVocabulary.attribute("db.operation.name", verb)
                + WorkloadVocabulary.attribute("db.collection.name", table)
                + WorkloadVocabulary.attribute("db.query.text", text)
                + WorkloadVocabulary.attribute("db.query.summary", "\(verb) \(table)")
            return ("\(verb) \(table)", attributes)
        }
    }
}

/// 36 characters of hexadecimal digits in the form of a UUID.
enum UUIDText {
    static func text(_ high: UInt64, _ low: UInt64) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
            let word = index < 16 ? high : low
            text.append(digits[Int(word >> UInt64(60 - index % 16 * 4) & 0xF)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
