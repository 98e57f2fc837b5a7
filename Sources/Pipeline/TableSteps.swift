public import Iceberg
public import TraceModel

/// The two clocks, read once for a step.
public struct Moment: Sendable, Hashable {
    /// Milliseconds since 1970; may jump.
    public var wallMilliseconds: Int64
    /// Milliseconds since some moment; never goes back.
    public var monotonicMilliseconds: Int64

    public init(wallMilliseconds: Int64, monotonicMilliseconds: Int64) {
        self.wallMilliseconds = wallMilliseconds
        self.monotonicMilliseconds = monotonicMilliseconds
    }
}

extension Clock {
    public var moment: Moment {
        Moment(wallMilliseconds: wallMilliseconds, monotonicMilliseconds: monotonicMilliseconds)
    }
}

/// Something FENCE, RECOVER or COMMIT wants done; `TableEvent` names the answer of each.
public enum TableAction: Sendable {
    /// → `table`
    case loadTable(TableIdentifier)
    /// → `namespace`
    case createNamespace(String)
    /// → `table`
    case createTable(TableDefinition)
    /// → `table`
    case commit(TableIdentifier, requirements: [TableRequirement], updates: [TableUpdate])
    /// → `bytes`
    case readFile(location: String, limitBytes: Int)
    /// → `written`
    case writeFile(location: String, bytes: [UInt8])
    /// → `written`; a failure is of no consequence
    case deleteFile(location: String)
    /// → `rows`
    case writeRows([SampledTrace], source: SourceID, directory: String, name: String)
    /// → `present`
    case readPresent(DataFile, PartitionID, from: Int64)
    /// → `verdicts`
    case readVerdicts(DataFile, sinceMilliseconds: Int64)
    /// The record at the offset, from the partition's source → `record`
    case readRecord(PartitionID, offset: Int64)
    /// → `waited`; may be cut short
    case wait(milliseconds: Int64)
}

/// What came of an action.
public enum TableEvent: Sendable {
    /// First of all.
    case start
    case table(Result<LoadedTable, CatalogError>)
    case namespace(Result<Void, CatalogError>)
    case bytes(Result<[UInt8], FileError>)
    case written(Result<Void, FileError>)
    case rows(Result<[DataFile], FileError>)
    case present(Result<[PresentRow], FileError>)
    case verdicts(Result<[KeptVerdict], FileError>)
    /// Nil when the source has no such record.
    case record(Result<LogRecord?, SourceError>)
    case waited
}

/// What a machine wants next.
public enum TableStep<Outcome: Sendable>: Sendable {
    case perform(TableAction)
    case done(Outcome)
}

/// A protocol with the world, one step at a time: an event goes in, the next action comes out.
///
/// The driver performs exactly one action at a time and brings back its event; it may drop the machine at any
/// moment, as a kill would. Nothing here reads a clock: every step is given the moment.
public protocol TableMachine {
    associatedtype Outcome: Sendable
    mutating func step(_ event: TableEvent, at moment: Moment) -> TableStep<Outcome>
    /// What stands in the way now; for health.
    var obstacle: TableObstacle? { get }
}

/// Why a machine waits.
public enum TableObstacle: Sendable, Hashable, CustomStringConvertible {
    /// The catalog gave no useful answer; tried again.
    case catalog(String)
    /// The store gave no useful answer; tried again.
    case files(String)
    /// The log gave no useful answer; tried again.
    case source(String)
    /// Another try changes nothing, yet it is made once a minute: somebody may repair it.
    case refused(String)
    /// Our clock is this far ahead of the catalog's: committing would write wrong times.
    case clockSkew(milliseconds: Int64)

    public var description: String {
        switch self {
        case .catalog(let message): "catalog: \(message)"
        case .files(let message): "files: \(message)"
        case .source(let message): "source: \(message)"
        case .refused(let message): "refused: \(message)"
        case .clockSkew(let milliseconds): "our clock is \(milliseconds) ms off the catalog's"
        }
    }
}

/// The table as the program wants it; made where its columns are known.
public struct TableDefinition: Sendable {
    public var identifier: TableIdentifier
    public var schema: Schema
    public var partitionSpec: PartitionSpec
    public var sortOrder: SortOrder
    public var properties: [String: String]
    /// The columns that a table of an earlier version lacks; nil when it has all.
    public var evolution: @Sendable (TableMetadata) throws(TableFormatError) -> TableChange?

    public init(
        identifier: TableIdentifier, schema: Schema, partitionSpec: PartitionSpec, sortOrder: SortOrder,
        properties: [String: String],
        evolution: @escaping @Sendable (TableMetadata) throws(TableFormatError) -> TableChange?
    ) {
        self.identifier = identifier
        self.schema = schema
        self.partitionSpec = partitionSpec
        self.sortOrder = sortOrder
        self.properties = properties
        self.evolution = evolution
    }
}

/// One commit: what must hold, and what changes.
public struct TableChange: Sendable, Hashable {
    public var requirements: [TableRequirement]
    public var updates: [TableUpdate]

    public init(requirements: [TableRequirement], updates: [TableUpdate]) {
        self.requirements = requirements
        self.updates = updates
    }
}
