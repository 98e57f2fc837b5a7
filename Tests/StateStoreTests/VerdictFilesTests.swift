import Glibc
import Pipeline
import StateStores
import Telemetry
import Testing
import TraceModel

/// Real files in a folder of their own.
@Suite struct VerdictFilesTests {
    private let folder: String
    private let id = PartitionID(source: SourceID(topic: "otlp:test", generation: 1), partition: 3)

    init() {
        var template = Array("/tmp/tss-verdicts-XXXXXX".utf8CString)
        mkdtemp(&template)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func record(_ number: UInt64, tick: Int64, _ verdict: Verdict = .sampled) -> VerdictRecord {
        VerdictRecord(
            traceID: TraceID(high: 7, low: number), tick: StreamTick(tick), verdict: verdict,
            reason: verdict == .sampled ? .error : .notSampled)
    }

    private func files() -> VerdictFiles { VerdictFiles(folder: folder, logger: .none) }

    @Test func `what was appended is there after a restart, for its own partition only`() {
        let records = (1...100).map {
            record($0, tick: 17_000_000_000 + Int64($0) * 30, $0 % 2 == 0 ? .sampled : .notSampled)
        }
        files().append(records, of: id)
        let other = PartitionID(source: id.source, partition: 4)
        #expect(Set(files().load(id, at: StreamTick(17_000_003_000))) == Set(records))
        #expect(files().load(other, at: StreamTick(17_000_003_000)).isEmpty)
    }

    @Test func `a verdict older than its time to live is not loaded, and its file is deleted by and by`() {
        let old = record(1, tick: 1_000_000)
        let new = record(2, tick: 1_000_000 + 40_000)
        let store = files()
        store.append([old], of: id)
        #expect(files().load(id, at: StreamTick(1_000_100)) == [old])
        store.append([new], of: id)
        #expect(files().load(id, at: new.tick) == [new])
        #expect(access("\(folder)/3-\(1_000_000 / 600).verdicts", F_OK) != 0)
    }

    @Test func `loads the oldest first, and of too many the newest`() {
        let records = [record(1, tick: 6_000), record(2, tick: 6_700), record(1, tick: 7_300), record(3, tick: 7_301)]
        files().append(records, of: id)
        #expect(files().load(id, at: StreamTick(7_400)) == records)
        var options = VerdictFiles.Options()
        options.loadLimit = 2
        let few = VerdictFiles(folder: folder, options: options, logger: .none)
        #expect(few.load(id, at: StreamTick(7_400)) == Array(records.suffix(2)))
    }

    @Test func `a torn tail costs the torn record alone`() {
        files().append([record(1, tick: 6_000), record(2, tick: 6_001)], of: id)
        let path = "\(folder)/3-10.verdicts"
        #expect(truncate(path, 24 + 11) == 0)
        #expect(files().load(id, at: StreamTick(6_100)) == [record(1, tick: 6_000)])
        files().append([record(3, tick: 6_002)], of: id)
        #expect(Set(files().load(id, at: StreamTick(6_100))) == [record(1, tick: 6_000), record(3, tick: 6_002)])
    }

    @Test func `bytes that are no verdict are skipped`() {
        files().append([record(1, tick: 6_000)], of: id)
        let descriptor = open("\(folder)/3-10.verdicts", O_WRONLY | O_APPEND)
        let junk = [UInt8](repeating: 0xFF, count: 48)
        #expect(junk.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == 48)
        close(descriptor)
        #expect(files().load(id, at: StreamTick(6_100)) == [record(1, tick: 6_000)])
    }

    @Test func `a folder that cannot be written is no reason to stop`() {
        let store = VerdictFiles(folder: "/proc/nowhere/verdicts", logger: .none)
        store.append([record(1, tick: 6_000)], of: id)
        #expect(store.load(id, at: StreamTick(6_100)).isEmpty)
    }
}
