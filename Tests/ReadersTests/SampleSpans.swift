import TraceGenerator
import TraceModel

/// Spans whose values a reader could confuse, and random ones.
enum SampleSpans {
    static let startUnixNano: UInt64 = 1_780_000_000_123_456_789

    /// One value of every kind, and of each kind those that are easily taken for another.
    static let attributes: [GeneratedAttribute] = [
        GeneratedAttribute("int", .int(5)),
        GeneratedAttribute("double", .double(5.0)),
        GeneratedAttribute("bool", .bool(true)),
        GeneratedAttribute("false", .bool(false)),
        GeneratedAttribute("text", .string("5")),
        GeneratedAttribute("text.true", .string("true")),
        GeneratedAttribute("bytes", .bytes([0, 1, 0x35, 0xFF])),
        GeneratedAttribute("bytes.text", .bytes(Array("5".utf8))),
        GeneratedAttribute("bytes.none", .bytes([])),
        GeneratedAttribute("text.none", .string("")),
        GeneratedAttribute("empty", .empty),
        GeneratedAttribute("int.largest", .int(.max)),
        GeneratedAttribute("int.smallest", .int(.min)),
        GeneratedAttribute("int.zero", .int(0)),
        GeneratedAttribute("double.zero", .double(-0.0)),
        GeneratedAttribute("double.tiny", .double(.leastNonzeroMagnitude)),
        GeneratedAttribute("double.huge", .double(1.7976931348623157e308)),
        GeneratedAttribute("double.third", .double(1.0 / 3)),
        GeneratedAttribute("double.nan", .double(.nan)),
        GeneratedAttribute("double.infinity", .double(.infinity)),
        GeneratedAttribute("double.minus.infinity", .double(-.infinity)),
        GeneratedAttribute("list", .array([.int(5), .double(5.0), .bool(true), .string("5"), .bytes([5]), .empty])),
        GeneratedAttribute("list.none", .array([])),
        GeneratedAttribute("list.nested", .array([.array([.array([]), .int(1)]), .keyValueList([])])),
        GeneratedAttribute(
            "map",
            .keyValueList([
                GeneratedAttribute(
                    "deeper", .keyValueList([GeneratedAttribute("list", .array([.int(.max), .double(0.1)]))])),
                GeneratedAttribute("", .string("\"\\\n\u{1}\u{7F}/")),
                GeneratedAttribute("same", 1), GeneratedAttribute("same", 2),
            ])),
        GeneratedAttribute("map.none", .keyValueList([])),
        GeneratedAttribute("unicode 😀", .string("grüße \u{1F468}\u{200D}\u{1F469} 漢字")),
        GeneratedAttribute("", .string("the empty key")),
        GeneratedAttribute("quote'key\"", .string("'; DROP TABLE spans; --")),
        GeneratedAttribute("NULL", .string("NULL")),
    ]

    /// Every column is set in one of them, and every one is absent in one.
    static var chosen: [GeneratedSpan] {
        let trace = TraceID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        var full = GeneratedSpan(
            traceID: trace, spanID: SpanID(1), name: "GET /orders/{id}", startTimeUnixNano: startUnixNano,
            endTimeUnixNano: startUnixNano + 1_234_567_890)
        full.kind = 2
        full.attributes = attributes
        full.droppedAttributesCount = .max
        full.events = [
            GeneratedEvent(timeUnixNano: startUnixNano + 1, name: "exception", attributes: attributes),
            GeneratedEvent(timeUnixNano: 0, name: ""),
            GeneratedEvent(timeUnixNano: startUnixNano + 2, name: "one", attributes: [GeneratedAttribute("a", 1)]),
        ]
        full.events[0].droppedAttributesCount = 3
        full.droppedEventsCount = 4
        full.links = [
            GeneratedLink(traceID: trace, spanID: SpanID(9)),
            GeneratedLink(traceID: TraceID(high: 1, low: 2), spanID: SpanID(.max)),
        ]
        full.links[0].attributes = attributes
        full.links[0].traceState = "a=b,c=d"
        full.links[0].flags = 0x301
        full.links[0].droppedAttributesCount = 1
        full.droppedLinksCount = 5
        full.statusCode = 2
        full.statusMessage = "no such order"
        full.traceState = "ot=th:8;rv:0123456789abcd"
        full.flags = .max
        var child = GeneratedSpan(
            traceID: trace, spanID: SpanID(2), name: "", startTimeUnixNano: startUnixNano + 5,
            endTimeUnixNano: startUnixNano)
        child.parentSpanID = SpanID(1)
        child.flags = 0
        child.kind = 0
        let backward = GeneratedSpan(
            traceID: trace, spanID: SpanID(3), name: "ends before it starts",
            startTimeUnixNano: startUnixNano + 3_000_000, endTimeUnixNano: startUnixNano + 500_000)
        let before = GeneratedSpan(
            traceID: TraceID(high: 0, low: 7), spanID: SpanID(4), name: "1970", startTimeUnixNano: 0,
            endTimeUnixNano: 1_999_999)
        return [full, child, backward, before]
    }

