public import JSON

/// Source: Apache Iceberg REST catalog specification, `TableRequirement`; Java's and pyiceberg's spelling.
extension TableRequirement {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        let type = try members.required("type")
        switch try type.string() {
        case "assert-create": self = .assertCreate
        case "assert-table-uuid": self = .assertTableUUID(try members.required("uuid").string())
        case "assert-ref-snapshot-id":
            self = .assertRefSnapshotID(
                reference: try members.required("ref").string(),
                snapshotID: try members.optional("snapshot-id")?.int64())
        case "assert-last-assigned-field-id":
            self = .assertLastAssignedFieldID(try members.required("last-assigned-field-id").int32())
        case "assert-current-schema-id":
            self = .assertCurrentSchemaID(try members.required("current-schema-id").int32())
        case "assert-last-assigned-partition-id":
            self = .assertLastAssignedPartitionID(try members.required("last-assigned-partition-id").int32())
        case "assert-default-spec-id":
            self = .assertDefaultSpecID(try members.required("default-spec-id").int32())
        case "assert-default-sort-order-id":
            self = .assertDefaultSortOrderID(try members.required("default-sort-order-id").int32())
        default: throw type.mismatch("a known requirement")
        }
    }

    public var json: JSONValue {
        switch self {
        case .assertCreate: ["type": "assert-create"]
        case .assertTableUUID(let uuid): ["type": "assert-table-uuid", "uuid": .string(uuid)]
        case .assertRefSnapshotID(let reference, let snapshotID):
            [
                "type": "assert-ref-snapshot-id", "ref": .string(reference),
                "snapshot-id": snapshotID.map { .integer($0) } ?? .null,
            ]
        case .assertLastAssignedFieldID(let id): Self.json("last-assigned-field-id", id)
        case .assertCurrentSchemaID(let id): Self.json("current-schema-id", id)
        case .assertLastAssignedPartitionID(let id): Self.json("last-assigned-partition-id", id)
        case .assertDefaultSpecID(let id): Self.json("default-spec-id", id)
        case .assertDefaultSortOrderID(let id): Self.json("default-sort-order-id", id)
        }
    }

    private static func json(_ name: String, _ id: Int32) -> JSONValue {
        ["type": .string("assert-" + name), name: .integer(Int64(id))]
    }
}

/// Source: Apache Iceberg REST catalog specification, `TableUpdate`.
extension TableUpdate {
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        let action = try members.required("action")
        switch try action.string() {
        case "assign-uuid": self = .assignUUID(try members.required("uuid").string())
        case "upgrade-format-version": self = .upgradeFormatVersion(try members.required("format-version").int64())
        case "add-schema": self = .addSchema(try Schema(try members.required("schema")))
        case "set-current-schema": self = .setCurrentSchema(try members.required("schema-id").int32())
        case "add-spec": self = .addPartitionSpec(try PartitionSpec(try members.required("spec")))
        case "set-default-spec": self = .setDefaultPartitionSpec(try members.required("spec-id").int32())
        case "add-sort-order": self = .addSortOrder(try SortOrder(try members.required("sort-order")))
        case "set-default-sort-order": self = .setDefaultSortOrder(try members.required("sort-order-id").int32())
        case "add-snapshot": self = .addSnapshot(try Snapshot(try members.required("snapshot")))
        case "set-snapshot-ref":
            self = .setSnapshotReference(
                name: try members.required("ref-name").string(), try SnapshotReference(node))
        case "remove-snapshots":
            self = .removeSnapshots(
                try members.list("snapshot-ids") { (node) throws(JSONError) in try node.int64() })
        case "remove-snapshot-ref": self = .removeSnapshotReference(try members.required("ref-name").string())
        case "set-location": self = .setLocation(try members.required("location").string())
        case "set-properties": self = .setProperties(try members.required("updates").strings())
        case "remove-properties":
            self = .removeProperties(
                try members.list("removals") { (node) throws(JSONError) in try node.string() })
        default: throw action.mismatch("a known update")
        }
    }

    public var json: JSONValue {
        switch self {
        case .assignUUID(let uuid): ["action": "assign-uuid", "uuid": .string(uuid)]
        case .upgradeFormatVersion(let version):
            ["action": "upgrade-format-version", "format-version": .integer(version)]
        case .addSchema(let schema):
            // The last column id is what older servers ask for; newer ones compute it.
            [
                "action": "add-schema", "schema": schema.json,
                "last-column-id": .integer(Int64(schema.highestFieldID)),
            ]
        case .setCurrentSchema(let id): ["action": "set-current-schema", "schema-id": .integer(Int64(id))]
        case .addPartitionSpec(let spec): ["action": "add-spec", "spec": spec.json]
        case .setDefaultPartitionSpec(let id): ["action": "set-default-spec", "spec-id": .integer(Int64(id))]
        case .addSortOrder(let order): ["action": "add-sort-order", "sort-order": order.json]
        case .setDefaultSortOrder(let id):
            ["action": "set-default-sort-order", "sort-order-id": .integer(Int64(id))]
        case .addSnapshot(let snapshot): ["action": "add-snapshot", "snapshot": snapshot.json]
        case .setSnapshotReference(let name, let reference): Self.json(name, reference)
        case .removeSnapshots(let ids):
            ["action": "remove-snapshots", "snapshot-ids": .array(ids.map { .integer($0) })]
        case .removeSnapshotReference(let name): ["action": "remove-snapshot-ref", "ref-name": .string(name)]
        case .setLocation(let location): ["action": "set-location", "location": .string(location)]
        case .setProperties(let properties):
            ["action": "set-properties", "updates": JSONValue(strings: properties)]
        case .removeProperties(let keys):
            ["action": "remove-properties", "removals": .array(keys.map { .string($0) })]
        }
    }

    private static func json(_ name: String, _ reference: SnapshotReference) -> JSONValue {
        var object: JSONObject = ["action": "set-snapshot-ref", "ref-name": .string(name)]
        for (key, value) in reference.jsonMembers.members { object[key] = value }
        return .object(object)
    }
}
