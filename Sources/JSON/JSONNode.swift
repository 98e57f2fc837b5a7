/// A value of a JSON text with the place where it stands, for readers that must say what is wrong where.
///
/// Keys that appear twice in one object are refused: two readers would not agree on what the text says.
public struct JSONNode: Sendable {
    public enum Content: Sendable {
        case null
        case bool(Bool)
        /// `integer`, `unsigned` or `double`.
        case number(JSONValue)
        case string(String)
        case array([JSONNode])
        case object(JSONMembers)
    }

    public var content: Content
    public var place: JSONPlace

    /// Reads a whole text, which must hold one value and nothing else.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var reader = try JSONReader(bytes, limits: limits)
        var budget = limits.nodes
        self = try reader.node(budget: &budget)
        try reader.end()
    }

    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    init(content: Content, place: JSONPlace) {
        self.content = content
        self.place = place
    }

    /// The same without places.
    public var value: JSONValue {
        switch content {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .number(let number): return number
        case .string(let text): return .string(text)
        case .array(let elements): return .array(elements.map(\.value))
        case .object(let members):
            var object = JSONObject()
            for member in members { object[member.key] = member.node.value }
            return .object(object)
        }
    }
}

/// The members of an object in the order of the text, each key once.
public struct JSONMembers: Sendable, RandomAccessCollection {
    public struct Member: Sendable {
        public var key: String
        /// Place of the key.
        public var place: JSONPlace
        public var node: JSONNode
    }

    /// Place of the opening brace.
    public var place: JSONPlace
    private var members: [Member] = []
    private var indexByKey: [String: Int] = [:]

    init(place: JSONPlace) {
        self.place = place
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }
    public subscript(index: Int) -> Member { members[index] }

    /// Nil when the key is absent.
    public subscript(key: String) -> JSONNode? {
        guard let index = indexByKey[key] else { return nil }
        return members[index].node
    }

    /// The member, which must be there.
    public func required(_ key: String) throws(JSONError) -> JSONNode {
        guard let node = self[key] else { throw JSONError("member \"\(key)\" is missing", at: place) }
        return node
    }

    /// The member unless it is absent or null.
    public func optional(_ key: String) -> JSONNode? {
        guard let node = self[key], !node.isNull else { return nil }
        return node
    }

    /// Throws at the first member that is not among `known`.
    public func refuseUnknown(_ known: Set<String>) throws(JSONError) {
        for member in members where !known.contains(member.key) {
            throw JSONError("unknown member \"\(member.key)\"", at: member.place)
        }
    }

    mutating func append(_ member: Member) throws(JSONError) {
        if let earlier = indexByKey.updateValue(members.count, forKey: member.key) {
            throw JSONError(
                "member \"\(member.key)\" appears twice, first at \(members[earlier].place)", at: member.place)
        }
        members.append(member)
    }
}

extension JSONNode {
    public var isNull: Bool {
        if case .null = content { true } else { false }
    }

    public func object() throws(JSONError) -> JSONMembers {
        guard case .object(let members) = content else { throw mismatch("an object") }
        return members
    }

    public func array() throws(JSONError) -> [JSONNode] {
        guard case .array(let elements) = content else { throw mismatch("an array") }
        return elements
    }

    public func string() throws(JSONError) -> String {
        guard case .string(let text) = content else { throw mismatch("a string") }
        return text
    }

    public func bool() throws(JSONError) -> Bool {
        guard case .bool(let flag) = content else { throw mismatch("true or false") }
        return flag
    }

    /// A whole number that fits; `1.0` is none.
    public func int64() throws(JSONError) -> Int64 {
        guard case .number(let number) = content, let whole = number.int64 else { throw mismatch("a whole number") }
        return whole
    }

    public func int32() throws(JSONError) -> Int32 {
        guard let small = Int32(exactly: try int64()) else { throw mismatch("a whole number of 32 bits") }
        return small
    }

    public func uint64() throws(JSONError) -> UInt64 {
        guard case .number(let number) = content, let whole = number.uint64 else {
            throw mismatch("a whole number that is not negative")
        }
        return whole
    }

    public func double() throws(JSONError) -> Double {
        guard case .number(let number) = content, let double = number.double else { throw mismatch("a number") }
        return double
    }

    /// An error that names what stands here instead of what was `expected`.
    public func mismatch(_ expected: String) -> JSONError {
        let found =
            switch content {
            case .null: "null"
            case .bool(let flag): "\(flag)"
            case .number(let number): "the number " + ((try? number.serialized()) ?? "")
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        return JSONError("expected \(expected), found \(found)", at: place)
    }
}

extension JSONReader {
    /// Reads the next value as a tree; recursion is bounded by the depth limit.
    mutating func node(budget: inout Int) throws(JSONError) -> JSONNode {
        budget -= 1
        guard budget >= 0 else { throw error("more than \(limits.nodes) values") }
        let place = place
        switch try peek() {
        case .null:
            try null()
            return JSONNode(content: .null, place: place)
        case .bool: return JSONNode(content: .bool(try bool()), place: place)
        case .number: return JSONNode(content: .number(try number()), place: place)
        case .string: return JSONNode(content: .string(try string()), place: place)
        case .array:
            var elements: [JSONNode] = []
            try beginArray()
            while try nextElement() { elements.append(try node(budget: &budget)) }
            return JSONNode(content: .array(elements), place: place)
        case .object:
            var members = JSONMembers(place: place)
            try beginObject()
            while let (key, keyPlace) = try nextMember() {
                try members.append(.init(key: key, place: keyPlace, node: try node(budget: &budget)))
            }
            return JSONNode(content: .object(members), place: place)
        }
    }
}

extension JSONValue {
    /// Reads a whole text; see `JSONNode` for what is refused.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        self = try JSONNode(parsing: bytes, limits: limits).value
    }

    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        self = try JSONNode(parsing: text, limits: limits).value
    }
}
