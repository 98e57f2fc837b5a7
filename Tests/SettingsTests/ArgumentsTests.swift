import Arguments
import Glibc
import Testing

struct ArgumentsTests {
    static let program = Command(
        "tss", "Keeps the traces that matter",
        options: [Option("version", .flag, "Print the version")],
        commands: [
            Command(
                "serve", "Run the server", details: "Runs until it is told to stop.",
                options: [
                    Option("config", short: "c", .file, "Configuration"),
                    Option(
                        "port", short: "p", .integer(1...65535), default: "4317", variables: ["TSS_TEST_PORT"], "Port"),
                    Option("grace", .duration, default: "10s", "Time to drain"),
                    Option("set", .text, isRepeatable: true, "A setting"),
                    Option("dev", short: "d", .flag, "Short waits"),
                    Option("quiet", short: "q", .flag, variables: ["QUIET"], "Say less"),
                ]),
            Command(
                "produce", "Send traces",
                options: [
                    Option("to", .choice(["kafka", "otlp"]), "Where to"),
                    Option("error-rate", .number(0...100), "Errors, in percent"),
                ]),
            Command(
                "query", "Ask",
                operands: [
                    Operand("SQL", .text, "The question"),
                    Operand("FILES", .file, isRequired: false, isRepeatable: true, "More"),
                ]),
            Command("rules", "Force rules", commands: [Command("add", "Add one"), Command("list", "List them")]),
        ])

    private func run(_ line: String, _ environment: [String: String] = [:]) throws -> ParsedCommand {
        let words = line.split(separator: " ").map(String.init)
        guard case .run(let parsed) = try Self.program.parse(words, environment: environment) else {
            throw UsageError("help")
        }
        return parsed
    }

