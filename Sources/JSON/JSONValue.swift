/// A JSON value: what a text says, without its places.
///
/// Whole numbers are exact over all 64 bits: those of `Int64` are `integer`, larger ones up to `UInt64.max` are
/// `unsigned`, and everything with a fraction, an exponent or more digits is `double`.
///
/// Source: RFC 8259.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Only above `Int64.max`; use `JSONValue(_: UInt64)` to choose the case.
    case unsigned(UInt64)
    /// Finite; the writer refuses anything else.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// `integer` when it fits there, else `unsigned`, so that equal numbers are equal values.
    public init(_ number: UInt64) {
        if let small = Int64(exactly: number) {
            self = .integer(small)
        } else {
            self = .unsigned(number)
        }
    }

    /// The text of a string, else nil.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The number when it is whole and fits, else nil; doubles are never taken for whole numbers.
    public var int64: Int64? {
        if case .integer(let number) = self { number } else { nil }
    }

    public var uint64: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        default: nil
        }
    }

    /// Any number, rounded to the nearest double.
    public var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .unsigned(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    public var bool: Bool? {
        if case .bool(let flag) = self { flag } else { nil }
    }

    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    public var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The member of an object; nil when it is absent or this is no object.
    public subscript(key: String) -> JSONValue? { object?[key] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

/// Members of an object in the order in which they came, each key once.
///
/// Two objects are equal when they have the same members, in any order (RFC 8259, section 4).
public struct JSONObject: Sendable {
    /// In order of appearance.
    public private(set) var keys: [String] = []
    private var values: [String: JSONValue] = [:]

    public init() {}

    public var count: Int { keys.count }
    public var isEmpty: Bool { keys.isEmpty }
    public var members: [(key: String, value: JSONValue)] { keys.map { ($0, values[$0] ?? .null) } }

    /// The member's value; setting a new key appends it, setting nil removes it.
    ///
    /// - Complexity: O(1), removal O(*n*).
    public subscript(key: String) -> JSONValue? {
        get { values[key] }
        set {
            guard let newValue else {
                if values.removeValue(forKey: key) != nil { keys.removeAll { $0 == key } }
                return
            }
            if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
        }
    }
}

extension JSONObject: Hashable, ExpressibleByDictionaryLiteral {
    public static func == (one: JSONObject, other: JSONObject) -> Bool { one.values == other.values }
    public func hash(into hasher: inout Hasher) { hasher.combine(values) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }
}
