import Foundation
import Glibc
import Workers

/// Runs a script of this folder in one of the checkout's Python environments.
enum PythonReader {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)

    struct Outcome {
        var isSuccess: Bool
        /// What it wrote to standard output and standard error.
        var text: String
    }

    /// - Parameters:
    ///   - environment: `test` or `query`, made by the set-up.
    ///   - folder: For the output.
    static func run(
        _ script: String, environment: String, _ arguments: [String], folder: String
    ) throws -> Outcome {
        let launcher = try ProcessLauncher()
        defer { launcher.stop() }
        let output = folder + "/\(script)-\(UUID().uuidString).txt"
        let descriptor = open(output, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        var command = ChildCommand(path: root + "/.venv/\(environment)/bin/python")
        command.arguments = [root + "/Tests/ReadersTests/Scripts/\(script)"] + arguments
        command.environment = ["PATH": "/usr/bin:/bin", "HOME": folder, "PYICEBERG_HOME": folder]
        command.standardOutput = descriptor
        command.standardError = descriptor
        let child = try launcher.launch(command)
        // The slowest took 5 s here; nothing is waited for that long but a hanging reader.
        let status = child.wait(milliseconds: 120_000)
        if status == nil { _ = child.kill() }
        let text = String(decoding: try Data(contentsOf: URL(filePath: output)), as: UTF8.self)
        return Outcome(isSuccess: status == .exited(code: 0), text: text)
    }
}
