import CSystem
import Glibc
import Telemetry
import Testing
import Threads

/// A pipe whose reader is the test.
final class Pipe: Sendable {
    let reader: Int32
    let writer: Int32

    init() {
        var ends: [Int32] = [0, 0]
        precondition(tss_pipe_cloexec(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// What is in the pipe now.
    func text() -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var ready = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 0) > 0 else { break }
            let count = read(reader, &chunk, chunk.count)
            guard count > 0 else { break }
            text += chunk[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}

private func makeLog(_ pipe: Pipe, _ change: (inout Log.Options) -> Void = { _ in }) throws -> Log {
    var options = Log.Options()
    options.descriptor = pipe.writer
    change(&options)
    return try Log(options)
}

@Suite struct LogTests {
    @Test func `writes one line of text with the values as fields`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe)
        log.logger("iceberg_sink").warning(
            "sink slow", metadata: ["sink": "iceberg", "held": 5, "why": "no \"room\"\n"])
        #expect(log.flush())
        let line = pipe.text()
        #expect(line.hasSuffix("Z  WARN iceberg_sink: sink slow sink=iceberg held=5 why=\"no \\\"room\\\"\\n\"\n"))
        #expect(line.split(separator: "\n").count == 1)
        log.stop()
    }

    @Test func `writes an object of JSON with typed fields`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe) { $0.format = .json }
        log.logger("x").info(
            "a\u{1}\"b",
            metadata: ["text": "é\\", "count": .count(7), "real": .real(0.5), "nan": .real(.nan), "yes": true])
        #expect(log.flush())
        let line = pipe.text()
        #expect(line.hasPrefix("{\"timestamp\":\"2"))
        let tail =
            #""level":"INFO","target":"tail_sampling_selector::x","message":"a\u0001\"b","fields":"#
            + #"{"text":"é\\","count":7,"real":0.5,"nan":"nan","yes":true}}"# + "\n"
        #expect(line.hasSuffix(tail))
        log.stop()
    }

    @Test func `never evaluates what is below the level`() throws {
        let log = try makeLog(Pipe()) { $0.filter = LogFilter(.warning) }
        var evaluations = 0
        func message() -> String {
            evaluations += 1
            return ""
        }
        log.logger("x").info(message())
        log.logger("x").error(message())
        #expect(evaluations == 1)
        log.stop()
    }

    @Test func `callers go on when nobody reads, and the drops are counted and told`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe) { $0.maxQueuedLines = 100 }
        let logger = log.logger("jam")
        let text = String(repeating: "x", count: 1000)
        let start = MonotonicInstant.now
        // 64 KiB fit into a pipe, 100 lines wait, the others are dropped.
        for _ in 0..<1000 { logger.info(text) }
        #expect(MonotonicInstant.now - start < .seconds(5))
        #expect(!log.flush(limit: .milliseconds(50)))
        #expect(log.droppedLines > 800 && log.droppedLines < 940)
        var seen = ""
        #expect(
            waitUntil {
                seen += pipe.text()
                return seen.contains("log lines dropped count=")
            })
        let written = seen.split(separator: "\n").filter { $0.hasSuffix("x") }.count
        #expect(written + log.droppedLines == 1000)
        log.stop()
    }

    @Test func `stop returns though nobody reads`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe)
        let logger = log.logger("jam")
        for _ in 0..<200 { logger.info(String(repeating: "x", count: 1000)) }
        let start = MonotonicInstant.now
        log.stop(limit: .milliseconds(100))
        #expect(MonotonicInstant.now - start < .seconds(5))
    }

    @Test func `stop writes everything when somebody reads`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe)
        for index in 0..<500 { log.logger("x").info("line \(index)") }
        let collected = Lock("")
        let reader = try NamedThread.start(name: "reader") {
            _ = waitUntil {
                let text = pipe.text()
                return collected.withLock {
                    $0 += text
                    return $0.contains("line 499\n")
                }
            }
        }
        log.stop()
        reader.join()
        #expect(collected.withLock { $0.split(separator: "\n").count } == 500)
        log.logger("x").info("too late")
        #expect(log.droppedLines == 1)
    }

    @Test func `a reader that went away does not end the program`() throws {
        var ends: [Int32] = [0, 0]
        #expect(tss_pipe_cloexec(&ends) == 0)
        signal(SIGPIPE, SIG_IGN)
        close(ends[0])
        var options = Log.Options()
        options.descriptor = ends[1]
        let log = try Log(options)
        log.logger("x").info("nobody")
        #expect(log.flush())
        log.stop()
        close(ends[1])
    }

    @Test func `many threads write whole lines`() throws {
        let pipe = Pipe()
        let log = try makeLog(pipe) { $0.maxQueuedLines = 100_000 }
        let collected = Lock("")
        let reader = try NamedThread.start(name: "reader") {
            _ = waitUntil {
                let text = pipe.text()
                return collected.withLock {
                    $0 += text
                    return $0.hasSuffix("the end\n")
                }
            }
        }
        try inParallel(8) { index in
            let logger = log.logger("module_\(index)")
            for step in 0..<500 { logger.info("step", metadata: ["number": .count(step)]) }
        }
        log.logger("x").info("the end")
        #expect(log.flush(limit: .seconds(10)))
        reader.join()
        let lines = collected.withLock { $0 }.split(separator: "\n")
        #expect(lines.count == 4001)
        #expect(lines.dropLast().allSatisfy { $0.contains("INFO module_") && $0.contains(": step number=") })
        log.stop()
    }

    @Test func `a fatal line is written before the program stops`() async {
        let result = await #expect(processExitsWith: .signal(SIGILL), observing: [\.standardErrorContent]) {
            let log = try Log()
            log.logger("engine").fatal("an invariant is broken", metadata: ["id": "BUF-1"])
        }
        let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(text.contains("ERROR engine: an invariant is broken id=BUF-1\n"))
    }
}

@Suite struct LogFilterTests {
    @Test func `the longest module name wins`() throws {
        let filter = try LogFilter(
            parsing: "info,otlp=debug, otlp.http=off ,tail_sampling_selector::query_engine=trace")
        #expect(filter.level(of: "otlp") == .debug)
        #expect(filter.level(of: "otlp.grpc") == .debug)
        #expect(filter.level(of: "otlp.http") == .off)
        #expect(filter.level(of: "otlp_server") == .info)
        #expect(filter.level(of: "query_engine") == .trace)
    }

    @Test func `the program's name stands for all of it`() throws {
        let filter = try LogFilter(parsing: "info,tail_sampling_selector=debug")
        #expect(filter.level(of: "anything") == .debug)
    }

    @Test(arguments: ["loud", "a=b=info", "info,x=", "=", "info,,x=maybe"])
    func `a mistake names the part`(text: String) {
        #expect(throws: LogFilter.Mistake.self) { try LogFilter(parsing: text) }
    }

    @Test func `nothing given is info`() throws {
        #expect(try LogFilter(parsing: "").level(of: "x") == .info)
        #expect(try LogFilter(parsing: "WARN").level(of: "x") == .warning)
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_827_696_789, "2000-02-29T12:34:56.789Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"), (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
    ])
    func `is RFC 3339 in UTC`(milliseconds: Int64, text: String) {
        #expect(Timestamp.text(milliseconds: milliseconds) == text)
    }
}
