import Foundation
import Glibc
import Testing
import Threads

/// A folder for one test: gone when the test passed, kept and named when it failed.
struct TestFolder: Sendable {
    let path: String

    /// Calls the body with a new folder.
    static func with<Result>(_ name: String, _ body: (TestFolder) throws -> Result) throws -> Result {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "tss-test-\(name)-\(UUID().uuidString.prefix(8))"
        )
        .path(percentEncoded: false)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let folder = TestFolder(path: path)
        let failuresBefore = Failures.count.withLock { $0 }
        var isWhole = false
        defer {
            if isWhole && Failures.count.withLock({ $0 }) == failuresBefore {
                try? FileManager.default.removeItem(atPath: path)
            } else {
                print("kept for a look: \(path)")
            }
        }
        let result = try body(folder)
        isWhole = true
        return result
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// A path in the folder that nothing else has.
    func newName(_ name: String) -> String { file("\(name)-\(UUID().uuidString.prefix(8)).txt") }
}

/// How many issues were recorded: the suites run one test at a time, so a test's own are those while it ran.
enum Failures {
    static let count = Lock(0)

    /// Counts every issue and passes it on.
    static let counting: IssueHandlingTrait = .compactMapIssues { issue in
        count.withLock { $0 += 1 }
        return issue
    }
}

/// All that starts the program, one test after the other.
@Suite(.serialized, Failures.counting) enum WholeProgram {}

/// Looks until the condition holds, for `limit` at most.
func waitUntil(_ limit: Duration, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = MonotonicInstant.now + limit
    let pause = Wakeup()
    while try !condition() {
        guard MonotonicInstant.now < deadline else { return try condition() }
        pause.sleep(.milliseconds(10))
    }
    return true
}

/// Ports of the loopback that nobody has at the moment.
enum FreePorts {
    static func find(_ count: Int) throws -> [UInt16] {
        var sockets: [ListeningPort] = []
        for _ in 0..<count { sockets.append(try ListeningPort()) }
        return sockets.map(\.port)
    }
}

/// A port of the loopback that is taken while this lives.
final class ListeningPort {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
                    && listen(descriptor, 1) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard isBound else { throw Failure("no free port: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }
}
