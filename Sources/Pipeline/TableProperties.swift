public import Iceberg
import JSON
import TraceModel

/// Owners and positions as they stand in the table's properties.
///
///     tss.owner.<S>.<p>     {"epoch":3,"writer":"9f…","group":""}
///     tss.position.<S>.<p>  {"epoch":3,"sequence":17,"resume":400,"settled":512,"clock":17640000000,
///                            "floor":21,"late":19,"anchor":{"offset":399,"timestamp":1764…,"checksum":7}}
///
/// `clock` counts ticks of 100 ms since 1970; `floor`, `late` and `anchor` may be null. Properties and not
/// snapshot summaries: nobody has to carry other partitions' keys forward, and expiry, compaction, foreign
/// writers and rollback leave them alone. Source: Documentation/Positions.md, "State in the table".
enum TableProperties {
    static func ownerKey(_ id: PartitionID) -> String { "tss.owner.\(id)" }
    static func positionKey(_ id: PartitionID) -> String { "tss.position.\(id)" }
}

extension TableMetadata {
    /// Who may commit for the partition; nil when nobody ever fenced it.
    public func owner(of id: PartitionID) throws(TableFormatError) -> Owner? {
        try property(TableProperties.ownerKey(id)).map { value throws(TableFormatError) in try Owner(json: value) }
    }

    /// How far the partition has come; nil when nothing was ever committed for it.
    public func position(of id: PartitionID) throws(TableFormatError) -> Position? {
        try property(TableProperties.positionKey(id)).map { value throws(TableFormatError) in
            try Position(json: value)
        }
    }

    /// The highest generation under which somebody owned this partition of a topic; nil when nobody did.
    ///
    /// - Parameter topic: `kafka:<cluster id>/<topic>`.
    public func latestGeneration(of topic: String, partition: Int32) -> Int64? {
        let (head, tail) = ("tss.owner.\(topic)#", ".\(partition)")
        return properties.keys.compactMap { key -> Int64? in
            guard key.hasPrefix(head), key.hasSuffix(tail), key.utf8.count > head.utf8.count + tail.utf8.count else {
                return nil
            }
            return Int64(key.dropFirst(head.count).dropLast(tail.count))
        }.max()
    }

    private func property(_ key: String) throws(TableFormatError) -> JSONMembers? {
        guard let text = properties[key] else { return nil }
        do throws(JSONError) {
            return try JSONNode(parsing: text).object()
        } catch {
            throw TableFormatError("table property \(key): \(error)")
        }
    }
}

extension Owner {
    init(json members: JSONMembers) throws(TableFormatError) {
        do throws(JSONError) {
            self.init(
                epoch: try members.required("epoch").int64(), writer: try members.required("writer").string(),
                group: try members.optional("group")?.string() ?? "")
        } catch {
            throw TableFormatError("owner of a partition: \(error)")
        }
    }

    var json: String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("epoch")
        writer.integer(epoch)
        writer.key("writer")
        writer.string(self.writer)
        writer.key("group")
        writer.string(group)
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension Position {
    init(json members: JSONMembers) throws(TableFormatError) {
        do throws(JSONError) {
            self.init(
                epoch: try members.required("epoch").int64(), sequence: try members.required("sequence").int64(),
                resume: try members.required("resume").int64(), settled: try members.required("settled").int64(),
                clock: StreamTick(try members.required("clock").int64()),
                floor: try members.optional("floor")?.int64(), late: try members.optional("late")?.int64(),
                anchor: try members.optional("anchor").map { node throws(JSONError) in
                    try Anchor(json: try node.object())
                })
        } catch {
            throw TableFormatError("position of a partition: \(error)")
        }
        guard 0 <= resume, resume <= settled else {
            throw TableFormatError("position of a partition: resume \(resume) above settled \(settled)")
        }
    }

    var json: String {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, value) in [("epoch", epoch), ("sequence", sequence), ("resume", resume), ("settled", settled)] {
            writer.key(name)
            writer.integer(value)
        }
        writer.key("clock")
        writer.integer(clock.value)
        for (name, value) in [("floor", floor), ("late", late)] {
            writer.key(name)
            if let value { writer.integer(value) } else { writer.null() }
        }
        writer.key("anchor")
        if let anchor { anchor.write(to: &writer) } else { writer.null() }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension Anchor {
    init(json members: JSONMembers) throws(JSONError) {
        let checksum = try members.required("checksum").int64()
        guard let checksum = UInt32(exactly: checksum) else { throw JSONError("checksum \(checksum) is not 32 bits") }
        self.init(
            offset: try members.required("offset").int64(),
            timestampMilliseconds: try members.required("timestamp").int64(), checksum: checksum)
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("offset")
        writer.integer(offset)
        writer.key("timestamp")
        writer.integer(timestampMilliseconds)
        writer.key("checksum")
        writer.integer(checksum)
        writer.endObject()
    }
}
