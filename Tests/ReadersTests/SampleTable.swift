import Foundation
import Iceberg
import IcebergSink
import OTLPWire
import Pipeline
import TraceModel

/// A table on this machine's disk, made by the product's own code: an empty snapshot, one with the rows, an empty one.
final class SampleTable {
    let folder: String
    private(set) var metadata: TableMetadata
    private(set) var metadataPath = ""
    private(set) var dataFiles: [DataFile] = []
    private let files = FolderFiles()
    private var version = 0

    init() throws {
        folder = NSTemporaryDirectory() + "tss-readers-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/metadata", withIntermediateDirectories: true)
        metadata = TableMetadata(
            tableUUID: UUID().uuidString.lowercased(), location: "file://" + folder, schema: SpanTable.schema,
            partitionSpec: SpanTable.partitionSpec, sortOrder: SpanTable.sortOrder,
            properties: SpanTable.properties, nowMilliseconds: 1_780_000_000_000)
        try save()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Appends a snapshot with the traces' rows, or an empty one.
    func append(_ traces: [SampledTrace], source: SourceID) throws {
        var options = ParquetRowFiles.Options()
        options.rowGroupRows = 128
        let rowFiles = try ParquetRowFiles(table: metadata, options: options)
        let written =
            try traces.isEmpty
            ? []
            : rowFiles.write(
                traces, source: source, directory: metadata.dataDirectory, name: UUID().uuidString)
        dataFiles += written
        var append = SnapshotAppend(
            files: written, snapshotID: Int64.random(in: 1...Int64.max), uuid: UUID().uuidString.lowercased(),
            summary: [:])
        let commit = try append.stage(on: metadata, files: files, nowMilliseconds: 1_780_000_000_001)
        metadata = try metadata.applying(
            requirements: commit.requirements, updates: commit.updates, metadataLocation: "file://" + metadataPath,
            nowMilliseconds: 1_780_000_000_002)
        try save()
    }

    private func save() throws {
        version += 1
        metadataPath = folder + "/metadata/\(version)-\(UUID().uuidString.lowercased()).metadata.json"
        try Data(try metadata.bytes()).write(to: URL(filePath: metadataPath))
    }
}

/// The least that a table needs of a place for files.
struct FolderFiles: TableFiles {
    func read(_ location: String, limitBytes: Int) throws(FileError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: String(location.dropFirst(7))) else {
            throw FileError(.notFound, location)
        }
        return [UInt8](data)
    }

    func write(_ location: String, _ bytes: [UInt8]) throws(FileError) {
        guard FileManager.default.createFile(atPath: String(location.dropFirst(7)), contents: Data(bytes)) else {
            throw FileError(.failed, location)
        }
    }

    func delete(_ location: String) throws(FileError) {
        try? FileManager.default.removeItem(atPath: String(location.dropFirst(7)))
    }
}

/// Spans of messages as sampled traces.
enum Sampled {
    static func traces(
        _ messages: [[UInt8]], decision: Decision, decidedAtMilliseconds: Int64
    ) throws -> [SampledTrace] {
        var traces: [TraceID: KeptTrace] = [:]
        for (offset, message) in messages.enumerated() {
            for record in try scan(message) {
                traces[record.traceID, default: KeptTrace(traceID: record.traceID, partition: 2)]
                    .append(record, of: message, offset: Int64(offset))
            }
        }
        return traces.values.map {
            SampledTrace(trace: $0, decision: decision, decidedAtMilliseconds: decidedAtMilliseconds)
        }
    }

    private static func scan(_ message: [UInt8]) throws -> [SpanRecord] {
        var batch = SpanBatch()
        try SpanScanner.scan(message.span.bytes, matching: MatcherProgram([]), into: &batch)
        return batch.records
    }
}

extension KeptTrace {
    mutating func append(_ record: SpanRecord, of message: [UInt8], offset: Int64) {
        func take(_ range: ByteRange) -> ByteRange {
            guard !range.isEmpty else { return .none }
            let start = UInt32(arena.count)
            arena += message[range.lowerBound..<range.upperBound]
            return ByteRange(offset: start, count: range.count)
        }
        spans.append(
            KeptSpan(
                spanID: record.spanID, offset: offset, index: record.index, span: take(record.span),
                resource: take(record.resource), scope: take(record.scope),
                resourceSchemaURL: take(record.resourceSchemaURL), scopeSchemaURL: take(record.scopeSchemaURL)))
    }
}
