// swift-tools-version: 6.2
// The architecture as data: a module may use modules of earlier rows only, and this file
// refuses anything else. `Tests/TidyTests` holds every `import` line against these entries.
import PackageDescription

struct Module {
    var name: String
    var uses: [String]
    var native: [String] = []
    /// Files that become constants of the module.
    var embeds: [String] = []
}

let rows: [[Module]] = [
    // Engine: no Foundation, clock, lock, socket or thread.
    [
        Module(name: "TraceModel", uses: []),
        Module(name: "Compression", uses: [], native: ["CZlib", "CZstd"]),
        Module(name: "JSON", uses: []),
        Module(name: "ProtobufWriter", uses: []),
        Module(name: "Configuration", uses: []),
        Module(name: "Patterns", uses: [], native: ["CRE2"]),
    ],
    [
        Module(name: "TraceBuffering", uses: ["TraceModel"], native: ["CSystem"]),
        Module(name: "OTLPWire", uses: ["TraceModel", "Patterns"]),
        Module(name: "Avro", uses: ["JSON", "Compression"]),
        Module(name: "OTLPJSON", uses: ["JSON", "ProtobufWriter"]),
        Module(name: "TraceGenerator", uses: ["TraceModel", "ProtobufWriter"]),
    ],
    [
        Module(name: "Sampling", uses: ["TraceModel", "JSON", "Configuration", "Patterns", "OTLPWire"]),
        Module(name: "Iceberg", uses: ["JSON", "Compression", "Avro"]),
    ],
    [
        Module(
            name: "Pipeline",
            uses: ["TraceModel", "JSON", "ProtobufWriter", "OTLPWire", "TraceBuffering", "Sampling", "Iceberg"],
            native: ["CSystem"])
    ],
    // Base of everything that touches the world.
    [
        Module(name: "Threads", uses: [], native: ["CSystem"]),
        Module(name: "Arguments", uses: ["Configuration"]),
    ],
    [
        Module(name: "Telemetry", uses: ["Threads"])
    ],
    // Clients: one foreign thing each, know nothing of spans or of one another.
    [
        Module(name: "RDKafka", uses: ["Threads"], native: ["CLibrdkafka"]),
        Module(name: "Parquet", uses: [], native: ["CParquet"]),
        Module(name: "ObjectStorage", uses: ["Threads"], native: ["CSystem"]),
        Module(name: "HTTPClient", uses: ["Threads"], native: ["CCurl"]),
        Module(name: "HTTPServer", uses: ["Threads", "Compression"], native: ["CMicrohttpd", "CSystem"]),
        Module(name: "Database", uses: ["Threads"], native: ["CSQLite"]),
        Module(name: "YAML", uses: ["Configuration"], native: ["CYAML"]),
        Module(name: "Workers", uses: ["Threads"], native: ["CSpawn", "CSystem"]),
    ],
    // Edges: implement the pipeline's ports with one or two clients.
    [
        Module(
            name: "ShardRunner",
            uses: ["Pipeline", "TraceModel", "TraceBuffering", "Sampling", "Iceberg", "Threads", "Telemetry"],
            native: ["CSystem"]),
        Module(
            name: "OTLPServer",
            uses: [
                "Pipeline", "TraceModel", "OTLPWire", "OTLPJSON", "JSON", "ProtobufWriter", "HTTPServer", "Threads",
                "Telemetry",
            ]),
        Module(
            name: "SpanLog",
            uses: ["Pipeline", "Iceberg", "TraceModel", "OTLPWire", "Threads", "Telemetry"], native: ["CSystem"]),
        Module(
            name: "KafkaIO",
            uses: ["Pipeline", "TraceModel", "Iceberg", "JSON", "OTLPJSON", "RDKafka", "Threads", "Telemetry"],
            native: ["CSystem"]),
        Module(
            name: "IcebergCatalogs", uses: ["Iceberg", "JSON", "Database", "ObjectStorage", "Threads"]),
        Module(
            name: "IcebergSink",
            uses: ["Pipeline", "TraceModel", "OTLPWire", "JSON", "Iceberg", "Parquet", "ObjectStorage"]),
        Module(
            name: "StateStores",
            uses: ["JSON", "Pipeline", "TraceModel", "Sampling", "Database", "Threads", "Telemetry"],
            native: ["CSystem"]),
        Module(
            name: "QueryEngine",
            uses: ["Iceberg", "JSON", "Workers", "Threads", "Telemetry"],
            embeds: ["Worker/query_worker.py"]),
    ],
    [
        Module(
            name: "AdminAPI",
            uses: [
                "Pipeline", "TraceModel", "Sampling", "StateStores", "QueryEngine", "HTTPServer", "JSON", "Threads",
                "Telemetry",
            ]),
        Module(name: "Settings", uses: ["Configuration", "YAML", "Sampling", "Telemetry", "RDKafka"]),
    ],
    [
        Module(
            name: "Commands",
            uses: [
                "TraceModel", "Compression", "JSON", "OTLPWire", "TraceGenerator", "Sampling", "Iceberg", "Pipeline",
                "Threads", "Telemetry", "Parquet", "ObjectStorage", "HTTPClient", "HTTPServer", "Database", "Workers",
                "ShardRunner", "OTLPServer", "SpanLog", "IcebergCatalogs", "IcebergSink", "StateStores",
                "QueryEngine", "KafkaIO", "RDKafka", "AdminAPI", "Settings", "Configuration", "Arguments",
                "TraceBuffering", "OTLPJSON", "ProtobufWriter",
            ], native: ["CSystem"])
    ],
]

