import Foundation
import Glibc
import Workers

/// The built program, and what starts it.
enum Program {
    /// `tss` of the same build as these tests: it lies beside their bundle.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return URL(filePath: own).deletingLastPathComponent().appending(path: "tss").path(percentEncoded: false)
    }()

    /// The top of the checkout, with a slash at its end.
    static let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().standardizedFileURL.path(percentEncoded: false)

    /// Children are killed when the thread that started them ends: this one lives as long as the tests.
    static let launcher: Result<ProcessLauncher, any Error> = Result { try ProcessLauncher() }

    /// What a child has of our environment: nothing that could set the program up.
    static let environment = [
        "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
        "HOME": ProcessInfo.processInfo.environment["HOME"] ?? "/",
    ]

    struct Outcome: Sendable {
        var status: Workers.ExitStatus
        var output: String
        var errors: String
    }

    /// Starts a program, waits for its end and returns what it wrote.
    ///
    /// - Parameters:
    ///   - folder: For the files of its output.
    ///   - limit: After it the child is killed, and that is a failure.
    static func run(
        _ path: String = Self.path, _ arguments: [String], environment: [String: String] = [:],
        folder: TestFolder, limit: Duration = .seconds(60)
    ) throws -> Outcome {
        let names = (folder.newName("output"), folder.newName("errors"))
        var command = ChildCommand(path: path)
        command.arguments = arguments
        command.environment = Self.environment.merging(environment) { $1 }
        command.folder = folder.path
        let files = (try newFile(names.0), try newFile(names.1))
        command.standardOutput = files.0
        command.standardError = files.1
        let child: ChildProcess
        do {
            defer {
                close(files.0)
                close(files.1)
            }
            child = try launcher.get().launch(command)
        }
        guard let status = child.wait(milliseconds: Int(limit / .milliseconds(1))) else {
            child.kill()
            throw Failure("\(path) \(arguments) did not end within \(limit): \(try text(names.1))")
        }
        return Outcome(status: status, output: try text(names.0), errors: try text(names.1))
    }

    static func newFile(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot make \(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}

/// What a test could not do, in one sentence.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