    private func refusal(_ line: String, _ environment: [String: String] = [:]) -> String {
        do {
            return "taken: \(try run(line, environment).path)"
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: ["serve --port=80", "serve --port 80", "serve -p80", "serve -p 80", "serve -p=80", "serve -qdp80"])
    func `an option's value is written in any of the usual ways`(line: String) throws {
        #expect(try run(line).integer("port") == 80)
    }

    @Test func `defaults and variables fill in what is not given`() throws {
        let bare = try run("serve")
        #expect(bare.path == ["tss", "serve"])
        #expect(bare.integer("port") == 4317)
        #expect(!bare.isGiven("port"))
        #expect(bare.duration("grace") == .seconds(10))
        #expect(bare.text("config") == nil)
        #expect(!bare.flag("dev"))
        let varied = try run("serve --dev", ["TSS_TEST_PORT": "5", "QUIET": "1"])
        #expect(varied.integer("port") == 5)
        #expect(varied.isGiven("port"))
        #expect(varied.flag("dev") && varied.flag("quiet"))
        #expect(try run("serve -p 6", ["TSS_TEST_PORT": "5"]).integer("port") == 6)
        #expect(try run("serve", ["TSS_TEST_PORT": ""]).integer("port") == 4317)
        #expect(try !run("serve", ["QUIET": "0"]).flag("quiet"))
    }

    @Test func `repeated options keep their order`() throws {
        #expect(try run("serve --set a=1 --set=b=2").texts("set") == ["a=1", "b=2"])
    }

    @Test func `operands are handed out in order, and may begin with dashes after two of them`() throws {
        let parsed = try run("query one -- --two -three")
        #expect(parsed.operand("SQL") == ["one"])
        #expect(parsed.operand("FILES") == ["--two", "-three"])
        #expect(try run("query -- --help").operand("SQL") == ["--help"])
    }

    @Test(
        arguments: [
            ("250ms", .milliseconds(250)), ("10s", .seconds(10)), ("1.5s", .milliseconds(1500)), ("5m", .seconds(300)),
            ("1h", .seconds(3600)), ("7d", .seconds(604_800)), ("0s", .zero),
        ] as [(String, Duration)])
    func `durations have units`(text: String, duration: Duration) throws {
        #expect(try run("serve --grace \(text)").duration("grace") == duration)
    }

    @Test(
        arguments: [
            ("serve --prot 80", "tss serve: unknown option --prot; did you mean --port?"),
            ("serv", "tss: unknown command \"serv\"; did you mean serve?"),
            ("rules ad", "tss rules: unknown command \"ad\"; did you mean add?"),
            ("rules lsit", "tss rules: unknown command \"lsit\"; did you mean list?"),
            ("produce --to kafak", "tss produce: --to: \"kafak\" is none of kafka, otlp; did you mean kafka?"),
            ("serve --port 0", "tss serve: --port: 0 is not within 1 and 65535"),
            ("serve --port x", "tss serve: --port: \"x\" is no whole number"),
            ("serve --port", "tss serve: --port needs a value, N"),
            ("serve --config --dev", "tss serve: --config needs a value, FILE"),
            ("serve --dev=yes", "tss serve: --dev takes no value"),
            ("serve -x", "tss serve: unknown option -x"),
            ("serve -p 1 -p 2", "tss serve: --port is given twice"),
            ("serve --grace 10", "tss serve: --grace: \"10\" is no duration such as 250ms, 10s, 5m, 1h"),
            ("serve --grace=-1s", "tss serve: --grace: \"-1s\" is no duration such as 250ms, 10s, 5m, 1h"),
            ("produce --error-rate 101", "tss produce: --error-rate: 101 is not within 0 and 100"),
            ("serve now", "tss serve: unexpected \"now\""),
            ("query", "tss query: SQL is missing"),
            ("--verison", "tss: unknown option --verison; did you mean --version?"),
        ] as [(String, String)])
    func `a mistake names the command and what was probably meant`(line: String, expected: String) {
        #expect(refusal(line) == expected)
        #expect(UsageError.exitCode == 64)
    }

    @Test func `a wrong variable is named`() {
        #expect(refusal("serve", ["TSS_TEST_PORT": "x"]) == "tss serve: TSS_TEST_PORT: \"x\" is no whole number")
        #expect(refusal("serve", ["QUIET": "maybe"]).hasPrefix("tss serve: QUIET: \"maybe\" is none of"))
    }

    @Test(arguments: [[], ["--help"], ["-h"], ["rules"], ["serve", "--port=1", "--help"]] as [[String]])
    func `help is given`(words: [String]) throws {
        guard case .help(let text) = try Self.program.parse(words) else {
            Issue.record("no help")
            return
        }
        #expect(text.contains("Usage: tss"))
    }

    @Test func `help shows values, ranges, defaults and variables`() {
        let help = Self.program.commands[0].help(path: ["tss", "serve"])
        #expect(
            help == """
                tss serve: Run the server

                Usage: tss serve [OPTIONS]

                Runs until it is told to stop.

                Options:
                  -c, --config FILE     Configuration
                  -p, --port N          Port (1 to 65535; default 4317; or TSS_TEST_PORT)
                      --grace DURATION  Time to drain (default 10s)
                      --set TEXT        A setting (can be repeated)
                  -d, --dev             Short waits
                  -q, --quiet           Say less (or QUIET)
                  -h, --help            Show this

                """)
    }

    @Test func `options stand before a command too`() throws {
        #expect(try run("--version").flag("version"))
    }

    @Test(
        arguments: [
            (["tss", "se"], "serve"), (["tss", "rules", ""], "add list --help"), (["tss", "serve", "--po"], "--port"),
            (["tss", "produce", "--to", ""], "kafka otlp"), (["tss", "produce", "--to", "=", "k"], "kafka"),
            (["tss", "produce", "--to", "="], "kafka otlp"), (["tss", "serve", "--port", ""], ""),
        ] as [([String], String)])
    func `bash completes commands, options and choices`(words: [String], expected: String) throws {
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let script =
            Self.program.bashCompletion + """
                COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); _tss; echo "${COMPREPLY[@]}"

                """
        #expect(try bash(script) == expected + "\n")
    }

    /// What a script prints.
    private func bash(_ script: String) throws -> String {
        let stream = try #require(popen("bash <<'END_OF_SCRIPT'\n\(script)END_OF_SCRIPT\n", "r"))
        defer { pclose(stream) }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&chunk, 1, chunk.count, stream)
            if count == 0 { return String(decoding: output, as: UTF8.self) }
            output += chunk[..<count]
        }
    }
}
