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
        case reading
        case writing(index: Int)
    }

    private let metadata: TableMetadata
    private let files: [DataFile]
    private let properties: [String: String]
    private let snapshotID: Int64
    private let name: String
    private let summary: [String: String]
    private let options: TableStepOptions
    private var state = State.reading
    private var made: SnapshotAppend.Result?

    /// - Parameters:
    ///   - properties: Set by the same commit.
    ///   - name: Unique stem of the metadata files' names.
    init(
        metadata: TableMetadata, files: [DataFile], properties: [String: String], snapshotID: Int64, name: String,
        summary: [String: String], options: TableStepOptions
    ) {
        self.metadata = metadata
        self.files = files
        self.properties = properties
        self.snapshotID = snapshotID
        self.name = name
        self.summary = summary
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
            guard let parent = metadata.currentSnapshot else { return make(nil, at: moment) }
            state = .reading
            return .perform(.readFile(location: parent.manifestList, limitBytes: options.manifestBytes))
        case (.reading, .bytes(.success(let bytes))):
            return make(bytes, at: moment)
        case (.reading, .bytes(.failure(let error))):
            return error.code == .notFound ? .failed(.vanished) : failed(error)
        case (.writing(let index), .written(.success)):
            return write(index + 1)
        case (.writing, .written(.failure(let error))):
            return failed(error)
        default:
            preconditionFailure("an append got an event that it did not ask for")
        }
    }
}
