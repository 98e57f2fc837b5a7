import Configuration
import Glibc
import Testing

@testable import Settings

struct SettingsTextTests {
    @Test func `what is printed loads again as the same`() throws {
        let yaml = """
            app: {instance_id: "5", inactivity_timeout_secs: 0.5, data_dir: 'a b'}
            observability: {log_level: "info,otlp_server=debug"}
            sampling:
              always_sample_errors: false
              error_sample_rate: 0.25
              policies: [{name: 'x: y', type: status_code, status_code: {status_codes: [OK]}}]
            """
        let first = try load(yaml).printed
        let second = try load(first).printed
        func values(_ text: String) -> [Substring] {
            text.split(separator: "\n").map { $0.split(separator: "  # ", maxSplits: 1)[0] }
        }
        #expect(values(first) == values(second))
        #expect(first.contains("  inactivity_timeout_secs: 0.5  # conf/tss.yaml:1:50\n"))
        #expect(first.contains("  evaluation_workers: 4  # default\n"))
        #expect(first.contains("#   x: y keeps traces in which a span has status OK\n"))
    }

    @Test func `the example file holds every key and is the defaults`() throws {
        let example = SettingsDocumentation.example
        let loaded = try load(example)
        #expect(loaded.warnings.isEmpty)
        let values = Declaration.all.map { $0.form.text(in: loaded.settings) }
        let defaults = Declaration.all.map { $0.form.text(in: Settings(machine: testMachine)) }
        #expect(values == defaults)
        for declaration in Declaration.all {
            let name = declaration.key.split(separator: ".").last ?? ""
            #expect(example.contains("\(name): "), "\(declaration.key)")
        }
    }

    @Test func `Documentation/Configuration.md is what the declarations say`() throws {
        try expectGenerated("Documentation/Configuration.md", SettingsDocumentation.reference)
    }

    @Test func `Documentation/config.example.yaml is what the declarations say`() throws {
        try expectGenerated("Documentation/config.example.yaml", SettingsDocumentation.example)
    }

    /// Holds a generated page against the file; with `UPDATE_DOCUMENTATION=1` in the environment writes it first.
    private func expectGenerated(_ path: String, _ text: String) throws {
        let full = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/" + path
        if getenv("UPDATE_DOCUMENTATION") != nil {
            let stream = try #require(fopen(full, "we"))
            fputs(text, stream)
            fclose(stream)
        }
        #expect(fileText(full) == text, "\(path) is out of date: run the tests with UPDATE_DOCUMENTATION=1")
    }

    private func fileText(_ path: String) -> String? {
        guard let stream = fopen(path, "re") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&chunk, 1, chunk.count, stream)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }
}

struct MachineFactsTests {
    private func memory(_ files: [String: String]) -> Int? { MachineFacts.memoryBytes { files[$0] } }

    @Test func `the machine's memory, when no group limits it`() {
        let meminfo = "MemTotal:       16384 kB\nMemFree: 1 kB\n"
        #expect(memory(["/proc/meminfo": meminfo]) == 16 << 20)
        #expect(
            memory(["/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"])
                == 16 << 20)
        #expect(memory([:]) == nil)
    }

    @Test func `the tightest group around the process`() {
        let files = [
            "/proc/meminfo": "MemTotal: 16384 kB\n", "/proc/self/cgroup": "0::/a/b\n",
            "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "1048576\n",
        ]
        #expect(memory(files) == 1 << 20)
    }

    @Test func `groups of the first version`() {
        let files = [
            "/proc/meminfo": "MemTotal: 16384 kB\n", "/proc/self/cgroup": "3:cpu,memory:/docker/x\n2:pids:/\n",
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2097152\n",
        ]
        #expect(memory(files) == 2 << 20)
    }
}
