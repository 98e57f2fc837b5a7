public import JSON

/// Source: Apache Iceberg table specification, "Snapshots", "Snapshot References".
extension Snapshot {
    private static let known: Set<String> = [
        "snapshot-id", "parent-snapshot-id", "sequence-number", "timestamp-ms", "manifest-list", "summary", "schema-id",
    ]

    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        id = try members.required("snapshot-id").int64()
        parentID = try members.optional("parent-snapshot-id")?.int64()
        // Absent in what version 1 wrote: 0 (specification, "Sequence numbers").
        sequenceNumber = try members.optional("sequence-number")?.int64() ?? 0
        timestampMilliseconds = try members.required("timestamp-ms").int64()
        manifestList = try members.required("manifest-list").string()
        summary = try members.optional("summary").map { (node) throws(JSONError) in try node.strings() } ?? [:]
        schemaID = try members.optional("schema-id")?.int32()
        others = members.others(than: Self.known)
    }

    public var json: JSONValue {
        var object: JSONObject = ["snapshot-id": .integer(id)]
        if let parentID { object["parent-snapshot-id"] = .integer(parentID) }
        object["sequence-number"] = .integer(sequenceNumber)
        object["timestamp-ms"] = .integer(timestampMilliseconds)
        object["manifest-list"] = .string(manifestList)
        object["summary"] = JSONValue(strings: summary, first: "operation")
        if let schemaID { object["schema-id"] = .integer(Int64(schemaID)) }
        for (key, value) in others.members { object[key] = value }
        return .object(object)
    }
}

extension SnapshotReference {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        snapshotID = try members.required("snapshot-id").int64()
        let type = try members.required("type")
        guard let kind = Kind(rawValue: try type.string()) else { throw type.mismatch("branch or tag") }
        self.kind = kind
        minSnapshotsToKeep = try members.optional("min-snapshots-to-keep")?.int64()
        maxSnapshotAgeMilliseconds = try members.optional("max-snapshot-age-ms")?.int64()
        maxReferenceAgeMilliseconds = try members.optional("max-ref-age-ms")?.int64()
    }

    var jsonMembers: JSONObject {
        var object: JSONObject = ["snapshot-id": .integer(snapshotID), "type": .string(kind.rawValue)]
        if let minSnapshotsToKeep { object["min-snapshots-to-keep"] = .integer(minSnapshotsToKeep) }
        if let maxSnapshotAgeMilliseconds { object["max-snapshot-age-ms"] = .integer(maxSnapshotAgeMilliseconds) }
        if let maxReferenceAgeMilliseconds { object["max-ref-age-ms"] = .integer(maxReferenceAgeMilliseconds) }
        return object
    }
}

extension JSONNode {
    /// An object whose values are all texts.
    func strings() throws(JSONError) -> [String: String] {
        var strings: [String: String] = [:]
        for member in try object() { strings[member.key] = try member.node.string() }
        return strings
    }
}

extension JSONMembers {
    /// Members that are not among the known ones.
    func others(than known: Set<String>) -> JSONObject {
        var others = JSONObject()
        for member in self where !known.contains(member.key) { others[member.key] = member.node.value }
        return others
    }
}

extension JSONValue {
    /// Texts by key, ascending, so that equal contents are equal bytes; the key `first` comes first.
    init(strings: [String: String], first: String? = nil) {
        var object = JSONObject()
        if let first, let value = strings[first] { object[first] = .string(value) }
        for (key, value) in strings.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
        self = .object(object)
    }
}
