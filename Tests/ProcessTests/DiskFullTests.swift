import Foundation
import Glibc
import HTTPClient
import JSON
import Testing
import TraceGenerator
import Workers

extension WholeProgram {
    /// What the server does when there is no room, and when there is again.
    @Suite struct DiskFullTests {
        /// Sends large traces until one is refused.
        ///
        /// - Returns: What was answered 200, and the refusal.
        private static func fill(
            _ server: ServerUnderTest, _ traces: Traces, atMost limit: Int
        ) throws -> (accepted: [GeneratedTrace], refused: GeneratedTrace, ClientResponse) {
            var accepted: [GeneratedTrace] = []
            for index in 0..<limit {
                let trace = large(traces.next(index % 8 == 0 ? .error : .ok), seed: UInt64(index))
                let response = try server.export(trace.requestBytes)
                guard response.status == 200 else { return (accepted, trace, response) }
                accepted.append(trace)
            }
            throw Failure("\(limit) requests did not fill the disk")
        }

        /// Some 40 kB that do not compress, on a span that is no row of the table unless its trace is kept.
        private static func large(_ trace: GeneratedTrace, seed: UInt64) -> GeneratedTrace {
            var random = SeededRandom(seed: seed)
            var trace = trace
            let bytes = (0..<40_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            trace.request.spans[0].attributes.append(GeneratedAttribute("payload", .bytes(bytes)))
            return trace
        }

        /// The sequence that both tests show: full, refused and said so; room again, taken again; nothing lost.
        private static func fillAndRecover(
            _ server: ServerUnderTest, atMost limit: Int, makeRoom: () throws -> Void
        ) throws {
            let traces = Traces(seed: .random(in: 0 ... .max))
            let (accepted, refused, response) = try fill(server, traces, atMost: limit)
            print("\(accepted.count) requests taken until the disk was full")
            #expect(accepted.count > 10)
            #expect(response.status == 503)
            #expect(response.header("Retry-After").flatMap { Int($0) } ?? 0 > 0)
            #expect(
                waitUntil(.seconds(10)) {
                    (try? server.get(server.adminURL + "/health/ready"))?.status == 503
                })
            let ready = try server.get(server.adminURL + "/health/ready")
            #expect(String(decoding: ready.body, as: UTF8.self).contains("disk"))
            let health = try server.json("/health")
            #expect(health["status"] == "unhealthy" && health["components"]?["log"]?["status"] == "unhealthy")
            #expect(health["components"]?["log"]?["last_error"]?.text?.contains("disk") == true)
            #expect(try server.get(server.adminURL + "/health/live").status == 200)
            try makeRoom()
            let isTaken = try waitUntil(.seconds(60)) { try server.export(refused.requestBytes).status == 200 }
            let state = try server.json("/health")
            #expect(isTaken, "\(state)")
            #expect(try server.get(server.adminURL + "/health/ready").status == 200)
            let last = traces.next(.error)
            try #require(try server.export(last.requestBytes).status == 200)
            try server.waitUntilSettled(after: last.traceID)
            #expect(MetricsPage(try server.metricsPage()).sum("spans_lost_total") == 0)
            try #require(try server.stop() == .exited(code: 0))
            let kept = (accepted + [refused, last]).filter { $0.kind == .error }
            try Accounting.check(
                kept.flatMap(\.spans),
                in: TableReader(
                    dataFolder: server.dataFolder, columns: Accounting.columns, folder: server.folder))
        }

        @Test func `a spent budget refuses new spans until decided ones have made room`() throws {
            try TestFolder.with("budget") { folder in
                var settings = ServerUnderTest.shortWaits
                // The reserve is 64 MiB and two files; what is left over it is 4 MiB.
                settings["TSS__APP__MAX_DISK_BYTES"] = "\(68 << 20)"
                settings["TSS__STORAGE__ICEBERG__TARGET_FILE_BYTES"] = "65536"
                settings["TSS__APP__INACTIVITY_TIMEOUT_SECS"] = "6"
                settings["TSS__APP__ROOT_INACTIVITY_TIMEOUT_SECS"] = "6"
                let server = try ServerUnderTest(folder, settings)
                try server.startAndWait()
                // Room comes by itself: the traces are decided and the log releases what it need not keep.
                try Self.fillAndRecover(server, atMost: 1000) {}
            }
        }

        @Test func `a full disk refuses new spans and loses none`() throws {
            try TestFolder.with("disk") { folder in
                let disk = try SmallDisk(folder.file("disk"), megabytes: 160)
                defer { disk.unmount() }
                var settings = ServerUnderTest.shortWaits
                settings["TSS__STORAGE__ICEBERG__TARGET_FILE_BYTES"] = "65536"
                settings["TSS__APP__INACTIVITY_TIMEOUT_SECS"] = "6"
                settings["TSS__APP__ROOT_INACTIVITY_TIMEOUT_SECS"] = "6"
                let server = try ServerUnderTest(folder, settings, dataFolder: disk.path + "/data")
                try server.startAndWait()
                // Somebody else's file leaves less than the reserve and a little.
                let other = disk.path + "/other"
                try Self.write(other, bytes: 80 << 20)
                try Self.fillAndRecover(server, atMost: 4000) {
                    try FileManager.default.removeItem(atPath: other)
                }
            }
        }

        private static func write(_ path: String, bytes: Int) throws {
            let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(descriptor) }
            guard posix_fallocate(descriptor, 0, off_t(bytes)) == 0 else { throw Failure("cannot fill \(path)") }
        }
    }
}

/// A file system in memory of a few megabytes.
struct SmallDisk {
    let path: String

    init(_ path: String, megabytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw Failure(
                "cannot mount a small file system: \(String(cString: strerror(errno))); this test needs to be root "
                    + "with CAP_SYS_ADMIN, such as in `docker run --cap-add SYS_ADMIN`")
        }
    }

    func unmount() {
        // Lazily: a killed server's last file may still be closing.
        umount2(path, Int32(MNT_DETACH))
    }
}
