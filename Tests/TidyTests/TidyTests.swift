import Testing

/// The project against its own rules. Each checker is shown bad examples in `CheckerTests`.
@Suite struct TidyTests {
    let checkout = Checkout.current
    let manifest = Manifest(text: Checkout.current.text("Package.swift") ?? "")

    @Test func `every folder of sources and tests is a target, and every module has its layer`() {
        for folder in checkout.folders(in: "Sources") + checkout.folders(in: "Tests") {
            #expect(manifest.dependencies[folder] != nil, "\(folder) is not in Package.swift")
        }
        for layer in Manifest.Layer.allCases {
            #expect(manifest.layers.values.contains(layer), "no module after the comment \(layer.rawValue)")
        }
        #expect(manifest.layers["TraceModel"] == .engine)
        #expect(manifest.layers["Commands"] == .edges)
    }

    @Test func `a module imports what its entry names`() {
        let findings = checkout.swiftFiles("Sources").flatMap { Imports.findings(in: $0, manifest: manifest) }
        expectNone(findings)
    }

    @Test func `the engine has no clock, lock, thread, chance or output`() {
        let engine = checkout.swiftFiles("Sources").filter { manifest.layers[$0.module ?? ""] == .engine }
        #expect(!engine.isEmpty)
        expectNone(engine.flatMap(Checkers.engineWords))
    }

    @Test func `unsafe code lies where it may`() {
        // Modules of the base and the clients touch C; elsewhere it has files of its own.
        let modulesWithMemoryFiles: Set<String> = ["Compression", "Patterns", "Pipeline", "SpanLog", "TraceBuffering"]
        let files: Set<String> = [
            "Sources/Pipeline/BodyHash.swift",  // loads of words below the byte count
            "Sources/OTLPWire/RawSpan+Loads.swift",  // loads at offsets that the caller has checked
            "Sources/KafkaIO/KafkaPartitionSource.swift",  // messages lie in the client's memory
            "Sources/KafkaIO/MessageForm.swift",  // loads at offsets below the byte count
            "Sources/TraceModel/TraceID.swift",  // hexadecimal text, written in place
        ]
        // One system call on a buffer that lives for the call.
        let systemCalls: Set<String> = [
            "Sources/Commands/Demo/DemoServer.swift", "Sources/Commands/Evaluate/LineReader.swift",
            "Sources/Commands/FolderListing.swift",
            "Sources/Commands/ProcessEnvironment.swift", "Sources/Commands/QueryCommand.swift",
            "Sources/QueryEngine/PythonEnvironment.swift", "Sources/QueryEngine/WorkerChannel.swift",
            "Sources/ShardRunner/DeadLetterFolder.swift", "Sources/ShardRunner/SegmentFolder.swift",
            "Sources/SpanLog/DataFolder.swift",
            "Sources/SpanLog/DiskSegmentFiles.swift", "Sources/StateStores/VerdictFiles.swift",
        ]
        for path in files.union(systemCalls) {
            let file = SourceText(path: path, text: checkout.text(path) ?? "")
            #expect(Checkers.unsafeWords(file) != [], "\(path) is listed for nothing")
        }
        let findings = checkout.swiftFiles("Sources").filter { file in
            let module = file.module ?? ""
            if manifest.layers[module] == .base || manifest.layers[module] == .clients { return false }
            if modulesWithMemoryFiles.contains(module), file.fileName.hasSuffix("+Memory.swift") { return false }
            return !files.contains(file.path) && !systemCalls.contains(file.path)
        }.flatMap(Checkers.unsafeWords)
        expectNone(findings)
    }

    @Test func `what crosses threads carries its proof`() {
        expectNone(checkout.swiftFiles("Sources", "Tests").flatMap(Checkers.sendability))
    }

    @Test func `threads are used, not Swift's concurrency`() {
        // Not in tests: the runner's own exit tests must be awaited.
        expectNone(checkout.swiftFiles("Sources").flatMap(Checkers.concurrency))
    }

    @Test func `kill points are in debug builds only`() {
        expectNone(checkout.swiftFiles("Sources").flatMap(Checkers.killPoints))
    }

    @Test func `lines, functions and files fit a reader`() {
        let files = checkout.swiftFiles("Benchmarks", "Fuzzers", "Sources", "Tests")
        expectNone(files.flatMap(Checkers.lineLength))
        expectNone(files.flatMap(Checkers.functionLength))
        expectNone(files.flatMap(Checkers.fileLength))
    }

    @Test func `nothing is left for later, and nothing names one machine`() {
        let texts = checkout.paths().filter { !$0.hasPrefix("Tests/TidyTests/") }.compactMap { path in
            checkout.text(path).map { SourceText(path: path, text: $0) }
        }
        #expect(texts.count > 100, "the checkout was not found")
        expectNone(texts.flatMap(Checkers.unfinished))
        expectNone(texts.flatMap(Checkers.machinePaths))
    }

    @Test func `links lead somewhere`() {
        let findings = checkout.paths().filter { !$0.hasPrefix("Tests/TidyTests/") }.flatMap { path -> [Finding] in
            guard let text = checkout.text(path) else { return [] }
            let inMarkdown =
                path.hasSuffix(".md") ? Links.broken(inMarkdown: text, path: path, read: checkout.text) : []
            return inMarkdown + Links.broken(inSource: text, path: path, read: checkout.text)
        }
        expectNone(findings)
    }

    /// Every finding is an issue of its own, and so a line of its own in the output.
    private func expectNone(_ findings: [Finding], at location: SourceLocation = #_sourceLocation) {
        for finding in findings { Issue.record("\(finding)", sourceLocation: location) }
    }
}
