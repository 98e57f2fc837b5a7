internal import Glibc
internal import Settings

/// What a process is told by its system, read once and handed on as values.
enum ProcessEnvironment {
    /// The variables of the environment.
    static let variables: [String: String] = {
        var variables: [String: String] = [:]
        var entry = environ
        while let line = entry.pointee {
            let text = String(cString: line)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }()

    static var workingFolder: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }

    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Facts that defaults depend on.
    static var machine: MachineFacts {
        MachineFacts(
            hostName: hostName,
            memoryBytes: MachineFacts.memoryBytes { try? readText($0, limitBytes: 1 << 20) } ?? 1 << 30,
            workingFolder: workingFolder)
    }

    /// The path as seen from the working folder.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(workingFolder)/\(path)"
    }

    /// A file's bytes.
    ///
    /// - Throws: What to tell the person who named it.
    static func readBytes(_ path: String, limitBytes: Int) throws(ReadFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadFailure(message: "cannot read \(path): \(errorText())") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ReadFailure(message: "cannot read \(path): \(errorText())") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limitBytes else {
                throw ReadFailure(message: "\(path) is larger than \(limitBytes) bytes")
            }
        }
    }

    static func readText(_ path: String, limitBytes: Int) throws(ReadFailure) -> String {
        String(decoding: try readBytes(path, limitBytes: limitBytes), as: UTF8.self)
    }

    private static func errorText() -> String { String(cString: strerror(errno)) }
}

/// Why a file that somebody named could not be read.
struct ReadFailure: Error {
    var message: String
}

/// Results on standard output; what goes to the person beside them, a whole line at a time, on standard error.
enum Terminal {
    /// Writes results to standard output, whole; a reader that went away gets nothing more.
    static func output(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var at = 0
            while at < buffer.count {
                let count = write(STDOUT_FILENO, buffer.baseAddress! + at, buffer.count - at)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                at += count
            }
        }
    }

    static func error(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        bytes.withUnsafeBytes { _ = write(2, $0.baseAddress, $0.count) }
    }
}
