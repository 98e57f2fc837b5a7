import Avro
import Iceberg
import JSON
import Testing

@Suite struct ManifestTests {
    @Test func `the manifest list that pyiceberg wrote says what pyiceberg reads in it`() throws {
        let expected = try Fixture.json("expected.json").member("manifests").array()
        let manifests = try ManifestList.read(Fixture.bytes("manifest-list.avro"))
        #expect(manifests.count == expected.count)
        for (manifest, node) in zip(manifests, expected) {
            #expect(try manifest.path == node.member("path").string())
            #expect(try manifest.sequenceNumber == node.member("sequence").int64())
            #expect(try manifest.minSequenceNumber == node.member("min_sequence").int64())
            #expect(try manifest.addedSnapshotID == node.member("snapshot").int64())
            #expect(try manifest.addedFiles == node.member("added_files").int32())
            #expect(try manifest.addedRows == node.member("added_rows").int64())
            let summary = try #require(manifest.partitions?.first)
            #expect(try summary.lower == node.member("lower").base64())
            #expect(try summary.upper == node.member("upper").base64())
            #expect(try summary.containsNull == node.member("contains_null").bool())
            #expect(manifest.content == .data)
        }
    }

    @Test func `the manifest that pyiceberg wrote says what pyiceberg reads in it, inheritance included`() throws {
        let node = try Fixture.json("expected.json")
        let path = try node.member("oldest").string()
        let list = try ManifestList.read(Fixture.bytes("manifest-list.avro"))
        let manifest = try #require(list.first { $0.path == path })
        let entries = try ManifestReader.entries(Fixture.bytes("manifest.avro"), of: manifest)
        let expected = try node.member("entries").array()
        #expect(entries.count == expected.count)
        for (entry, node) in zip(entries, expected) {
            #expect(try Int64(entry.status.rawValue) == node.member("status").int64())
            #expect(try entry.snapshotID == node.member("snapshot").int64())
            #expect(try entry.file.dataSequenceNumber == node.member("sequence").int64())
            #expect(try entry.file.fileSequenceNumber == node.member("file_sequence").int64())
            #expect(try entry.file.path == node.member("path").string())
            #expect(try entry.partition == [1000: .int(node.member("day").int32())])
            #expect(try entry.file.recordCount == node.member("records").int64())
            #expect(try entry.file.fileSizeBytes == node.member("bytes").int64())
            #expect(try entry.file.columnSizes == node.member("column_sizes").byNumber { try $0.int64() })
            #expect(try entry.file.valueCounts == node.member("value_counts").byNumber { try $0.int64() })
            #expect(try entry.file.nullValueCounts == node.member("null_counts").byNumber { try $0.int64() })
            #expect(try entry.nanValueCounts == node.member("nan_counts").byNumber { try $0.int64() })
            #expect(try entry.file.lowerBounds == node.member("lower").byNumber { try $0.base64() })
            #expect(try entry.file.upperBounds == node.member("upper").byNumber { try $0.base64() })
            #expect(try entry.file.splitOffsets == node.member("splits").array().map { try $0.int64() })
            #expect(entry.content == .data)
            #expect(entry.format == "PARQUET")
            #expect(!entry.hasUnknownFields)
        }
    }

    @Test func `a manifest read for some columns keeps those only`() throws {
        let manifest = try ManifestList.read(Fixture.bytes("manifest-list.avro"))[1]
        let entries = try ManifestReader.entries(
            Fixture.bytes("manifest.avro"), of: manifest, projection: .init(columns: [3]))
        for entry in entries {
            #expect(Set(entry.file.lowerBounds.keys) == [3])
            #expect(Set(entry.file.valueCounts.keys) == [3])
        }
    }

    @Test func `what we write of a file is what we read of it`() throws {
        let table = MemoryTable()
        let files = (0..<40).map { MemoryTable.file($0, day: $0 == 7 ? nil : Int32(20_000 + $0 % 3)) }
        let snapshot = try table.append(files)
        let read = try table.files()
        #expect(read.count == 40)
        for (before, after) in zip(files, read) {
            var expected = before
            expected.dataSequenceNumber = 1
            expected.fileSequenceNumber = 1
            #expect(after == expected)
        }
        let manifest = try #require(table.manifests().first)
        #expect(manifest.addedFiles == 40)
        #expect(manifest.addedRows == files.reduce(0) { $0 + $1.recordCount })
        #expect(manifest.addedSnapshotID == snapshot.id)
        #expect(
            manifest.partitions
                == [
                    PartitionSummary(
                        containsNull: true, lower: Literal.int(20_000).bound, upper: Literal.int(20_002).bound)
                ])
        #expect(try table.entries().allSatisfy { $0.status == .added && $0.snapshotID == snapshot.id })
    }

    @Test func `fields of other orders, types and optionality are read by their ids`() throws {
        let file = AvroSchema.record(
            AvroRecord(
                name: "f",
                fields: [
                    AvroField("n", .optional(.int), id: 104), AvroField("unheard", .map(values: .string)),
                    AvroField("r", .long, id: 103), AvroField("p", .optional(.string), id: 100),
                    AvroField(
                        "x", .record(AvroRecord(name: "x", fields: [AvroField("d", .optional(.int), id: 1000)])),
                        id: 102), AvroField("new", .int, id: 999),
                ]))
        let schema = AvroSchema.record(
            AvroRecord(name: "e", fields: [AvroField("f", file, id: 2), AvroField("s", .int, id: 0)]))
        var writer = try AvroFileWriter(schema: schema, sync: AvroTests.sync)
        try writer.append(
            .record([
                .record([
                    .int(9), .map([AvroMapEntry(key: "a", value: .string("b"))]), .long(5), .string("file:///p"),
                    .record([.null]), .int(1),
                ]), .int(0),
            ]))
        let manifest = ManifestFile(
            path: "m", lengthBytes: 1, partitionSpecID: 0, sequenceNumber: 7, minSequenceNumber: 7,
            addedSnapshotID: 70)
        let entry = try #require(ManifestReader.entries(writer.finish(), of: manifest).first)
        #expect(entry.file.path == "file:///p")
        #expect(entry.file.recordCount == 5)
        #expect(entry.file.fileSizeBytes == 9)
        #expect(entry.partition.isEmpty)
        #expect(entry.status == .existing)
        #expect(entry.snapshotID == 70)
        // Null, but not added: the file's number is the manifest's, the data's is not known.
        #expect(entry.file.fileSequenceNumber == 7)
        #expect(entry.file.dataSequenceNumber == nil)
        #expect(entry.hasUnknownFields)
    }

    @Test func `random changes of manifests and lists never trap`() throws {
        var random = SeededRandom(seed: 7)
        let manifest = try ManifestList.read(Fixture.bytes("manifest-list.avro"))[1]
        for name in ["manifest.avro", "manifest-list.avro"] {
            let plain = try Self.uncompressed(Fixture.bytes(name))
            for _ in 0..<1_500 {
                var bytes = plain
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = try? ManifestReader.entries(bytes, of: manifest)
                _ = try? ManifestList.read(bytes)
            }
        }
    }

    /// The same file without compression, so that changes reach what is inside.
    private static func uncompressed(_ bytes: [UInt8]) throws -> [UInt8] {
        var reader = try AvroFileReader(bytes)
        var writer = try AvroFileWriter(schema: reader.schema, codec: .null, sync: AvroTests.sync)
        for value in try reader.values() { try writer.append(value) }
        return try writer.finish()
    }
}