/// Debian's libraries are found by the default search path; those of the native prefix by their own .pc file.
let prefix = Context.packageDirectory + "/.native/lib/pkgconfig/"
let native: [Target] = [
    .systemLibrary(name: "CSystem"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CCurl"),
    .systemLibrary(name: "CMicrohttpd"),
    .systemLibrary(name: "CSQLite"),
    .systemLibrary(name: "CYAML"),
    .systemLibrary(name: "CArrow", pkgConfig: prefix + "tss-arrow.pc"),
    .target(name: "CParquet", dependencies: ["CArrow", "CZstd"]),
    .systemLibrary(name: "CLibrdkafka", pkgConfig: prefix + "tss-rdkafka.pc"),
    .target(name: "CSpawn"),
    .target(name: "CRE2"),
]

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func target(_ module: Module, after earlier: Set<String>) -> Target {
    for used in module.uses where !earlier.contains(used) {
        fatalError("\(module.name) may not use \(used): imports point to earlier rows only")
    }
    return .target(
        name: module.name,
        dependencies: (module.uses + module.native).map { .byName(name: $0) },
        resources: module.embeds.map { .embedInCode($0) },
        swiftSettings: swiftSettings)
}

var earlier: Set<String> = []
var targets = native
for row in rows {
    targets += row.map { target($0, after: earlier) }
    earlier.formUnion(row.map(\.name))
}

targets += [
    .executableTarget(name: "tss", dependencies: ["Commands"], swiftSettings: swiftSettings),
    .executableTarget(
        name: "row-files-benchmark",
        dependencies: ["IcebergSink", "Parquet", "Pipeline", "Iceberg", "OTLPWire", "TraceGenerator", "TraceModel"],
        path: "Benchmarks/RowFiles", exclude: ["pyarrow_rows.py", "instructions.py"], swiftSettings: swiftSettings),
    .target(name: "CBenchmark", path: "Benchmarks/Counters"),
    .executableTarget(
        name: "benchmarks",
        dependencies: [
            "CBenchmark", "TraceModel", "Compression", "Patterns", "OTLPWire", "TraceBuffering", "TraceGenerator",
            "Sampling", "Pipeline",
        ], path: "Benchmarks/Engine", swiftSettings: swiftSettings),
]

/// A test target sees what it tests and everything below it.
func tests(_ name: String, _ uses: [String], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: uses.map { .byName(name: $0) }, resources: resources,
        swiftSettings: swiftSettings)
}

