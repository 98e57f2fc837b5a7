internal import Arguments
internal import Configuration
internal import Glibc
internal import Sampling
internal import Settings

/// `tss evaluate`: what a set of policies would say of traces, without a server.
enum EvaluateCommand {
    static let declaration = Command(
        "evaluate", "Judge traces by a policy file, without a server",
        details: """
            Reads lines from files or standard input, each the OTLP/JSON of one whole trace, or \
            {"at_ms": N, "trace": <OTLP/JSON>} on a virtual clock; a later line of a trace is late spans of it. The \
            policy file is a sampling: section or an OpenTelemetry Collector's tail_sampling block. See \
            Documentation/Evaluate.md.
            """,
        options: [
            Option("policies", .file, "The policy file, YAML"),
            Option("json", .flag, "One JSON line for each line, instead of a table"),
        ],
        operands: [
            Operand("FILE", .file, isRequired: false, isRepeatable: true, "JSON lines (default: standard input)")
        ])

    /// Of policies that cannot be used, and of files that cannot be read.
    private static let refusedExitCode: Int32 = 2
    /// No policy file is as large.
    private static let policyFileLimitBytes = 8 << 20

    static func run(_ arguments: ParsedCommand) -> Int32 {
        guard let path = arguments.text("policies") else {
            Terminal.error("tss evaluate: --policies FILE is needed")
            return UsageError.exitCode
        }
        guard let file = policies(path) else { return refusedExitCode }
        let inputs: [Input]
        do throws(ReadFailure) {
            inputs = try self.inputs(arguments.operand("FILE"))
        } catch {
            Terminal.error("tss evaluate: \(error.message)")
            return refusedExitCode
        }
        let isJSON = arguments.flag("json")
        var evaluation = Evaluation(file.sampler, explains: !isJSON)
        var output = EvaluationOutput(isJSON: isJSON, names: file.policies.map(\.name))
        var code: Int32 = 0
        for input in inputs {
            do throws(ReadFailure) {
                try judge(input, &evaluation, &output)
            } catch {
                Terminal.error("tss evaluate: \(input.name): \(error.message)")
                code = refusedExitCode
            }
            if input.descriptor != STDIN_FILENO { close(input.descriptor) }
        }
        output.flush()
        let counts = output.counts
        if !isJSON {
            Terminal.error(
                "\(counts.sampled) sampled, \(counts.notSampled) not sampled, \(counts.dropped) dropped; "
                    + "lines of late spans \(counts.late), bad lines \(counts.bad)")
        }
        return code
    }

    private static func judge(
        _ input: Input, _ evaluation: inout Evaluation, _ output: inout EvaluationOutput
    ) throws(ReadFailure) {
        var lines = LineReader(input.descriptor)
        var number = 0
        while true {
            // Whoever writes line by line gets each answer before the next line.
            if !lines.hasLine { output.flush() }
            guard let line = try lines.next() else { return }
            number += 1
            do throws(Evaluation.BadLine) {
                switch line {
                case .tooLong:
                    throw Evaluation.BadLine(message: "longer than \(LineReader.lineLimitBytes) bytes")
                case .bytes(let bytes):
                    if bytes.allSatisfy(isBlank) { continue }
                    output.add(try evaluation.answer(bytes))
                }
            } catch {
                output.add(error, lineNumber: number)
                Terminal.error("tss evaluate: \(input.name), line \(number): \(VisibleText.of(error.message))")
            }
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }

    // MARK: Files

    private struct Input {
        var name: String
        var descriptor: Int32
    }

    /// Opens every file, so that one that is not there is known before the first answer.
    private static func inputs(_ paths: [String]) throws(ReadFailure) -> [Input] {
        if paths.isEmpty { return [Input(name: "standard input", descriptor: STDIN_FILENO)] }
        var inputs: [Input] = []
        for path in paths {
            let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw ReadFailure(message: "cannot read \(path): \(String(cString: strerror(errno)))")
            }
            inputs.append(Input(name: path, descriptor: descriptor))
        }
        return inputs
    }

    /// Nil after it has said what is wrong.
    private static func policies(_ path: String) -> PolicyFile? {
        let text: [UInt8]
        do throws(ReadFailure) {
            text = try ProcessEnvironment.readBytes(path, limitBytes: policyFileLimitBytes)
        } catch {
            Terminal.error("tss evaluate: \(error.message)")
            return nil
        }
        do throws(SettingsError) {
            let file = try PolicyFile.read(text, path: path)
            for warning in file.warnings { Terminal.error("tss evaluate: warning: \(warning)") }
            return file
        } catch {
            let count = error.problems.count
            Terminal.error("tss evaluate: \(count) \(count == 1 ? "problem" : "problems") in the policies:")
            for problem in error.problems { Terminal.error("  \(problem)") }
            return nil
        }
    }
}
