internal import Arguments
internal import Glibc
internal import Settings
internal import Telemetry
internal import Threads

/// `tss serve`: the server.
enum ServeCommand {
    static let declaration = Command(
        "serve", "Take spans, decide about traces, keep those that matter",
        details: """
            Without any configuration it takes OTLP/HTTP on 127.0.0.1:4318, keeps its data in ./data and answers \
            health, metrics and queries on 127.0.0.1:8080. Settings come from a YAML file and from \
            TSS__SECTION__KEY variables.
            """,
        options: CommandSettings.options + [
            Option(
                "dev", .flag,
                "Short waits for trying it out: decisions after 2 s, commits every 1 s, a line for each decision"),
            Option("check-config", .flag, "Read the configuration, say what is wrong with it, and end"),
            Option("print-config", .flag, "Print the effective configuration, without secrets, and end"),
        ])

    static func run(_ arguments: ParsedCommand) -> Int32 {
        let isDevelopment = arguments.flag("dev")
        guard let loaded = CommandSettings.load(arguments, isDevelopment: isDevelopment) else {
            return CommandSettings.exitCode
        }
        if arguments.flag("print-config") {
            print(loaded.printed, terminator: "")
            return 0
        }
        if arguments.flag("check-config") {
            for warning in loaded.warnings { Terminal.error("warning: \(warning)") }
            print("The configuration is fine.")
            return 0
        }
        // Before the first thread: every thread inherits the mask, and the main thread alone asks for signals.
        let signals = StopSignals()
        do {
            return try serve(loaded, signals)
        } catch {
            Terminal.error("tss serve: \(error)")
            return 1
        }
    }

    private static func serve(_ loaded: LoadedSettings, _ signals: StopSignals) throws -> Int32 {
        let settings = loaded.settings
        var options = Log.Options()
        options.filter = settings.observability.logFilter
        options.format = settings.observability.usesJSON ? .json : .text
        let log = try Log(options)
        defer { log.stop() }
        let logger = log.logger("tail_sampling_selector")
        if settings.isDevelopment {
            logger.info("development mode: decisions after 2 s, commits every 1 s; not for production")
        }
        logger.info("Starting Tail Sampling Selector v\(Program.version)")
        for warning in loaded.warnings { logger.warning("configuration: \(warning)") }
        for name in loaded.ignoredVariables {
            logger.debug("environment variable is no setting", metadata: ["name": "\(name)"])
        }
        let service = try Service(settings, log: log)
        do {
            try service.start()
        } catch {
            service.stop(limit: .seconds(5))
            throw error
        }
        service.announce(waitingFor: signals)
        let signal = signals.wait()
        logger.info("stopping", metadata: ["signal": .count(signal)])
        let isComplete = service.stop(limit: settings.app.shutdownTimeout)
        logger.info("stopped", metadata: ["all_decided_committed": .boolean(isComplete)])
        return 0
    }
}

/// SIGTERM and SIGINT, taken by asking instead of by handlers.
struct StopSignals {
    private var set = sigset_t()

    /// Blocks both in this thread and in those it starts.
    init() {
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for one.
    func wait() -> Int32 {
        var set = set
        var signal: Int32 = 0
        while sigwait(&set, &signal) != 0 { continue }
        return signal
    }

    /// Whether one is waiting to be taken; waits so long for it.
    func isPending(within duration: Duration) -> Bool {
        Wakeup().sleep(duration)
        var pending = sigset_t()
        sigpending(&pending)
        return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1
    }
}
