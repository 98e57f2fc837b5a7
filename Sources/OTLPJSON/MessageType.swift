/// How a field is written in JSON and in protobuf.
enum FieldForm: Sendable {
    case string
    /// Bytes as hexadecimal digits: the ids.
    case hexadecimal
    /// Bytes as base64.
    case base64
    case bool
    case double
    case int64
    case uint32
    case fixed32
    case fixed64
    /// An int32 with names.
    case enumeration([String: Int32])
    case message(MessageType)
}

struct Field: Sendable {
    var name: String
    var number: UInt32
    var form: FieldForm
    var isRepeated: Bool

    init(_ name: String, _ number: UInt32, _ form: FieldForm, isRepeated: Bool = false) {
        self.name = name
        self.number = number
        self.form = form
        self.isRepeated = isRepeated
    }
}

/// The messages of OTLP traces as data.
///
/// Source: opentelemetry-proto 1.x, trace.proto, common.proto, resource.proto, trace_service.proto.
enum MessageType: Sendable {
    case request
    case resourceSpans
    case resource
    case entityRef
    case scopeSpans
    case scope
    case span
    case event
    case link
    case status
    case keyValue
    case anyValue
    case arrayValue
    case keyValueList

    /// By their names, in both spellings.
    var fields: [String: Field] {
        switch self {
        case .request: Self.requestFields
        case .resourceSpans: Self.resourceSpansFields
        case .resource: Self.resourceFields
        case .entityRef: Self.entityRefFields
        case .scopeSpans: Self.scopeSpansFields
        case .scope: Self.scopeFields
        case .span: Self.spanFields
        case .event: Self.eventFields
        case .link: Self.linkFields
        case .status: Self.statusFields
        case .keyValue: Self.keyValueFields
        case .anyValue: Self.anyValueFields
        case .arrayValue: Self.arrayValueFields
        case .keyValueList: Self.keyValueListFields
        }
    }

    /// Whether its fields are the members of one `oneof`.
    var isChoice: Bool { self == .anyValue }

    private static let requestFields = table([
        Field("resourceSpans", 1, .message(.resourceSpans), isRepeated: true)
    ])
    private static let resourceSpansFields = table([
        Field("resource", 1, .message(.resource)),
        Field("scopeSpans", 2, .message(.scopeSpans), isRepeated: true), Field("schemaUrl", 3, .string),
    ])
    private static let resourceFields = table([
        Field("attributes", 1, .message(.keyValue), isRepeated: true), Field("droppedAttributesCount", 2, .uint32),
        Field("entityRefs", 3, .message(.entityRef), isRepeated: true),
    ])
    private static let entityRefFields = table([
        Field("schemaUrl", 1, .string), Field("type", 2, .string), Field("idKeys", 3, .string, isRepeated: true),
        Field("descriptionKeys", 4, .string, isRepeated: true),
    ])
    private static let scopeSpansFields = table([
        Field("scope", 1, .message(.scope)), Field("spans", 2, .message(.span), isRepeated: true),
        Field("schemaUrl", 3, .string),
    ])
    private static let scopeFields = table([
        Field("name", 1, .string), Field("version", 2, .string),
        Field("attributes", 3, .message(.keyValue), isRepeated: true), Field("droppedAttributesCount", 4, .uint32),
    ])
    private static let spanFields = table([
        Field("traceId", 1, .hexadecimal), Field("spanId", 2, .hexadecimal), Field("traceState", 3, .string),
        Field("parentSpanId", 4, .hexadecimal), Field("name", 5, .string), Field("kind", 6, .enumeration(spanKinds)),
        Field("startTimeUnixNano", 7, .fixed64), Field("endTimeUnixNano", 8, .fixed64),
        Field("attributes", 9, .message(.keyValue), isRepeated: true), Field("droppedAttributesCount", 10, .uint32),
        Field("events", 11, .message(.event), isRepeated: true), Field("droppedEventsCount", 12, .uint32),
        Field("links", 13, .message(.link), isRepeated: true), Field("droppedLinksCount", 14, .uint32),
        Field("status", 15, .message(.status)), Field("flags", 16, .fixed32),
    ])
    private static let eventFields = table([
        Field("timeUnixNano", 1, .fixed64), Field("name", 2, .string),
        Field("attributes", 3, .message(.keyValue), isRepeated: true), Field("droppedAttributesCount", 4, .uint32),
    ])
    private static let linkFields = table([
        Field("traceId", 1, .hexadecimal), Field("spanId", 2, .hexadecimal), Field("traceState", 3, .string),
        Field("attributes", 4, .message(.keyValue), isRepeated: true), Field("droppedAttributesCount", 5, .uint32),
        Field("flags", 6, .fixed32),
    ])
    private static let statusFields = table([
        Field("message", 2, .string), Field("code", 3, .enumeration(statusCodes)),
    ])
    private static let keyValueFields = table([
        Field("key", 1, .string), Field("value", 2, .message(.anyValue)),
    ])
    private static let anyValueFields = table([
        Field("stringValue", 1, .string), Field("boolValue", 2, .bool), Field("intValue", 3, .int64),
        Field("doubleValue", 4, .double), Field("arrayValue", 5, .message(.arrayValue)),
        Field("kvlistValue", 6, .message(.keyValueList)), Field("bytesValue", 7, .base64),
    ])
    private static let arrayValueFields = table([Field("values", 1, .message(.anyValue), isRepeated: true)])
    private static let keyValueListFields = table([Field("values", 1, .message(.keyValue), isRepeated: true)])

    private static let spanKinds: [String: Int32] = [
        "SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3,
        "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5,
    ]
    private static let statusCodes: [String: Int32] = [
        "STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2,
    ]

    private static func table(_ fields: [Field]) -> [String: Field] {
        var table: [String: Field] = [:]
        for field in fields {
            table[field.name] = field
            table[snakeCase(field.name)] = field
        }
        return table
    }

    /// `startTimeUnixNano` → `start_time_unix_nano`
    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { text, letter in
            if letter.isUppercase { text.append("_") }
            text.append(letter.lowercased())
        }
    }
}
