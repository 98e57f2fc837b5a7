public import JSON

extension TableMetadata {
    /// Longest metadata file that is read.
    public static let limitBytes = 256 << 20

    private static let known: Set<String> = [
        "format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms", "last-column-id",
        "schemas", "current-schema-id", "partition-specs", "default-spec-id", "last-partition-id", "properties",
        "current-snapshot-id", "snapshots", "snapshot-log", "metadata-log", "sort-orders", "default-sort-order-id",
        "refs",
    ]

    /// Reads a metadata file, gzip-compressed or not.
    public init(parsing bytes: [UInt8]) throws(TableFormatError) {
        do {
            let text = try MetadataCompression.decompress(bytes, limitBytes: Self.limitBytes)
            let limits = JSONLimits(bytes: Self.limitBytes, depth: 96, nodes: 20_000_000)
            try self.init(JSONNode(parsing: text, limits: limits))
        } catch let error as JSONError {
            throw TableFormatError("table metadata: \(error)")
        } catch let error as TableFormatError {
            throw error
        } catch {
            throw TableFormatError("table metadata: \(error)")
        }
    }

    /// Reads the metadata out of a catalog's answer.
    public init(_ node: JSONNode) throws(JSONError) {
        let members = try node.object()
        let version = try members.required("format-version")
        guard try version.int64() == Self.formatVersion else { throw version.mismatch("format version 2") }
        tableUUID = try members.required("table-uuid").string()
        location = Self.withoutSlash(try members.required("location").string())
        lastSequenceNumber = try members.required("last-sequence-number").int64()
        lastUpdatedMilliseconds = try members.required("last-updated-ms").int64()
        lastColumnID = try members.required("last-column-id").int32()
        schemas = try members.list("schemas") { (node) throws(JSONError) in try Schema(node) }
        currentSchemaID = try members.required("current-schema-id").int32()
        partitionSpecs = try members.list("partition-specs") { (node) throws(JSONError) in try PartitionSpec(node) }
        defaultSpecID = try members.required("default-spec-id").int32()
        lastPartitionID = try members.required("last-partition-id").int32()
        sortOrders = try members.list("sort-orders") { (node) throws(JSONError) in try SortOrder(node) }
        defaultSortOrderID = try members.required("default-sort-order-id").int32()
        properties = try members.optional("properties").map { (node) throws(JSONError) in try node.strings() } ?? [:]
        // Old writers spell "no snapshot" as -1.
        let current = try members.optional("current-snapshot-id")?.int64()
        currentSnapshotID = current == -1 ? nil : current
        snapshots = try members.list("snapshots") { (node) throws(JSONError) in try Snapshot(node) }
        snapshotLog = try members.list("snapshot-log") { (node) throws(JSONError) in
            let members = try node.object()
            return SnapshotLogEntry(
                timestampMilliseconds: try members.required("timestamp-ms").int64(),
                snapshotID: try members.required("snapshot-id").int64())
        }
        metadataLog = try members.list("metadata-log") { (node) throws(JSONError) in
            let members = try node.object()
            return MetadataLogEntry(
                timestampMilliseconds: try members.required("timestamp-ms").int64(),
                metadataFile: try members.required("metadata-file").string())
        }
        references = [:]
        if let refs = members.optional("refs") {
            for member in try refs.object() { references[member.key] = try SnapshotReference(member.node) }
        }
        // The reference main may be left out: the current snapshot is main (specification, "refs").
        if let currentSnapshotID, references[SnapshotReference.main] == nil {
            references[SnapshotReference.main] = SnapshotReference(snapshotID: currentSnapshotID)
        }
        others = members.others(than: Self.known)
        try checkReferences(at: node.place)
    }

    private static func withoutSlash(_ location: String) -> String {
        var location = location
        while location.hasSuffix("/") { location.removeLast() }
        return location
    }

    /// What is current or default must be in its list.
    private func checkReferences(at place: JSONPlace) throws(JSONError) {
        guard schema != nil else { throw JSONError("current schema \(currentSchemaID) is missing", at: place) }
        guard partitionSpec != nil else { throw JSONError("default spec \(defaultSpecID) is missing", at: place) }
        guard sortOrder != nil else {
            throw JSONError("default sort order \(defaultSortOrderID) is missing", at: place)
        }
        if let currentSnapshotID, currentSnapshot == nil {
            throw JSONError("current snapshot \(currentSnapshotID) is missing", at: place)
        }
        guard references[SnapshotReference.main]?.snapshotID == currentSnapshotID else {
            throw JSONError("branch main is not the current snapshot", at: place)
        }
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "format-version": .integer(Self.formatVersion), "table-uuid": .string(tableUUID),
            "location": .string(location), "last-sequence-number": .integer(lastSequenceNumber),
            "last-updated-ms": .integer(lastUpdatedMilliseconds), "last-column-id": .integer(Int64(lastColumnID)),
            "current-schema-id": .integer(Int64(currentSchemaID)), "schemas": .array(schemas.map(\.json)),
            "default-spec-id": .integer(Int64(defaultSpecID)), "partition-specs": .array(partitionSpecs.map(\.json)),
            "last-partition-id": .integer(Int64(lastPartitionID)),
            "default-sort-order-id": .integer(Int64(defaultSortOrderID)), "sort-orders": .array(sortOrders.map(\.json)),
            "properties": JSONValue(strings: properties),
        ]
        if let currentSnapshotID { object["current-snapshot-id"] = .integer(currentSnapshotID) }
        var refs = JSONObject()
        for (name, reference) in references.sorted(by: { $0.key < $1.key }) {
            refs[name] = .object(reference.jsonMembers)
        }
        object["refs"] = .object(refs)
        object["snapshots"] = .array(snapshots.map(\.json))
        object["snapshot-log"] = .array(
            snapshotLog.map {
                ["timestamp-ms": .integer($0.timestampMilliseconds), "snapshot-id": .integer($0.snapshotID)]
            })
        object["metadata-log"] = .array(
            metadataLog.map {
                ["timestamp-ms": .integer($0.timestampMilliseconds), "metadata-file": .string($0.metadataFile)]
            })
        for (key, value) in others.members { object[key] = value }
        return .object(object)
    }

    /// The metadata file's bytes; equal metadata are equal bytes.
    public func bytes() throws(TableFormatError) -> [UInt8] {
        do {
            return try json.bytes()
        } catch {
            throw TableFormatError(error)
        }
    }
}

extension JSONMembers {
    /// The elements of an array that may be absent or null.
    func list<Element>(
        _ key: String, _ read: (JSONNode) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var elements: [Element] = []
        for node in try optional(key)?.array() ?? [] { elements.append(try read(node)) }
        return elements
    }
}
