internal import Sampling
public import Telemetry

/// Everything that can be configured, with the defaults.
///
/// Which key sets which property stands in `Declaration.all`; `Settings.load` reads them.
public struct Settings: Sendable {
    public var app: Application
    public var otlp = OTLP()
    public var kafka = Kafka()
    public var sampling = SamplingSettings()
    public var forceSampling = ForceSampling()
    public var storage = Storage()
    public var observability = Observability()
    public var admin = Admin()
    public var query = Query()
    /// Short waits and one line per decision, for a developer's machine.
    public let isDevelopment: Bool

    /// The defaults on a machine.
    public init(machine: MachineFacts, isDevelopment: Bool = false) {
        self.isDevelopment = isDevelopment
        app = Application(machine: machine)
        if isDevelopment {
            app.inactivityTimeout = .seconds(2)
            app.rootInactivityTimeout = .seconds(2)
            storage.iceberg.commitInterval = .seconds(1)
            observability.logsDecisions = true
        }
    }
}

extension Settings {
    /// Section `app`: waiting for traces, and the limits of the process.
    public struct Application: Sendable {
        /// Names this instance in logs, metrics and the table's properties.
        public var instanceID: String
        /// Threads that own partitions and decide.
        public var evaluationWorkers = 4
        /// A trace is decided after so long without a span.
        public var inactivityTimeout: Duration = .seconds(60)
        /// The same once the root was seen; never more than `inactivityTimeout`.
        public var rootInactivityTimeout: Duration = .seconds(30)
        /// A trace is decided at the latest so long after its first span.
        public var maximumTraceDuration: Duration = .seconds(300)
        public var maximumBufferTraces = 2_000_000
        /// Payload of undecided traces in memory.
        public var maximumBufferBytes: Int
        /// How long a decision is remembered for late spans.
        public var decisionLifetime: Duration = .seconds(3600)
        public var maximumDecisions = 10_000_000
        /// Time to commit what is decided after SIGTERM.
        public var shutdownTimeout: Duration = .seconds(30)
        /// Absolute path.
        public var dataFolder: String
        /// Never the last 5 % of the file system either.
        public var maximumDiskBytes = 10 << 30

        init(machine: MachineFacts) {
            instanceID = machine.hostName
            maximumBufferBytes = machine.memoryBytes / 4
            dataFolder = AbsolutePath.of("data", in: machine.workingFolder)
        }
    }

    /// Section `otlp`: the embedded entrance.
    public struct OTLP: Sendable {
        public var isEnabled = true
        public var address = "127.0.0.1"
        /// 0: any free port.
        public var httpPort = 4318
        /// After decompression.
        public var maximumBodyBytes = 20 << 20
        /// Partitions of the embedded log, each with a shard of its own.
        public var partitions = 1
    }

    /// Section `force_sampling`: rules that people make while the program runs.
    public struct ForceSampling: Sendable {
        public var isEnabled = true
        /// Rules that are kept at once.
        public var maximumRules = ForceRuleLimits.ruleCountLimit
        /// Longest time from now to a rule's expiry.
        public var maximumDurationSeconds: Int64 = 604_800
    }

    /// Section `storage`: where kept traces go.
    public struct Storage: Sendable {
        public var iceberg = Iceberg()

        public struct Iceberg: Sendable {
            /// As configured; nil: the embedded catalog.
            public var catalogURI: String?
            /// As configured; nil: beside the embedded catalog.
            public var warehouse: String?
            public var namespace = "default"
            public var tableName = "spans"
            public var commitInterval: Duration = .seconds(15)
            public var targetFileBytes = 128 << 20
            /// Absolute path of the catalog's SQLite file. Resolved by `load`.
            public internal(set) var catalogDatabase = ""
            /// Absolute path of the folder that holds the table's files. Resolved by `load`.
            public internal(set) var warehouseFolder = ""

            /// `sqlite:///absolute/path/catalog.db`.
            public var effectiveCatalogURI: String { "sqlite://" + catalogDatabase }
        }
    }

    /// Section `observability`: logs, metrics, health and the admin calls.
    public struct Observability: Sendable {
        public var logFilter = LogFilter()
        public var usesJSON = false
        /// One line for each decision; only the development profile sets it.
        public internal(set) var logsDecisions = false
        public var metricsAddress = "127.0.0.1"
        /// 0: any free port.
        public var metricsPort = 9090
        public var healthAddress = "127.0.0.1"
        /// 0: any free port.
        public var healthPort = 8080
    }

    /// Section `admin`: who may make admin calls.
    public struct Admin: Sendable {
        /// nil: whoever reaches the port.
        public internal(set) var token: String?
        /// Absolute path of the file that the token was read from.
        var tokenFile: String?
        /// Beside those of the loopback.
        public internal(set) var allowedHosts: [String] = []
    }

    /// Section `query`: SQL over the kept traces.
    public struct Query: Sendable {
        /// Worker processes.
        public var workers = 2
        public var timeout: Duration = .seconds(30)
        /// Address space of one worker.
        public var memoryBytes = 1 << 30
        /// Rows of one answer; more are cut off, and the answer says so.
        public var maximumRows = 10_000
    }
}
