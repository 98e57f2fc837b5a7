public import Iceberg
public import TraceModel

/// A trace, or late spans of one, that the table shall hold.
public struct SampledTrace: Sendable {
    public var trace: KeptTrace
    public var decision: Decision
    /// On the partition's stream clock, milliseconds since 1970.
    public var decidedAtMilliseconds: Int64

    public init(trace: KeptTrace, decision: Decision, decidedAtMilliseconds: Int64) {
        self.trace = trace
        self.decision = decision
        self.decidedAtMilliseconds = decidedAtMilliseconds
    }
}

/// Rows of sampled traces in data files: written before a commit, read by recovery.
///
/// The table's file format stands behind it; the simulation keeps rows in memory.
public protocol RowFiles: Sendable {
    /// Writes the rows, one file for each day of their start times, sorted by trace id; durable on return.
    ///
    /// - Parameters:
    ///   - source: What the identities of the rows name; the partition stands in each trace.
    ///   - directory: URI of the table's data folder.
    ///   - name: Unique stem for the files' names.
    func write(
        _ traces: [SampledTrace], source: SourceID, directory: String, name: String
    ) throws(FileError) -> [DataFile]
    /// Rows of the partition with offset ≥ `offset`, in any order.
    func present(
        in file: DataFile, of id: PartitionID, from offset: Int64
    ) throws(FileError) -> [PresentRow]
    /// One verdict for each trace of the file that was decided at or after `milliseconds`.
    func verdicts(in file: DataFile, since milliseconds: Int64) throws(FileError) -> [KeptVerdict]
}

/// The entrance of a durable log: requests go in whole and are answered once they cannot be lost.
public protocol IngestPort: Sendable {
    /// Offers one decompressed, well-formed `ExportTraceServiceRequest`.
    ///
    /// - Parameter answer: Called once, on the log's own thread, only when the result is `accepted`. Must not block.
    func offer(_ body: [UInt8], answer: @escaping @Sendable (IngestAnswer) -> Void) -> IngestAdmission
}

public enum IngestAdmission: Sendable, Hashable {
    case accepted
    /// Nothing was taken: the sender keeps it and tries again.
    case busy(retryAfterSeconds: Int, cause: BusyCause)
}

public enum IngestAnswer: Sendable, Hashable {
    /// Durable. `isRepeat`: the same body was already there, no second record was made.
    case durable(isRepeat: Bool)
    /// Not durable; the sender keeps it.
    case unavailable(retryAfterSeconds: Int, cause: BusyCause)
}

public enum BusyCause: String, Sendable, CaseIterable {
    /// Too many requests wait for their sync.
    case queueFull = "queue_full"
    /// The disk budget or the disk itself is spent.
    case diskFull = "disk_full"
    /// The disk refuses writes.
    case diskFailed = "disk_failed"
    /// The program is shutting down or not ready yet.
    case notServing = "not_serving"
}

/// The world's two clocks. Only row 6 and the simulation implement it.
public protocol Clock: Sendable {
    /// Milliseconds since 1970; may jump.
    var wallMilliseconds: Int64 { get }
    /// Milliseconds since some moment; never goes back.
    var monotonicMilliseconds: Int64 { get }
}

/// Remembers verdicts over a restart.
public protocol VerdictStore: Sendable {
    /// Verdicts that are not too old at `clock`, oldest first; nothing when there are none.
    func load(_ id: PartitionID, at clock: StreamTick) -> [VerdictRecord]
    /// Called before the turn that decided ends: a kill loses none of them.
    func append(_ records: [VerdictRecord], of id: PartitionID)
}
