/// Where the runner is, for health.
public struct RunnerStatus: Sendable {
    public enum Phase: String, Sendable {
        /// The table is not reached yet, or its partitions are being taken over.
        case fencing
        /// The table is read for what it already holds.
        case recovering
        case running
        case stopping
        case stopped
    }

    public var phase = Phase.fencing
    /// Wall clock, milliseconds since 1970, when the phase began.
    public var phaseSinceMilliseconds: Int64 = 0
    /// What stands in the way of fencing, recovering or committing now; nil when nothing does.
    public var obstacle: String?
    public var obstacleSinceMilliseconds: Int64?
    /// The last obstacle, also when it is gone.
    public var lastObstacle: String?
    /// Whether the shards have been taken up at least once.
    public var hasStarted = false
    public var lastCommitMilliseconds: Int64?
    public var lastSnapshotID: Int64?
    public var committedSpanCount: Int64 = 0
    public var committedTraceCount: Int64 = 0
    /// Rows of all live files of the table when it was last committed to; nil when unknown.
    public var tableRowCount: Int64?

    public init() {}
}
