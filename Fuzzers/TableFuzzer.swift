import Avro
import Iceberg
import JSON

/// Called by libFuzzer with every input. A trap, an address error or a broken promise is a finding.
///
/// The first byte chooses the reader: JSON, table metadata, an Avro file, a manifest, a manifest list; the others are
/// the data. The corpus began as the fixtures of the format tests, without compression.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = UnsafeBufferPointer(start: data, count: size)
    guard size >= 1 else { return 0 }
    let bytes = Array(input.dropFirst())
    switch input[0] % 5 {
    case 0: readJSON(bytes)
    case 1: readMetadata(bytes)
    case 2: readAvro(bytes)
    case 3: readManifest(bytes)
    default: readList(bytes)
    }
    return 0
}

/// The pull reader accepts what the tree accepts and repeated keys besides; what is written of a value is that value.
private func readJSON(_ bytes: [UInt8]) {
    let limits = JSONLimits(depth: 40, nodes: 10_000)
    let value = try? JSONValue(parsing: bytes, limits: limits)
    if let value {
        guard let text = try? value.bytes() else { preconditionFailure("a value that was read cannot be written") }
        precondition((try? JSONValue(parsing: text)) == value, "written and read is not the same")
    }
    var skips = false
    if var reader = try? JSONReader(bytes, limits: limits) {
        skips = (try? reader.skip()) != nil && (try? reader.end()) != nil
    }
    precondition(skips || value == nil, "the tree takes what skipping refuses")
}

private func readMetadata(_ bytes: [UInt8]) {
    guard let metadata = try? TableMetadata(parsing: bytes) else { return }
    guard let text = try? metadata.bytes() else { preconditionFailure("metadata cannot be written") }
    precondition((try? TableMetadata(parsing: text)) == metadata, "written and read is not the same")
}

/// What skipping steps over is what reading reads.
private func readAvro(_ bytes: [UInt8]) {
    let limits = AvroLimits(blockBytes: 1 << 18, totalBytes: 1 << 18, objects: 1_000, elements: 10_000)
    guard var reading = try? AvroFileReader(bytes, limits: limits) else { return }
    var skipping = reading
    let schema = reading.schema
    let skipped: Void? = try? skipping.forEachObject { (cursor) throws(AvroError) in try cursor.skip(schema) }
    let values = try? reading.values()
    precondition(skipped != nil || values == nil, "reading takes what skipping refuses")
}

private func readManifest(_ bytes: [UInt8]) {
    let manifest = ManifestFile(
        path: "m", lengthBytes: 1, partitionSpecID: 0, sequenceNumber: 3, minSequenceNumber: 1, addedSnapshotID: 5)
    guard let entries = try? ManifestReader.entries(bytes, of: manifest) else { return }
    precondition(entries.allSatisfy { $0.file.recordCount >= 0 && !$0.file.path.isEmpty }, "a file that is none")
}

private func readList(_ bytes: [UInt8]) {
    guard let manifests = try? ManifestList.read(bytes) else { return }
    precondition(manifests.allSatisfy { !$0.path.isEmpty && $0.lengthBytes >= 0 }, "a manifest that is none")
}
