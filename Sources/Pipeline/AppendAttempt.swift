import Iceberg
import TraceModel

/// Makes one append snapshot on one state of the table: reads the parent's manifest list, writes a manifest for
/// the new files (none for an empty append) and a manifest list, and says what to commit.
///
///     main's manifest list ─read─▶ ┌ its manifests ┐
///     new data files ──────write─▶ │ + our manifest│ ─write─▶ manifest list ─▶ add-snapshot, set main
///                                  └───────────────┘
///
/// Requirements of the commit: the table's uuid, and main where it was.
struct AppendAttempt: Sendable {
    enum Step: Sendable {
        case perform(TableAction)
        case ready(TableChange)
        case failed(Failure)
    }

    enum Failure: Sendable {
        /// A file of the parent is gone: the table moved on (expiry), load it again.
        case vanished
        case files(String)
        case refused(String)
    }

    private enum State {
        case readingList
        case readingManifest(Int)
        case writing(Int)
    }

    /// The append with what this attempt added to it; worth keeping once the attempt is `ready`.
    private(set) var append: SnapshotAppend
    private let metadata: TableMetadata
    private let properties: [String: String]
    private let options: TableStepOptions
    private var state = State.readingList
    private var list: [ManifestFile] = []
    private var toMerge: [ManifestFile] = []
    private var merging: [String: [UInt8]] = [:]
    private var commit: SnapshotCommit?

    /// - Parameter properties: Set by the same commit.
    init(
        _ append: SnapshotAppend, on metadata: TableMetadata, properties: [String: String],
        options: TableStepOptions
    ) {
        self.append = append
        self.metadata = metadata
        self.properties = properties
        self.options = options
    }

    /// Positive and random, as the format wants it.
    static func snapshotID(_ random: inout StepRandom) -> Int64 { Int64.random(in: 1...Int64.max, using: &random) }

    /// 32 hexadecimal digits.
    static func name(_ random: inout StepRandom) -> String {
        Hexadecimal.text(random.next()) + Hexadecimal.text(random.next())
    }

    mutating func step(_ event: TableEvent, at moment: Moment) -> Step {
        switch (state, event) {
        case (_, .start):
            guard let parent = metadata.currentSnapshot else { return make(at: moment) }
            state = .readingList
            return .perform(.readFile(location: parent.manifestList, limitBytes: options.manifestBytes))
        case (.readingList, .bytes(.success(let bytes))):
            do throws(TableFormatError) {
                list = try ManifestList.read(bytes)
            } catch {
                return .failed(.refused(error.message))
            }
            toMerge = append.manifestsToMerge(list, on: metadata)
            return readManifest(0, at: moment)
        case (.readingManifest(let index), .bytes(.success(let bytes))):
            merging[toMerge[index].path] = bytes
            return readManifest(index + 1, at: moment)
        case (.readingList, .bytes(.failure(let error))), (.readingManifest, .bytes(.failure(let error))):
            return error.code == .notFound ? .failed(.vanished) : failed(error)
        case (.writing(let index), .written(.success)):
            return write(index + 1)
        case (.writing, .written(.failure(let error))):
            return failed(error)
        default:
            preconditionFailure("an append got an event that it did not ask for")
        }
    }

    private mutating func readManifest(_ index: Int, at moment: Moment) -> Step {
        guard index < toMerge.count else { return make(at: moment) }
        state = .readingManifest(index)
        return .perform(.readFile(location: toMerge[index].path, limitBytes: options.manifestBytes))
    }

    private mutating func make(at moment: Moment) -> Step {
        do throws(TableFormatError) {
            commit = try append.commit(
                on: metadata, list: list, merging: merging, nowMilliseconds: moment.wallMilliseconds)
        } catch {
            return .failed(.refused(error.message))
        }
        merging = [:]
        return write(0)
    }

    private mutating func write(_ index: Int) -> Step {
        guard let commit else { preconditionFailure("files are written after they were made") }
        guard index < commit.files.count else {
            return .ready(
                TableChange(
                    requirements: commit.requirements, updates: commit.updates + [.setProperties(properties)]))
        }
        state = .writing(index)
        return .perform(.writeFile(location: commit.files[index].location, bytes: commit.files[index].bytes))
    }

    private func failed(_ error: FileError) -> Step {
        .failed(error.isRetryable ? .files(error.message) : .refused(error.message))
    }
}