    static func random(count: Int, seed: UInt64) -> [GeneratedSpan] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { index in
            let start = startUnixNano + UInt64(random.below(200_000)) * 1_000_000_000
            var span = GeneratedSpan(
                traceID: TraceID(high: 1, low: UInt64(1 + random.below(count / 4 + 1))),
                spanID: SpanID(UInt64(100 + index)), name: word(&random), startTimeUnixNano: start,
                endTimeUnixNano: start + UInt64(random.below(1_000_000_000)))
            span.kind = random.below(6)
            span.parentSpanID = SpanID(UInt64(random.below(3)))
            span.attributes = set(&random)
            span.statusCode = random.below(3)
            for _ in 0..<[0, 0, 0, 1, 3][random.below(5)] {
                var event = GeneratedEvent(timeUnixNano: start + 1, name: word(&random), attributes: set(&random))
                event.droppedAttributesCount = UInt32(random.below(3))
                span.events.append(event)
            }
            for _ in 0..<[0, 0, 0, 1, 2][random.below(5)] {
                var link = GeneratedLink(traceID: TraceID(high: 3, low: 4), spanID: SpanID(5))
                link.attributes = set(&random)
                if random.chance(0.5) { link.traceState = word(&random) }
                span.links.append(link)
            }
            return span
        }
    }

    /// The key by which `check_rows.py` asks for one row.
    private static let onlyInOne = "int.largest"

    /// Spans that have most attributes in common, as those of one service do; the last has a text of a mebibyte, a long
    /// list and one that is nested as deep as a reader of OTLP takes.
    static func alike(count: Int, seed: UInt64) -> [GeneratedSpan] {
        var random = SeededRandom(seed: seed)
        var spans = (0..<count).map { index in
            var span = GeneratedSpan(
                traceID: TraceID(high: 5, low: UInt64(1 + index / 8)), spanID: SpanID(UInt64(10_000 + index)),
                name: word(&random), startTimeUnixNano: startUnixNano + UInt64(index),
                endTimeUnixNano: startUnixNano + UInt64(2 * index))
            // Some absent, in an order that changes seldom.
            span.attributes = attributes.filter { random.chance(0.8) && $0.key != onlyInOne }
            if random.chance(0.2) { span.attributes.reverse() }
            for key in 0..<4 {
                span.attributes.append(GeneratedAttribute("key \(key)", .string("value \(random.below(20))")))
                span.attributes.append(GeneratedAttribute("number \(key)", .int(Int64(random.below(100) - 3))))
            }
            return span
        }
        var deep = GeneratedValue.int(1)
        for _ in 0..<60 { deep = .array([deep]) }
        spans[count - 1].attributes += [
            GeneratedAttribute("huge", .string(String(repeating: "é", count: 1 << 19))),
            GeneratedAttribute("long", .array((0..<10_000).map { .int(Int64($0)) })),
            GeneratedAttribute("deep", deep),
        ]
        return spans
    }

    /// A set of attributes without repeated keys.
    private static func set(_ random: inout SeededRandom) -> [GeneratedAttribute] {
        let count = random.chance(0.02) ? 100 : random.below(6)
        return (0..<count).map { GeneratedAttribute("\(word(&random)).\($0)", value(&random, depth: 0)) }
    }

    private static func value(_ random: inout SeededRandom, depth: Int) -> GeneratedValue {
        switch random.below(depth < 3 ? 8 : 6) {
        case 0: .string(word(&random))
        case 1: .int(Int64(truncatingIfNeeded: random.next()) >> Int64(random.below(64)))
        case 2: .double(Double(bitPattern: random.next()))
        case 3: .bool(random.chance(0.5))
        case 4: .bytes((0..<random.below(5)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        case 5: .empty
        case 6: .array((0..<random.below(4)).map { _ in value(&random, depth: depth + 1) })
        default:
            .keyValueList(
                (0..<random.below(4)).map { _ in GeneratedAttribute(word(&random), value(&random, depth: depth + 1)) })
        }
    }

    private static func word(_ random: inout SeededRandom) -> String {
        let words = ["", "a", "http.route", "db.system", "5", "null", "ü", "😀", "x y", "GET", "\n", "service"]
        return words[random.below(words.count)]
    }
}
