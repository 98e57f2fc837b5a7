import TraceModel

/// What a span of a demo trace stands for.
struct DemoOperation {
    var name: String
    /// As in `GeneratedSpan.kind`.
    var kind: Int
    var attributes: [GeneratedAttribute]
}

extension DemoOperation {
    /// What a service does: first the request it answers, then what it calls on the way.
    static func of(service: String) -> [DemoOperation] {
        switch service {
        case "api-gateway":
            [
                server("GET", "/api/v1/products/{id}"), .internal("authenticate"),
                client("GET", "product-service", "/products/{id}"), redis("GET", "session"),
                client("POST", "analytics-service", "/events"),
            ]
        case "user-service":
            [
                server("GET", "/users/{id}"), sql("SELECT", "users"), redis("GET", "profile"),
                sql("UPDATE", "last_seen"), .internal("render profile"),
            ]
        case "order-service":
            [
                server("POST", "/orders"), sql("INSERT", "orders"), sql("INSERT", "order_items"),
                client("POST", "payment-service", "/payments"), producer("orders.created"),
            ]
        case "payment-service":
            [
                server("POST", "/payments"), sql("SELECT", "accounts"),
                client("POST", "card-network", "/authorize"), sql("INSERT", "payments"),
                producer("payments.settled"),
            ]
        case "inventory-service":
            [
                server("PUT", "/stock/{sku}"), sql("SELECT", "stock_levels"),
                sql("UPDATE", "stock_levels"), redis("DEL", "stock"), producer("stock.changed"),
            ]
        case "notification-service":
            [
                consumer("orders.created"), .internal("render template"),
                client("POST", "mail-relay", "/send"), sql("INSERT", "notifications"),
                .internal("schedule retry"),
            ]
        case "analytics-service":
            [
                server("POST", "/events"), .internal("validate batch"), sql("INSERT", "events"),
                producer("events.accepted"), redis("INCR", "counter"),
            ]
        case "search-service":
            [
                server("GET", "/search"), .internal("parse query"), redis("GET", "results"),
                client("POST", "index", "/products/_search"), .internal("rank results"),
            ]
        default:
            [
                server("GET", "/demo"), .internal("load settings"), sql("SELECT", "demo_items"),
                redis("GET", "demo"), client("GET", "user-service", "/users/{id}"),
            ]
        }
    }

    private static func server(_ method: String, _ route: String) -> DemoOperation {
        DemoOperation(
            name: "\(method) \(route)", kind: 2,
            attributes: [
                GeneratedAttribute("http.request.method", method),
                GeneratedAttribute("http.route", route),
                GeneratedAttribute("url.scheme", "https"),
                GeneratedAttribute("url.path", route),
                GeneratedAttribute("server.port", 8080),
            ])
    }

    private static func client(
        _ method: String, _ peer: String, _ path: String
    ) -> DemoOperation {
        DemoOperation(
            name: "\(method) \(peer)", kind: 3,
            attributes: [
                GeneratedAttribute("http.request.method", method),
                GeneratedAttribute("url.full", "https://\(peer)\(path)"),
                GeneratedAttribute("server.address", peer),
                GeneratedAttribute("peer.service", peer),
            ])
    }

    private static func sql(_ verb: String, _ table: String) -> DemoOperation {
        DemoOperation(
            name: "\(verb) \(table)", kind: 3,
            attributes: [
                GeneratedAttribute("db.system", "postgresql"),
                GeneratedAttribute("db.system.name", "postgresql"),
                GeneratedAttribute("db.operation.name", verb),
                GeneratedAttribute("db.collection.name", table),
            ])
    }

    private static func redis(_ verb: String, _ key: String) -> DemoOperation {
        DemoOperation(
            name: "\(verb) \(key)", kind: 3,
            attributes: [
                GeneratedAttribute("db.system", "redis"),
                GeneratedAttribute("db.system.name", "redis"),
                GeneratedAttribute("db.operation.name", verb),
            ])
    }

    private static func producer(_ topic: String) -> DemoOperation {
        DemoOperation(name: "send \(topic)", kind: 4, attributes: messaging("send", topic))
    }

    private static func consumer(_ topic: String) -> DemoOperation {
        DemoOperation(name: "process \(topic)", kind: 5, attributes: messaging("process", topic))
    }

    private static func messaging(_ verb: String, _ topic: String) -> [GeneratedAttribute] {
        [
            GeneratedAttribute("messaging.system", "kafka"),
            GeneratedAttribute("messaging.operation.name", verb),
            GeneratedAttribute("messaging.destination.name", topic),
        ]
    }

    private static func `internal`(_ name: String) -> DemoOperation {
        DemoOperation(
            name: name, kind: 1, attributes: [GeneratedAttribute("code.function.name", name)])
    }
}

/// Lays the spans of one trace out in time.
struct DemoTraceBuilder {
    let operations: [DemoOperation]
    let traceID: TraceID
    let kind: GeneratedTrace.Kind
    var random: SeededRandom

    /// A root that covers its children, which follow one another. In a trace with an error the last
    /// span has it, and so has the root, as when a failure reaches the caller.
    mutating func spans(count: Int, start: UInt64, duration: UInt64) -> [GeneratedSpan] {
        var spans: [GeneratedSpan] = []
        for index in 0..<count {
            let operation = index == 0 ? operations[0] : operations[1 + (index - 1) % (operations.count - 1)]
            let (first, last) = index == 0 ? (0, duration) : slot(index, of: count, in: duration)
            var span = GeneratedSpan(
                traceID: traceID, spanID: random.spanID(), name: operation.name,
                startTimeUnixNano: start &+ first, endTimeUnixNano: start &+ last)
            span.kind = operation.kind
            span.attributes = operation.attributes
            if index > 0 { span.parentSpanID = spans[0].spanID }
            finish(&span, isFailed: kind == .error && (index == 0 || index == count - 1))
            spans.append(span)
        }
        return spans
    }

    /// Offsets in the root's duration: equal slots for the children, each a bit shorter than its slot.
    private mutating func slot(_ index: Int, of count: Int, in duration: UInt64) -> (UInt64, UInt64) {
        let width = duration / UInt64(count)
        let first = width / 2 + UInt64(index - 1) * width
        return (first, first + UInt64(Double(width) * (0.5 + 0.5 * random.unit())))
    }

    private func finish(_ span: inout GeneratedSpan, isFailed: Bool) {
        if span.kind == 2 {
            span.attributes.append(
                GeneratedAttribute("http.response.status_code", isFailed ? 500 : 200))
        }
        guard isFailed else { return }
        span.statusCode = 2
        span.statusMessage = "upstream request failed"
        span.attributes.append(GeneratedAttribute("error.type", "UpstreamFailure"))
        span.events = [
            GeneratedEvent(
                timeUnixNano: span.endTimeUnixNano, name: "exception",
                attributes: [
                    GeneratedAttribute("exception.type", "UpstreamFailure"),
                    GeneratedAttribute("exception.message", "upstream request failed"),
                ])
        ]
    }
}
