public import Pipeline

/// How shards and committer run.
public struct RunnerOptions: Sendable {
    /// Threads that own shards; partition p is worker p mod n's.
    public var workerCount = 4
    public var shard = ShardOptions()
    /// Between the start of two commits, unless kept rows press.
    public var commitInterval: Duration = .seconds(15)
    /// The interval doubles up to this while commits meet others' (60 s).
    public var commitIntervalLimit: Duration = .seconds(60)
    /// Kept rows of this size are committed without waiting for the interval.
    public var targetFileBytes = 128 << 20
    /// Positions alone are committed this often at most (5 min).
    public var positionInterval: Duration = .seconds(300)
    /// A source that does not answer is asked again after half to the whole of this (2 s).
    public var sourceRetry: Duration = .seconds(2)
    /// One read from the log.
    public var readBytes = 1 << 20
    /// How fast what is buffered is matched against newer rules, in each shard (64 MiB/s).
    public var rematchBytesPerSecond = 64 << 20
    /// Folder for full segments of the buffers (`ShardOptions.buffer.spills`).
    public var segmentFolder: String
    /// What segments may take of the disk at this moment; asked before each is written.
    public var segmentBytes: @Sendable () -> Int = { .max }
    /// How long after a refusal the disk of the segments is tried again (1 s).
    public var segmentRetryDelay: Duration = .seconds(1)
    /// Decisions that can be asked for.
    public var rememberedDecisions = 100_000
    /// Random at every process start, hexadecimal; never the instance id.
    public var writer: String
    public var steps = TableStepOptions()
    /// One info line for each decision (`--dev`); otherwise they are debug lines.
    public var logsDecisions = false
    /// Folder for records that cannot be decoded.
    public var deadLetterFolder: String

    public init(writer: String, deadLetterFolder: String, segmentFolder: String) {
        self.writer = writer
        self.deadLetterFolder = deadLetterFolder
        self.segmentFolder = segmentFolder
    }
}
