/// The limits of the embedded log; every default is what the product runs with unless it is configured.
public struct LogOptions: Sendable, Hashable {
    /// A segment that is larger takes no further group (64 MiB).
    public var segmentBytes = 64 << 20
    /// Largest body of one record (64 MiB); the entrances have a lower limit of their own.
    public var recordBytes = 64 << 20
    /// A group of records is synced when it is so large, or nothing else waits (4 MiB).
    public var groupBytes = 4 << 20
    /// Requests that wait for their sync at one time.
    public var queuedRequests = 1024
    /// Bytes of the requests that wait for their sync (64 MiB).
    public var queuedBytes = 64 << 20
    /// A request repeated within this time of the log's clock is answered from the old record (10 min).
    public var repeatMilliseconds: Int64 = 600_000
    /// Requests remembered for that, about 50 bytes each; beyond, the oldest are forgotten.
    public var repeatEntries = 1_000_000
    /// What the log may take of the disk, the reserve included (10 GiB).
    public var diskBytes = 10 << 30
    /// What only flush and commit may use: 2 × target_file_bytes + 64 MiB.
    public var reserveBytes = 2 * (128 << 20) + (64 << 20)
    /// Share of the file system that is never filled, in percent.
    public var freePercent = 5
    /// How long a sender is told to wait when the queue is full, and when the disk is.
    public var queueRetrySeconds = 1
    public var diskRetrySeconds = 15
    /// How long after a failed write or sync the next segment is tried.
    public var failureRetryMilliseconds: Int64 = 1000

    #if DEBUG
        /// Rules switched off, to show which invariant each one carries.
        public var faults: Set<PlantedFault> = []
    #endif

    public init() {}

    /// Whether a body may be taken.
    ///
    /// - Parameters:
    ///   - logBytes: On disk, and accepted but not yet written.
    ///   - space: Of the file system, less what was accepted since it was asked; nil when it did not answer.
    public func admits(bodyBytes: Int, logBytes: Int, space: DiskSpace?) -> Bool {
        let recordBytes = bodyBytes + LogFormat.recordHeaderBytes
        guard logBytes + recordBytes <= diskBytes - reserveBytes else { return false }
        guard let space else { return true }
        let kept = space.totalBytes / 100 * freePercent + reserveBytes
        return space.availableBytes - recordBytes >= kept
    }
}
