import Iceberg
import Testing

@Suite struct SnapshotAppendTests {
    @Test func `the first append of a table has no parent and asserts that main does not exist`() throws {
        let table = MemoryTable()
        var append = SnapshotAppend(files: [MemoryTable.file(1)], snapshotID: 5, uuid: "u", summary: ["tss.k": "v"])
        let commit = try append.stage(on: table.metadata, files: table, nowMilliseconds: 1_000)
        #expect(
            commit.requirements == [
                .assertTableUUID(table.metadata.tableUUID), .assertRefSnapshotID(reference: "main", snapshotID: nil),
            ])
        #expect(commit.snapshot.parentID == nil)
        #expect(commit.snapshot.sequenceNumber == 1)
        #expect(commit.snapshot.timestampMilliseconds == 1_000)
        #expect(commit.snapshot.manifestList == "file:///t/metadata/snap-5-1-u.avro")
        #expect(Set(table.contents.keys) == ["file:///t/metadata/u-m0.avro", "file:///t/metadata/snap-5-1-u.avro"])
        #expect(
            commit.snapshot.summary == [
                "operation": "append", "added-data-files": "1", "added-records": "2", "added-files-size": "1000",
                "changed-partition-count": "1", "total-data-files": "1", "total-records": "2",
                "total-files-size": "1000", "total-delete-files": "0", "total-position-deletes": "0",
                "total-equality-deletes": "0", "tss.k": "v",
            ])
        try table.apply(commit)
        #expect(table.metadata.currentSnapshotID == 5)
        #expect(table.metadata.lastUpdatedMilliseconds == 1_000)
    }

    @Test func `an empty append moves main and keeps every file`() throws {
        let table = MemoryTable()
        try table.append([])
        #expect(try table.manifests().isEmpty)
        #expect(table.metadata.currentSnapshot?.summary["total-records"] == "0")
        try table.append([MemoryTable.file(1)])
        let before = try table.manifests()
        let snapshot = try table.append([])
        #expect(try table.manifests() == before)
        #expect(table.metadata.currentSnapshotID == snapshot.id)
        #expect(snapshot.summary["added-records"] == nil)
        #expect(snapshot.summary["total-records"] == "2")
        #expect(snapshot.sequenceNumber == 3)
    }

    @Test func `a snapshot is later than its parent even when the clock went back`() throws {
        let table = MemoryTable()
        try table.append([], now: 5_000)
        #expect(try table.append([], now: 3_000).timestampMilliseconds == 5_001)
    }

    @Test func `another attempt builds on the new metadata and takes the same manifest of files`() throws {
        let table = MemoryTable()
        var append = SnapshotAppend(files: [MemoryTable.file(1)], snapshotID: 5, uuid: "u")
        let first = try append.stage(on: table.metadata, files: table, nowMilliseconds: 1)
        try table.append([MemoryTable.file(2)])
        #expect(throws: CatalogError.self) { try table.apply(first) }
        let second = try append.stage(on: table.metadata, files: table, nowMilliseconds: 1)
        #expect(second.files.map(\.location) == ["file:///t/metadata/snap-5-2-u.avro"])
        #expect(second.attemptLocations == ["file:///t/metadata/snap-5-2-u.avro"])
        try table.apply(second)
        let files = try table.files()
        #expect(files.map(\.path).sorted() == ["file:///t/data/1.parquet", "file:///t/data/2.parquet"])
        #expect(files.first { $0.path.contains("1.parquet") }?.fileSequenceNumber == 2)
        #expect(files.first { $0.path.contains("2.parquet") }?.fileSequenceNumber == 1)
    }

    @Test func `a write that fails leaves nothing that the next attempt would miss`() throws {
        for writes in 0...1 {
            let table = MemoryTable()
            var append = SnapshotAppend(files: [MemoryTable.file(1)], snapshotID: 5, uuid: "u")
            table.writesLeft = writes
            let error = #expect(throws: FileError.self) {
                try append.stage(on: table.metadata, files: table, nowMilliseconds: 1)
            }
            #expect(error?.code == .full)
            table.writesLeft = .max
            try table.apply(append.stage(on: table.metadata, files: table, nowMilliseconds: 1))
            #expect(try table.files().count == 1)
        }
    }

    @Test func `a schema that changed between two attempts gets a manifest of its own`() throws {
        let table = MemoryTable()
        var append = SnapshotAppend(files: [MemoryTable.file(1)], snapshotID: 5, uuid: "u")
        _ = try append.stage(on: table.metadata, files: table, nowMilliseconds: 1)
        var schema = MemoryTable.schema
        schema.id = 1
        schema.fields.append(Field(id: 9, name: "more", type: .int))
        table.metadata = try table.metadata.applying(
            requirements: [], updates: [.addSchema(schema), .setCurrentSchema(-1)], metadataLocation: "m",
            nowMilliseconds: 1)
        let commit = try append.stage(on: table.metadata, files: table, nowMilliseconds: 1)
        #expect(commit.files.count == 2)
        #expect(commit.snapshot.schemaID == 1)
        try table.apply(commit)
        #expect(try table.files().count == 1)
    }

    @Test func `small manifests are merged and every file keeps its sequence numbers and statistics`() throws {
        let merging = MemoryTable()
        let plain = MemoryTable()
        for number in 0..<57 {
            let files = (0..<number % 3).map { MemoryTable.file(number * 10 + $0, day: Int32(20_000 + number % 5)) }
            try merging.append(files, mergeCount: 5)
            try plain.append(files, mergeCount: .max)
            #expect(try merging.manifests().count <= 6)
        }
        #expect(try plain.manifests().count == 38)
        let expected = try plain.entries().sorted { $0.file.path < $1.file.path }
        let merged = try merging.entries().sorted { $0.file.path < $1.file.path }
        #expect(merged.count == expected.count)
        for (one, other) in zip(merged, expected) {
            #expect(one.file == other.file)
            #expect(one.partition == other.partition)
            #expect(one.snapshotID == other.snapshotID)
        }
        for manifest in try merging.manifests() {
            let entries = try ManifestReader.entries(merging.read(manifest.path, limitBytes: .max), of: manifest)
            #expect(manifest.minSequenceNumber == entries.compactMap(\.file.dataSequenceNumber).min())
            #expect(manifest.liveFiles == entries.count)
            #expect(manifest.existingFiles == Int32(entries.count { $0.status == .existing }))
            #expect(manifest.existingRows ?? -1 + (manifest.addedRows ?? 0) >= 0)
        }
        for floor in Int64(0)...58 {
            let one = try TableScan.files(of: merging.metadata, since: floor, merging).map(\.path).sorted()
            let other = try TableScan.files(of: plain.metadata, since: floor, plain).map(\.path).sorted()
            #expect(one == other)
        }
    }

    @Test func `a manifest that is missing or damaged is not merged, and does not stop the commit`() throws {
        let table = MemoryTable()
        for number in 0..<6 { try table.append([MemoryTable.file(number)]) }
        let manifests = try table.manifests()
        table.contents[manifests[0].path] = nil
        table.contents[manifests[1].path]?[100] ^= 0xFF
        try table.append([MemoryTable.file(6)], mergeCount: 5)
        let after = try table.manifests()
        #expect(after.count == 4)
        #expect(after.contains { $0.path == manifests[0].path })
        #expect(after.contains { $0.path == manifests[1].path })
    }

    @Test func `files since a sequence number are found without reading older manifests`() throws {
        let table = MemoryTable()
        for number in 0..<5 { try table.append([MemoryTable.file(number)]) }
        table.reads = []
        let files = try TableScan.files(of: table.metadata, since: 4, table)
        #expect(files.map(\.fileSequenceNumber).sorted { $0! < $1! } == [4, 5])
        #expect(files.allSatisfy { !$0.lowerBounds.isEmpty })
        #expect(table.reads.count == 3)
    }

    @Test func `a partition that we cannot write is refused before anything is written`() throws {
        let table = MemoryTable()
        table.metadata.partitionSpecs[0].fields[0].transform = .bucket(count: 4)
        #expect(throws: FileError.self) { try table.append([MemoryTable.file(1)]) }
        #expect(table.contents.isEmpty)
    }
}
