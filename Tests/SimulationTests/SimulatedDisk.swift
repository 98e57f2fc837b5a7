import Iceberg
import Pipeline
import TraceGenerator

/// The data folder of one instance: forgets what was not synced when the power goes, keeps it over a kill.
///
/// Used by one thread; the protocol wants `Sendable`.
final class SimulatedDisk: SegmentFiles, @unchecked Sendable {
    private struct File {
        var bytes: [UInt8] = []
        /// As of the last sync.
        var durable: [UInt8] = []
    }

    private var files: [Int: File] = [:]
    private var names: [String: Int] = [:]
    private var durableNames: [String: Int] = [:]
    private var nextFile = 0
    private var random: SeededRandom
    /// Operations until the process that uses the disk is dead.
    var operationsUntilDeath: Int?
    private(set) var isDead = false
    /// Chance of ENOSPC at a write and of EIO at a sync.
    var faultProbability = 0.0
    /// For a checker's own test: answers without syncing.
    var liesAboutSync = false

    init(seed: UInt64) { random = SeededRandom(seed: seed, stream: 2) }

    /// Whether the operation happens; after the last one nothing does.
    private func begin() throws(FileError) {
        if isDead { throw FileError(.failed, "the process is dead") }
        guard let left = operationsUntilDeath else { return }
        operationsUntilDeath = left - 1
        if left == 0 {
            isDead = true
            throw FileError(.failed, "the process is dead")
        }
    }

    private func file(_ name: String) throws(FileError) -> Int {
        guard let file = names[name] else { throw FileError(.notFound, "\(name) is not there") }
        return file
    }

    func revive() {
        isDead = false
        operationsUntilDeath = nil
    }

    /// The power goes: of what was not synced any part may be there, in bytes and in names.
    func cutPower() {
        for (name, file) in names where durableNames[name] != file && random.chance(0.5) {
            durableNames[name] = file
        }
        for (name, _) in durableNames where names[name] == nil && random.chance(0.5) { durableNames[name] = nil }
        names = durableNames
        for (id, file) in files {
            var kept = file
            if file.bytes.starts(with: file.durable) {
                let extra = random.below(file.bytes.count - file.durable.count + 1)
                kept.bytes = Array(file.bytes.prefix(file.durable.count + extra))
                // The length may reach the disk before the bytes.
                if random.chance(0.3) {
                    for index in kept.bytes.indices.dropFirst(file.durable.count + extra / 2) { kept.bytes[index] = 0 }
                }
            } else if random.chance(0.5) {
                kept.bytes = file.durable
            }
            kept.durable = kept.bytes
            files[id] = kept
        }
    }

    /// Another disk with the same bytes.
    func copy() -> SimulatedDisk {
        let copy = SimulatedDisk(seed: 0)
        (copy.files, copy.names, copy.durableNames, copy.nextFile) = (files, names, durableNames, nextFile)
        return copy
    }

    /// One bit of one file turns over; where.
    func rot(_ random: inout SeededRandom) -> String? {
        guard let name = names.keys.sorted().filter({ !files[names[$0]!]!.bytes.isEmpty }).randomElement(using: &random)
        else { return nil }
        let file = names[name]!
        let position = random.below(files[file]!.bytes.count)
        files[file]!.bytes[position] ^= 1 << UInt8(random.below(8))
        return "\(name) at \(position)"
    }

    func list() throws(FileError) -> [SegmentFile] {
        names.map { SegmentFile(name: $0.key, byteCount: files[$0.value]!.bytes.count) }
    }

    func create(_ name: String) throws(FileError) {
        try begin()
        guard names[name] == nil else { throw FileError(.failed, "\(name) exists") }
        names[name] = nextFile
        files[nextFile] = File()
        nextFile += 1
    }

    func write(_ name: String, at position: Int, _ bytes: [UInt8]) throws(FileError) {
        try begin()
        let file = try file(name)
        if random.chance(faultProbability) {
            let part = random.below(bytes.count + 1)
            put(bytes.prefix(part), at: position, in: file)
            throw FileError(.full, "no space left")
        }
        put(bytes[...], at: position, in: file)
    }

    private func put(_ bytes: ArraySlice<UInt8>, at position: Int, in file: Int) {
        precondition(position <= files[file]!.bytes.count, "positions grow without holes")
        files[file]!.bytes.replaceSubrange(position..., with: bytes)
    }

    func sync(_ name: String) throws(FileError) {
        try begin()
        let file = try file(name)
        if random.chance(faultProbability) { throw FileError(.failed, "input or output error") }
        if !liesAboutSync { files[file]!.durable = files[file]!.bytes }
    }

    func syncDirectory() throws(FileError) {
        try begin()
        if !liesAboutSync { durableNames = names }
    }

    func read(_ name: String, at position: Int, count: Int) throws(FileError) -> [UInt8] {
        let bytes = files[try file(name)]!.bytes
        guard position < bytes.count else { return [] }
        return Array(bytes[position..<min(bytes.count, position + count)])
    }

    func truncate(_ name: String, to byteCount: Int) throws(FileError) {
        try begin()
        let file = try file(name)
        if files[file]!.bytes.count > byteCount { files[file]!.bytes.removeSubrange(byteCount...) }
    }

    func remove(_ name: String) throws(FileError) {
        try begin()
        names[name] = nil
    }

    func space() throws(FileError) -> DiskSpace {
        DiskSpace(totalBytes: 1 << 40, availableBytes: 1 << 39)
    }
}
