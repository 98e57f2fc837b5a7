import TraceGenerator
import TraceModel

/// Writes messages as OTLP/JSON, each time in another of the spellings that the format allows: both kinds of names,
/// numbers and numbers in quotes, numbers and names of enumerations, members in any order, unknown ones, nulls.
struct JSONSpelling {
    var random: SeededRandom

    mutating func spell(_ message: ModelMessage) -> String {
        object([("resourceSpans", array(message.groups.map { resourceSpans($0) }))])
    }

    private mutating func resourceSpans(_ group: ModelResourceSpans) -> String {
        object([
            ("resource", object([("attributes", attributes(group.attributes))])),
            ("schemaUrl", text(group.schemaURL)), ("scopeSpans", array(group.scopes.map { scopeSpans($0) })),
        ])
    }

    private mutating func scopeSpans(_ scope: ModelScopeSpans) -> String {
        object([
            ("scope", object([("name", text(scope.name)), ("version", text(scope.version))])),
            ("schemaUrl", text(scope.schemaURL)), ("spans", array(scope.spans.map { span($0) })),
        ])
    }

    mutating func span(_ span: GeneratedSpan) -> String {
        object([
            ("traceId", id(span.traceID.bytes)), ("spanId", id(span.spanID.bytes)),
            ("parentSpanId", span.parentSpanID.isValid ? id(span.parentSpanID.bytes) : "\"\""),
            ("traceState", text(span.traceState)), ("name", text(span.name)),
            ("kind", enumeration(span.kind, "SPAN_KIND_", kinds)),
            ("startTimeUnixNano", whole(span.startTimeUnixNano)), ("endTimeUnixNano", whole(span.endTimeUnixNano)),
            ("attributes", attributes(span.attributes)),
            ("droppedAttributesCount", whole(span.droppedAttributesCount)),
            ("events", array(span.events.map { event($0) })), ("droppedEventsCount", whole(span.droppedEventsCount)),
            ("links", array(span.links.map { link($0) })), ("droppedLinksCount", whole(span.droppedLinksCount)),
            (
                "status",
                object([
                    ("code", enumeration(span.statusCode, "STATUS_CODE_", ["UNSET", "OK", "ERROR"])),
                    ("message", text(span.statusMessage)),
                ])
            ),
            ("flags", whole(span.flags)),
        ])
    }

    private var kinds: [String] { ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"] }

    private mutating func event(_ event: GeneratedEvent) -> String {
        object([
            ("timeUnixNano", whole(event.timeUnixNano)), ("name", text(event.name)),
            ("attributes", attributes(event.attributes)),
            ("droppedAttributesCount", whole(event.droppedAttributesCount)),
        ])
    }

    private mutating func link(_ link: GeneratedLink) -> String {
        object([
            ("traceId", id(link.traceID.bytes)), ("spanId", id(link.spanID.bytes)),
            ("traceState", text(link.traceState)), ("attributes", attributes(link.attributes)),
            ("droppedAttributesCount", whole(link.droppedAttributesCount)), ("flags", whole(link.flags)),
        ])
    }

    private mutating func attributes(_ attributes: [GeneratedAttribute]) -> String {
        array(attributes.map { object([("key", text($0.key)), ("value", value($0.value))]) })
    }

    private mutating func value(_ value: GeneratedValue) -> String {
        switch value {
        case .empty: random.chance(0.5) ? "{}" : object([("stringValue", "null")])
        case .string(let content): object([("stringValue", text(content))], mayOmit: false)
        case .bool(let flag): object([("boolValue", "\(flag)")], mayOmit: false)
        case .int(let number): object([("intValue", whole(number))], mayOmit: false)
        case .double(let number): object([("doubleValue", double(number))], mayOmit: false)
        case .bytes(let bytes): object([("bytesValue", base64(bytes))], mayOmit: false)
        case .array(let values):
            object([("arrayValue", object([("values", array(values.map { self.value($0) }))]))], mayOmit: false)
        case .keyValueList(let list):
            object([("kvlistValue", object([("values", attributes(list))]))], mayOmit: false)
        }
    }

    // MARK: Spellings

    /// Members that say nothing may be left out, or be null; unknown ones come between.
    private mutating func object(_ members: [(String, String)], mayOmit: Bool = true) -> String {
        var texts: [String] = []
        for (name, value) in members {
            let saysNothing = ["\"\"", "[]", "0", "\"0\""].contains(value)
            if mayOmit, saysNothing, random.chance(0.5) {
                if random.chance(0.3) { texts.append("\(blank())\"\(name)\":\(blank())null") }
                continue
            }
            texts.append("\"\(random.chance(0.3) ? snakeCase(name) : name)\"\(blank()):\(blank())\(value)")
        }
        if random.chance(0.2) { texts.append(#""unknown":{"a":[1,null,{"traceId":"zz"}],"b":"\ud83d\ude00"}"#) }
        for index in texts.indices.reversed() { texts.swapAt(index, random.below(index + 1)) }
        return "{\(blank())" + texts.joined(separator: ",\(blank())") + "}"
    }

    private mutating func array(_ elements: [String]) -> String {
        "[" + elements.joined(separator: "\(blank()),") + "]"
    }

    private mutating func blank() -> String { random.chance(0.9) ? "" : random.pick([" ", "\n", "\t", "\r\n  "]) }

    private mutating func whole(_ number: some FixedWidthInteger) -> String {
        random.chance(0.5) ? "\(number)" : "\"\(number)\""
    }

    private mutating func double(_ number: Double) -> String {
        if number == .infinity { return "\"Infinity\"" }
        return random.chance(0.7) ? "\(number)" : "\"\(number)\""
    }

    private mutating func enumeration(_ code: Int, _ prefix: String, _ names: [String]) -> String {
        random.chance(0.5) ? "\(code)" : "\"\(prefix)\(names[code])\""
    }

    private mutating func id(_ bytes: [UInt8]) -> String {
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return "\"\(random.chance(0.5) ? digits : digits.uppercased())\""
    }

    private mutating func base64(_ bytes: [UInt8]) -> String {
        let isURLSafe = random.chance(0.5)
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + (isURLSafe ? "-_" : "+/"))
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0...group.count { text.append(alphabet[word >> (18 - 6 * place) & 63]) }
            if !isURLSafe { text += String(repeating: "=", count: 3 - group.count) }
        }
        return "\"\(text)\""
    }

    private mutating func text(_ text: String) -> String {
        var written = "\""
        for unit in text.utf16 {
            let scalar = Unicode.Scalar(unit)
            if let scalar, scalar.isASCII, scalar.value >= 0x20, scalar != "\"", scalar != "\\", random.chance(0.9) {
                written.unicodeScalars.append(scalar)
            } else {
                let digits = String(unit, radix: 16)
                written += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return written + "\""
    }

    private func snakeCase(_ name: String) -> String {
        name.map { $0.isUppercase ? "_\($0.lowercased())" : "\($0)" }.joined()
    }
}
