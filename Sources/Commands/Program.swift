internal import Arguments
internal import CSystem
internal import Glibc

/// The program: one declaration of its commands, and what runs each.
public enum Program {
    public static let version = "0.1.0"

    static let declaration = Command(
        "tss", "Tail sampling of traces that loses none",
        details: """
            Takes OTLP spans, holds each trace until it is complete, keeps those that the policies want as rows of an \
            Apache Iceberg table, and says why for every one.
            """,
        commands: [
            ServeCommand.declaration, ProduceCommand.declaration, QueryCommand.declaration, RulesCommand.declaration,
            WhyCommand.declaration, EvaluateCommand.declaration, DemoCommand.declaration,
            Command("completion", "Print the script that teaches bash this program's words"),
            Command("version", "Print the version"),
        ])

    /// Runs the command line of the process and ends it.
    ///
    /// Installed as `tail-sampling-selector` it is `tss serve`, as `simple_producer` it is `tss produce`.
    public static func main() -> Never {
        tss_stdout_line_buffered()
        // A reader that went away is an error of the write, never the end of the program.
        signal(SIGPIPE, SIG_IGN)
        var arguments = CommandLine.arguments
        let name = arguments.removeFirst().split(separator: "/").last.map(String.init) ?? ""
        switch name {
        case "tail-sampling-selector": arguments.insert("serve", at: 0)
        case "simple_producer": arguments.insert("produce", at: 0)
        default: break
        }
        exit(run(arguments))
    }

    private static func run(_ arguments: [String]) -> Int32 {
        let parsed: ParsedCommand
        do throws(UsageError) {
            switch try declaration.parse(arguments, environment: ProcessEnvironment.variables) {
            case .help(let text):
                print(text, terminator: "")
                return 0
            case .run(let command): parsed = command
            }
        } catch {
            Terminal.error(error.description)
            return UsageError.exitCode
        }
        switch parsed.path.dropFirst().first {
        case "serve": return ServeCommand.run(parsed)
        case "produce": return ProduceCommand.run(parsed)
        case "query": return QueryCommand.run(parsed)
        case "rules": return RulesCommand.run(parsed)
        case "why": return WhyCommand.run(parsed)
        case "evaluate": return EvaluateCommand.run(parsed)
        case "demo": return DemoCommand.run(parsed)
        case "completion": print(declaration.bashCompletion, terminator: "")
        default: print("tss \(version)")
        }
        return 0
    }
}