// One line for each, however long: two people who add one then do not meet.
// swift-format-ignore
targets += [
    tests("BufferTests", ["TraceModel", "TraceBuffering", "TraceGenerator"]),
    tests("CatalogTests", ["JSON", "Avro", "Iceberg", "Threads", "Database", "ObjectStorage", "IcebergCatalogs"]),
    tests("CommandTests", ["TraceModel", "JSON", "QueryEngine", "Sampling", "Settings", "Commands"]),
    tests("CommitTests", ["TraceModel", "JSON", "ProtobufWriter", "OTLPWire", "TraceBuffering", "TraceGenerator", "Iceberg", "Sampling", "Pipeline", "Threads", "Telemetry", "SpanLog", "StateStores", "ShardRunner"]),
    tests("EngineTests", ["TraceModel", "Compression", "JSON", "ProtobufWriter", "OTLPWire", "TraceBuffering", "Avro", "TraceGenerator", "Sampling", "Iceberg"]),
    tests("FormatTests", ["JSON", "Compression", "Avro", "Iceberg"], resources: [.copy("Fixtures")]),
    tests("KafkaTests", ["RDKafka", "KafkaIO", "Pipeline", "TraceModel", "Telemetry", "Threads"]),
    tests("ParquetTests", ["Parquet"]),
    tests("PatternTests", ["Patterns"]),
    tests("PolicyTests", ["JSON", "Configuration", "TraceModel", "ProtobufWriter", "OTLPWire", "Sampling", "YAML"], resources: [.copy("Cases")]),
    tests("ProcessTests", ["TraceModel", "JSON", "ProtobufWriter", "Compression", "TraceGenerator", "Threads", "HTTPClient", "Workers", "CSystem"], resources: [.copy("Python")]),
    tests("ReadersTests", ["TraceModel", "OTLPWire", "TraceGenerator", "Iceberg", "Pipeline", "Parquet", "IcebergSink", "Workers", "Threads", "ObjectStorage", "IcebergCatalogs"], resources: [.copy("Scripts")]),
    tests("ServerTests", ["TraceModel", "JSON", "Compression", "ProtobufWriter", "OTLPWire", "Pipeline", "Threads", "Telemetry", "CSystem", "HTTPServer", "HTTPClient", "OTLPServer", "Sampling", "StateStores", "AdminAPI"]),
    tests("SettingsTests", ["Configuration", "YAML", "Arguments", "Sampling", "Telemetry", "Settings"]),
    tests("ShardTests", ["TraceModel", "OTLPWire", "TraceBuffering", "TraceGenerator", "Sampling", "Iceberg", "Pipeline"]),
    tests("SimulationTests", ["TraceModel", "JSON", "OTLPWire", "TraceBuffering", "TraceGenerator", "Sampling", "Iceberg", "Pipeline"]),
    tests("SinkTests", ["TraceModel", "ProtobufWriter", "OTLPWire", "TraceGenerator", "Iceberg", "Pipeline", "Parquet", "IcebergSink"]),
    tests("StateStoreTests", ["TraceModel", "JSON", "Sampling", "Pipeline", "Threads", "Telemetry", "Database", "StateStores"]),
    tests("TidyTests", []),
    tests("WireTests", ["TraceModel", "Compression", "JSON", "ProtobufWriter", "Patterns", "OTLPWire", "OTLPJSON", "TraceGenerator"], resources: [.copy("Fixtures")]),
    tests("WorkerTests", ["Threads", "Workers"]),
]

let package = Package(
    name: "tail-sampling-selector",
    products: [.executable(name: "tss", targets: ["tss"])],
    targets: targets,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
